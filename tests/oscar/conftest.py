"""The bookshop, running, and a copy of its workspace."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.targets.oscar import shop as target


@pytest.fixture(scope="session")
def oscar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[target.OscarShop]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with target.OscarShop(tmp_path_factory.mktemp("oscar") / "state", port) as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path, oscar: target.OscarShop, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OSCAR_URL", oscar.url)
    folder = tmp_path / "workspace"
    shutil.copytree(target.HERE / "workspace", folder, ignore=shutil.ignore_patterns(".shopwatch"))
    return folder
