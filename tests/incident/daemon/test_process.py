import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from incident.client import Answered, Client, token_file
from incident.daemon import logs
from incident.daemon import process as daemon_module
from incident.daemon.listening import CannotListen, bind, url_of
from tests.incident.a_daemon import CLI, Daemon, environment, running, workspace


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SHOPWATCH_URL", "SHOPWATCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running(workspace(tmp_path / "shop"), tmp_path / "state") as started:
        yield started


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def run(folder: Path, state: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, "-w", str(folder), "run", *more]
    return subprocess.run(command, capture_output=True, text=True, env=environment(state), timeout=100, check=False)


@pytest.mark.by_the_clock
def test_a_daemon_says_where_it_is_lets_its_account_in_and_leaves_nothing_behind(daemon: Daemon) -> None:
    assert str(daemon.workspace) in daemon.said[2]
    token = token_file("127.0.0.1", int(daemon.url.rsplit(":", 1)[1]))
    assert token.stat().st_mode & 0o777 == 0o600
    client = Client(daemon.url)
    assert client.post("/api/v1/incidents", {"title": "Cards are declined"})["number"] == 1
    assert client.get("/api/v1/incidents/1/timeline")[0]["data"]["via"] == "cli"
    with urlopen(f"{daemon.url}/zh/", timeout=60) as page:
        assert "支付" in page.read().decode()
    wait_for(lambda: len(daemon.children()) == 1)
    [prober] = daemon.children()
    code, seconds = daemon.stop()
    assert (code, seconds < 3.0) == (0, True), daemon.log.read_text()  # two on a machine that is not busy
    assert not token.exists()
    assert not Path(f"/proc/{prober}").exists()
    assert all(json.loads(line)["event"] for line in daemon.log.read_text().splitlines())


@pytest.mark.by_the_clock
def test_ctrl_c_ends_it_as_well(daemon: Daemon) -> None:
    code, seconds = daemon.stop(signal.SIGINT)
    assert (code, seconds < 3.0) == (0, True)  # two on a machine that is not busy


def test_a_prober_that_dies_is_started_again_and_reports(daemon: Daemon) -> None:
    wait_for(lambda: len(daemon.children()) == 1)
    [first] = daemon.children()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: daemon.children() not in ([], [first]))
    assert "killed by signal 9" in daemon.log.read_text()


def test_a_second_daemon_on_the_same_workspace_is_told_of_the_first(daemon: Daemon, tmp_path: Path) -> None:
    second = run(daemon.workspace, tmp_path / "state", "--port", "0")
    assert second.returncode == 2
    assert "already running" in second.stderr and daemon.url in second.stderr
    assert Client(daemon.url).get("/api/v1/incidents") == []


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(workspace(tmp_path / "shop"), tmp_path / "state", "--port", port)
    assert result.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in result.stderr and "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_workspace_with_mistakes_is_not_started(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "shop", "shop: {name: Shop}\nservices: {login: {titel: Sign-in}}\n")
    result = run(folder, tmp_path / "state", "--port", "0")
    assert result.returncode == 2
    assert "shopwatch.yaml:2: services.login.titel" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_state_folder_that_cannot_be_written_to_is_said_plainly(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "shop")
    (folder / ".shopwatch" / "daemon.lock").mkdir(parents=True)
    result = run(folder, tmp_path / "state", "--port", "0")
    assert result.returncode == 2
    assert ".shopwatch cannot be written to" in result.stderr
    assert "Traceback" not in result.stderr


def test_kill_9_of_the_daemon_takes_the_prober_along_and_the_next_one_starts(daemon: Daemon, tmp_path: Path) -> None:
    wait_for(lambda: len(daemon.children()) == 1)
    [prober] = daemon.children()
    Client(daemon.url).post("/api/v1/incidents", {"title": "kept"})
    stale = Client(daemon.url).token
    daemon.stop(signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{prober}").exists())
    with running(daemon.workspace, tmp_path / "state") as again:
        assert Client(again.url).get("/api/v1/incidents")[0]["title"] == "kept"
        with pytest.raises(Answered, match="unknown"):
            Client(again.url, stale).get("/api/v1/incidents")


def test_a_daemon_of_which_a_part_breaks_ends_with_a_word_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise ExceptionGroup("parts", [RuntimeError("the engine fell out")])

    monkeypatch.setattr(daemon_module, "_until_signal", broken)
    monkeypatch.setattr(logs, "configure", lambda: None)
    with pytest.raises(SystemExit) as ended:
        daemon_module.main(workspace(tmp_path / "shop"), 0, None)
    said = capfd.readouterr()
    assert ended.value.code == 1
    assert "the engine fell out" in said.out + said.err


def test_answers_do_not_wait_for_acknowledgements_on_the_way() -> None:
    with bind("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_not_ours_is_said_plainly() -> None:
    with pytest.raises(CannotListen, match="no address of this machine"):
        bind("203.0.113.9", 0)
    with pytest.raises(CannotListen, match="no address"):
        bind("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("10.0.0.5", "http://10.0.0.5:1"),
    ],
)
def test_the_prober_and_the_commands_find_the_daemon_wherever_it_listens(host: str, url: str) -> None:
    assert url_of(host, 1) == url
