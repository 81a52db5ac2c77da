import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.prober.spool import Limits, Spool


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, sentence: str, **facts: Any) -> None:
        self.lines.append((sentence, facts))


def records(count: int, start: int = 0) -> list[bytes]:
    return [b'{"n": %d}' % n for n in range(start, start + count)]


def drain(spool: Spool, most: int = 10) -> list[bytes]:
    out: list[bytes] = []
    while (batch := spool.peek(most)).records:
        out += batch.records
        spool.acknowledge(batch)
    return out


@pytest.fixture
def log() -> Log:
    return Log()


def test_records_come_out_in_order_across_segments(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log, Limits(segment=100))
    for start in range(0, 1000, 10):
        spool.append(records(10, start), durable=False)
    assert len(list(tmp_path.glob("0*.jsonl"))) > 50
    assert drain(spool) == records(1000)
    spool.close()
    assert log.lines == []


def test_what_is_not_acknowledged_is_there_after_a_restart(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log)
    spool.append(records(10), durable=True)
    spool.acknowledge(spool.peek(4))
    spool.close()
    again = Spool(tmp_path, log)
    assert drain(again) == records(6, 4)
    again.close()


def test_a_batch_that_is_not_acknowledged_is_given_again(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log)
    spool.append(records(3), durable=False)
    assert spool.peek(2).records == spool.peek(2).records == records(2)
    spool.close()


def test_half_a_line_at_the_end_is_cut_off_and_said(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log)
    spool.append(records(2), durable=False)
    spool.close()
    [segment] = tmp_path.glob("0*.jsonl")
    segment.write_bytes(segment.read_bytes() + b'{"n": 99, "half')
    again = Spool(tmp_path, log)
    again.append(records(1, 2), durable=False)
    assert drain(again) == records(3)
    again.close()
    assert [facts["bytes"] for _, facts in log.lines] == [15]


@pytest.mark.parametrize("text", ["", "garbage", "1", "-5 -7", "0 999999999999", "999 0"])
def test_a_damaged_position_loses_nothing_that_is_appended_afterwards(tmp_path: Path, log: Log, text: str) -> None:
    (tmp_path / "acknowledged").write_text(text)
    spool = Spool(tmp_path, log)
    spool.append(records(3), durable=False)
    assert drain(spool) == records(3)
    spool.close()
    again = Spool(tmp_path, log)
    assert drain(again) == []
    again.close()


def test_delivered_segments_leave_the_disk(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log, Limits(segment=200))
    for start in range(0, 400, 10):
        spool.append(records(10, start), durable=False)
        drain(spool)
    assert sum(path.stat().st_size for path in tmp_path.glob("0*.jsonl")) <= 200
    spool.append(records(1, 400), durable=False)
    assert drain(spool) == records(1, 400)
    spool.close()


def test_a_spool_over_its_limit_gives_up_its_oldest_segment_and_says_so(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log, Limits(segment=100, disk=500))
    for start in range(0, 1000, 5):
        spool.append(records(5, start), durable=False)
    rest = drain(spool)
    assert rest == records(len(rest), 1000 - len(rest))
    assert 20 < len(rest) < 100
    assert "oldest reports are gone" in log.lines[0][0]
    spool.close()


def test_one_huge_record_is_a_batch_of_its_own(tmp_path: Path, log: Log) -> None:
    spool = Spool(tmp_path, log)
    huge = b"x" * 3_000_000
    spool.append([b"1", huge, b"2"], durable=False)
    batches = []
    while (batch := spool.peek(10)).records:
        batches.append(batch.records)
        spool.acknowledge(batch)
    assert batches == [[b"1"], [huge], [b"2"]]
    spool.close()


class Disk:
    """The real os.write until `free` bytes are used up, then what a full disk does."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.write = os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.free <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.write(descriptor, data[: self.free])
        self.free -= written
        return written


def test_a_full_disk_is_said_once_and_memory_takes_over_in_order(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, log)
    disk = Disk(free=55)  # the sixth record would be half-written
    monkeypatch.setattr(os, "write", disk)
    for n in range(10):
        spool.append(records(1, n), durable=True)
    assert [sentence for sentence, _ in log.lines] == ["the spool cannot be written, reports are held in memory"]
    assert drain(spool, most=3) == records(10)
    spool.close()


def test_memory_goes_to_disk_once_there_is_room_again(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, log)
    disk = Disk(free=25)
    monkeypatch.setattr(os, "write", disk)
    for n in range(5):
        spool.append(records(1, n), durable=True)
    disk.free = 1 << 20
    spool.append(records(1, 5), durable=True)
    spool.close()
    again = Spool(tmp_path, log)
    assert drain(again) == records(6)
    again.close()
    assert log.lines[-1] == ("the spool can be written again", {"reports_lost": 0})


def test_memory_is_bounded_while_the_disk_is_full_and_the_loss_is_counted(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, log, Limits(memory=80))
    disk = Disk(free=0)
    monkeypatch.setattr(os, "write", disk)
    for n in range(10, 60):
        spool.append(records(1, n), durable=False)
    disk.free = 1 << 20
    spool.append(records(1, 60), durable=False)
    rest = drain(spool)
    assert rest == records(len(rest), 61 - len(rest))
    assert log.lines[-1][1] == {"reports_lost": 51 - len(rest)}
    spool.close()


@given(st.lists(st.sampled_from(["append", "take", "restart"]), max_size=40), st.integers(10, 200))
def test_whatever_happens_records_come_out_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], segment: int
) -> None:
    folder, log = tmp_path_factory.mktemp("spool"), Log()
    spool, made, out = Spool(folder, log, Limits(segment=segment)), 0, []
    for action in [*actions, "restart"]:
        if action == "append":
            spool.append(records(3, made), durable=False)
            made += 3
        elif action == "take":
            batch = spool.peek(2)
            out += batch.records
            spool.acknowledge(batch)
        else:
            spool.close()
            spool = Spool(folder, log, Limits(segment=segment))
    out += drain(spool)
    spool.close()
    assert out == records(made)
