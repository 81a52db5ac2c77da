"""Stands the shop up: environment and seeded template once a machine, a copy of the template for each run."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent
SITE = HERE / "site"


def home() -> Path:
    """$SHOPWATCH_OSCAR_HOME, else a folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SHOPWATCH_OSCAR_HOME") or Path(cache) / "shopwatch" / "oscar")


def installed() -> bool:
    return _made("venv") and _made("template")


def install() -> None:
    """About half a minute the first time, nothing afterwards."""
    python = home() / "venv" / "bin" / "python"
    if not _made("venv"):
        shutil.rmtree(home(), ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home() / "venv"], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        _stamp("venv").write_text(_sources("venv"))
    if not _made("template"):
        template = home() / "template"
        shutil.rmtree(template, ignore_errors=True)
        for folder in ("mail", "media", "static"):
            (template / folder).mkdir(parents=True)
        django: list[str | Path] = ["-m", "django"]
        for command in (
            [*django, "migrate", "-v0"],
            [SITE / "seed.py"],
            [*django, "rebuild_index", "--noinput", "-v0"],
        ):
            subprocess.run([python, "-W", "ignore", *command], check=True, env=_environment(template), cwd=home())
        _stamp("template").write_text(_sources("template"))


def _sources(part: str) -> str:
    """What a part was made from; it is made again when this changes."""
    files = [HERE / "requirements.txt", *([SITE / "settings.py", SITE / "seed.py"] if part == "template" else [])]
    return "\n".join(file.read_text() for file in files)


def _stamp(part: str) -> Path:
    return home() / f"{part}.made-from"


def _made(part: str) -> bool:
    return _stamp(part).exists() and _stamp(part).read_text() == _sources(part)


def _environment(state: Path) -> dict[str, str]:
    extra = {"SHOP_STATE": str(state), "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(SITE)}
    return os.environ | extra | {"PYTHONDONTWRITEBYTECODE": "1"}


class OscarShop:
    """The shop in a process of its own on 127.0.0.1:port; `with` starts and stops it. Its state lives in `state`."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, patience: float = 60) -> None:
        """Returns once the catalogue answers. Raises RuntimeError with the shop's log when it does not."""
        if not self.state.exists():
            shutil.copytree(home() / "template", self.state)
        serve = ["--listen", f"127.0.0.1:{self.port}", "--threads=4", "--call", "django.core.wsgi:get_wsgi_application"]
        with (self.state / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [home() / "venv" / "bin" / "python", "-W", "ignore", "-m", "waitress", *serve],
                env=_environment(self.state), cwd=self.state, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        (self.state / "pid").write_text(str(self.process.pid))
        end = time.monotonic() + patience
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("the shop did not start:\n" + (self.state / "log").read_text()[-4000:])
            time.sleep(0.1)

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            urllib.request.urlopen(self.url + "/catalogue/", timeout=10) as page,
        ):
            return bool(page.status == 200)
        return False

    def stop(self) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)  # a fault may have frozen it
        self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
