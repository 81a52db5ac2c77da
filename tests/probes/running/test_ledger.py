"""The ledger survives what runs do not."""

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from probes.running.ledger import Entry, Ledger, LedgerUnwritable

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from probes.running.context import RunContext
from probes.language.journey import Journey
from probes.running.runner import run_journey

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    os.kill(os.getpid(), signal.SIGKILL)  # the order's request is there, and nobody will ever answer it

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    journey = Journey.model_validate({
        "journey": "checkout", "service": "checkout", "every": "30s", "base": f"http://127.0.0.1:{port}",
        "accounts": [{"user": "buyer@x", "password": "p"}],
        "steps": [{"name": "order", "post": "/orders", "creates": "{{ order }}", "save": {"order": {"json": "$.id"}}}],
    })
    await run_journey(journey, RunContext(Path(sys.argv[1])))

asyncio.run(main())
"""


def entry(name: str = "e1") -> Entry:
    return Entry(name, "", "run-1", "checkout", "place the order", "intent")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "state" / "ledger.jsonl")


def test_an_entry_stands_where_its_last_line_says(ledger: Ledger) -> None:
    one = ledger.record(entry(), "intent", NOW)
    one = ledger.record(one, "created", NOW, value="100017", saved={"order": "100017"})
    assert ledger.entries() == [one]
    assert [left.value for left in ledger.leftovers()] == ["100017"]
    ledger.record(one, "undone", NOW)
    assert ledger.leftovers() == []


@pytest.mark.parametrize("state", ["intent", "created", "unknown", "failed"])
def test_whatever_is_neither_void_nor_undone_is_left_over(ledger: Ledger, state: str) -> None:
    ledger.record(entry(), state, NOW)
    assert len(ledger.leftovers()) == 1


def test_no_file_is_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.entries() == []


def test_only_its_owner_can_read_it(ledger: Ledger) -> None:
    ledger.record(entry(), "intent", NOW)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_a_line_torn_by_a_crash_costs_only_itself(ledger: Ledger) -> None:
    ledger.record(entry("e1"), "created", NOW)
    with ledger.path.open("ab") as file:
        file.write(b'{"id": "e2", "at": "20')
    ledger.record(entry("e3"), "created", NOW)
    assert [left.id for left in ledger.leftovers()] == ["e1", "e3"]


def test_lines_that_are_none_of_ours_are_passed_over(ledger: Ledger) -> None:
    ledger.record(entry("e1"), "created", NOW)
    written = json.loads(ledger.path.read_text())
    with ledger.path.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n" + os.urandom(300) + b"\n")
        file.write(json.dumps(written | {"id": ["not", "a", "name"]}).encode() + b"\n")
    assert [left.id for left in ledger.leftovers()] == ["e1"]


def test_many_writers_at_once_lose_nothing(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Ledger(ledger.path).record(entry(f"e{n}"), "created", NOW), range(60)))
    assert len(ledger.leftovers()) == 60


def test_compaction_keeps_what_is_open(ledger: Ledger) -> None:
    for n in range(10):
        one = ledger.record(entry(f"e{n}"), "created", NOW, value=str(n))
        if n % 2:
            ledger.record(one, "undone", NOW)
    ledger.compact()
    assert len(ledger.path.read_text().splitlines()) == 5
    ledger.record(entry("e0"), "undone", NOW)
    assert [left.value for left in ledger.leftovers()] == ["2", "4", "6", "8"]


def test_it_compacts_itself_once_it_is_large(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.running.ledger.COMPACT_AT", 2000)
    small = Ledger(ledger.path)
    for n in range(50):
        small.record(small.record(entry(f"e{n}"), "created", NOW), "undone", NOW)
    assert small.path.stat().st_size < 4000


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnwritable, match=r"ledger\.jsonl"):
        Ledger(tmp_path / "file" / "ledger.jsonl").record(entry(), "intent", NOW)


def test_kill_9_between_intent_and_answer_leaves_the_intent(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    (left,) = Ledger(tmp_path / "ledger.jsonl").leftovers()
    assert (left.state, left.journey, left.step, left.account) == ("intent", "checkout", "order", "buyer@x")
    assert left.at
    assert json.loads((tmp_path / "ledger.jsonl").read_text())["run_id"] == left.run_id
    assert list((tmp_path / "accounts").iterdir())
