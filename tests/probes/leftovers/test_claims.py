"""One at a time cleans up after a run, and what it needs for that is not in the ledger if it is secret."""

import multiprocessing
import stat
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from probes.running.claims import Claims


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "claims")


def test_a_run_belongs_to_one_at_a_time(claims: Claims) -> None:
    mine = claims.take("run-1")
    assert mine is not None
    assert claims.taken("run-1")
    assert claims.take("run-1") is None
    other = claims.take("run-2")
    assert other is not None
    other.release(settled=False)
    mine.release(settled=False)
    mine.release(settled=False)
    assert not claims.taken("run-1")
    again = claims.take("run-1")
    assert again is not None
    again.release(settled=True)


def _hold(folder: Path, ready: Event) -> None:
    claim = Claims(folder).take("run-1")
    assert claim is not None
    claim.keep({"token": "t"})
    ready.set()
    time.sleep(120)


def test_a_claim_ends_with_its_process_and_what_it_kept_stays(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    ready = spawn.Event()
    process = spawn.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    try:
        assert ready.wait(100)
        assert Claims(tmp_path).taken("run-1")
    finally:
        process.kill()
        process.join()
        process.close()
    claim = Claims(tmp_path).take("run-1")
    assert claim is not None
    assert claim.kept() == {"token": "t"}
    claim.release(settled=True)


def test_what_is_kept_is_for_its_owner_and_goes_when_nothing_is_left(claims: Claims, tmp_path: Path) -> None:
    claim = claims.take("run-1")
    assert claim is not None
    claim.keep({"token": "secret", "n": 7})
    claim.keep({"token": "s"})
    (path,) = (tmp_path / "claims").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    claim.release(settled=False)
    claim = claims.take("run-1")
    assert claim is not None
    assert claim.kept() == {"token": "s"}
    claim.release(settled=True)
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_claim_that_kept_nothing_leaves_no_file(claims: Claims, tmp_path: Path) -> None:
    claim = claims.take("../../run")
    assert claim is not None
    claim.keep({})
    claim.release(settled=False)
    assert list((tmp_path / "claims").iterdir()) == []


def test_what_a_crash_has_torn_is_nothing(claims: Claims, tmp_path: Path) -> None:
    claim = claims.take("run-1")
    assert claim is not None
    claim.keep({"token": "secret"})
    claim.release(settled=False)
    (path,) = (tmp_path / "claims").iterdir()
    path.write_text('{"token": "se')
    claim = claims.take("run-1")
    assert claim is not None
    assert claim.kept() == {}
    claim.release(settled=True)
