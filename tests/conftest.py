"""What every test shares: asyncio as the loop, and a plain account of what could not run on this machine."""

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgresql import Server

settings.register_profile("shopwatch", deadline=None)  # how long an example takes depends on what else runs here
settings.load_profile("shopwatch")

pytest_plugins = ["tests.calm"]

_WANTS = "this machine has no "


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> "Iterator[Server]":
    """A server of this worker's own, begun when the first test asks for it. Mark that test `needs("postgresql")`."""
    from tests.postgresql import serving

    with serving() as server:
        yield server


def _programs(*names: str) -> bool:
    return all(shutil.which(name) for name in names)


def _postgresql() -> bool:
    return bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))) or _programs("initdb", "postgres")


def _tmpfs() -> bool:
    """May a file system be mounted? Root alone may, and not in every container."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


def _oscar() -> bool:
    from tests.targets.oscar.shop import installed

    return installed()


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {  # what a test may need: (is it here?, how to get it)
    "chromium": (lambda: _programs("chromium", "chromedriver"), "apt-get install chromium chromium-driver"),
    "postgresql": (_postgresql, "apt-get install postgresql"),
    "prometheus": (lambda: _programs("prometheus", "promtool"), "apt-get install prometheus"),
    "alertmanager": (lambda: _programs("prometheus-alertmanager", "amtool"), "apt-get install prometheus-alertmanager"),
    "tmpfs": (_tmpfs, "run the tests as root, who may mount a small disk"),
    "oscar": (_oscar, "make oscar"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here: dict[str, bool] = {}
    for item in items:
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))
        for mark in item.iter_markers("needs"):
            for what in mark.args:
                if what not in here:
                    here[what] = NEEDS[what][0]()
                if not here[what]:
                    item.add_marker(pytest.mark.skip(reason=f"{_WANTS}{what}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Read from the reports, because with several workers each has collected for itself."""
    missing: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        _, _, reason = report.longrepr
        if _WANTS in reason:
            missing[reason.split(_WANTS)[1]].append(report.nodeid)
    for what, tests in sorted(missing.items()):
        terminalreporter.write_line(
            f"not run, for want of {what} ({NEEDS[what][1]}): {len(tests)} tests, e.g. {tests[0]}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """With SHOPWATCH_NO_SKIP=1, as in CI, a test that does not run has failed."""
    report = yield
    if os.environ.get("SHOPWATCH_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and here that is a failure: {report.longrepr}"
    return report
