"""Leases are real locks: these tests use several processes where it matters."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from probes.running.accounts import AccountPool, NoFreeAccount

HOLDER = """
import sys
from pathlib import Path
from probes.running.accounts import AccountPool
lease = AccountPool(Path(sys.argv[1])).try_lease([sys.argv[2]])
print("leased" if lease else "taken", flush=True)
sys.stdin.read()
"""


def holder(folder: Path, user: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), user], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "leased\n"
    return process


def end(process: subprocess.Popen[str], *, kill: bool = False) -> None:
    if kill:
        process.kill()
    process.communicate()


def test_the_first_free_account_in_the_order_of_the_file_is_leased(tmp_path: Path) -> None:
    pool = AccountPool(tmp_path / "accounts")
    first = pool.try_lease(["a", "b"])
    second = pool.try_lease(["a", "b"])
    assert first is not None
    assert second is not None
    assert (first.user, second.user, second.index) == ("a", "b", 1)
    assert pool.try_lease(["a", "b"]) is None
    first.release()
    first.release()
    third = pool.try_lease(["a", "b"])
    assert third is not None
    assert third.user == "a"
    second.release()
    third.release()


def test_an_account_leased_by_another_process_is_taken_until_that_process_dies(tmp_path: Path) -> None:
    process = holder(tmp_path, "a@x")
    pool = AccountPool(tmp_path)
    assert pool.try_lease(["a@x"]) is None
    end(process, kill=True)
    lease = pool.try_lease(["a@x"])
    assert lease is not None
    lease.release()


@pytest.mark.anyio
async def test_a_waiting_run_gets_what_another_process_gives_back(tmp_path: Path) -> None:
    process = holder(tmp_path, "a@x")
    pool = AccountPool(tmp_path)
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(pool.lease(["a@x"], loop.time() + 60))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await asyncio.to_thread(end, process)
    (await waiting).release()


@pytest.mark.anyio
async def test_a_waiting_run_of_this_process_is_woken_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.running.accounts.POLL_S", 60.0)
    pool = AccountPool(tmp_path)
    lease = pool.try_lease(["a"])
    assert lease is not None
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, lease.release)
    (await pool.lease(["a"], loop.time() + 50)).release()


@pytest.mark.anyio
async def test_waiting_ends_at_the_deadline(tmp_path: Path) -> None:
    pool = AccountPool(tmp_path)
    lease = pool.try_lease(["a"])
    assert lease is not None
    with pytest.raises(NoFreeAccount, match="the only account, a, is leased"):
        await pool.lease(["a"], asyncio.get_running_loop().time() + 0.05)
    lease.release()


@pytest.mark.anyio
async def test_a_crowd_over_two_accounts_never_shares_one(tmp_path: Path) -> None:
    pool = AccountPool(tmp_path)
    held: set[str] = set()

    async def one() -> None:
        lease = await pool.lease(["a", "b"], asyncio.get_running_loop().time() + 60)
        assert lease.user not in held
        held.add(lease.user)
        await asyncio.sleep(0.001)
        held.remove(lease.user)
        lease.release()

    await asyncio.gather(*(one() for _ in range(40)))


def test_a_user_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    pool = AccountPool(tmp_path / "accounts")
    lease = pool.try_lease(["../../etc/passwd\x00"])
    assert lease is not None
    lease.release()
    assert [path.parent.name for path in tmp_path.rglob("*.lock")] == ["accounts"]
