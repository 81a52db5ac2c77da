import os
import socket
from pathlib import Path

import pytest

from incident.client import Answered, BadAddress, Client, Unreachable, token_file
from incident.daemon.listening import left_token


@pytest.fixture(autouse=True)
def own_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("SHOPWATCH_URL", "SHOPWATCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def leave(name: str, text: str = "sw_left", mode: int = 0o600) -> Path:
    path = token_file(name, 8470)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_token_that_a_daemon_left_is_used_for_its_address_alone() -> None:
    leave("127.0.0.1")
    assert Client().token == "sw_left"
    assert Client("http://127.0.0.1:8471").token is None
    assert Client("http://shop.example:8470").token is None


def test_a_token_file_of_somebody_elses_address_goes_nowhere() -> None:
    leave("203.0.113.9")
    leave("evil.example")
    assert Client("http://203.0.113.9:8470").token is None
    assert Client("http://evil.example:8470").token is None


def test_localhost_means_the_address_whose_token_it_is() -> None:
    leave("127.0.0.1")
    client = Client("http://localhost:8470")
    assert (client.host, client.token) == ("127.0.0.1", "sw_left")


def test_a_token_file_that_others_can_read_is_not_trusted() -> None:
    leave("127.0.0.1", mode=0o644)
    assert Client().token is None


def test_the_environments_token_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    leave("127.0.0.1")
    monkeypatch.setenv("SHOPWATCH_TOKEN", "sw_mine")
    assert Client().token == "sw_mine"


def test_the_daemons_token_file_is_its_owners_alone_and_goes_with_it() -> None:
    with left_token("0.0.0.0", 8470, "sw_x") as path:
        assert path == token_file("127.0.0.1", 8470)
        assert path.read_text() == "sw_x"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_the_token_file_of_a_successor_is_left_alone() -> None:
    with left_token("127.0.0.1", 8470, "sw_old") as path:
        path.write_text("sw_new")
    assert path.read_text() == "sw_new"


@pytest.mark.parametrize("url", ["shop", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x", "http://127.0.0.1:99999"])
def test_an_address_that_makes_no_sense_is_said_to(url: str) -> None:
    with pytest.raises(BadAddress, match="is not an address"):
        Client(url)


def test_nobody_there_is_unreachable_in_plain_words() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="Connection refused"):
            Client(url).get("/api/v1/incidents")


def test_what_is_not_shopwatch_is_said_to_be_something_else() -> None:
    client = Client()
    with pytest.raises(Unreachable, match="is not Shopwatch"):
        client._read(200, b"<html>")
    with pytest.raises(Answered, match="too small"):
        client._read(400, b'{"error": "too small"}')
    with pytest.raises(Answered, match="bad matcher"):
        client._read(400, b'"bad matcher"')


def test_the_account_of_the_file_must_be_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    leave("127.0.0.1")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert Client().token is None


def test_a_daemon_that_cannot_leave_its_token_runs_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with left_token("127.0.0.1", 8470, "sw_x") as path:
        assert not path.exists()
