import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from probes.files.watching import Settling, changes, look

OLD = {"a.yaml": (1, 10, 1), "b.yaml": (1, 10, 2)}
NEW = {**OLD, "a.yaml": (2, 12, 1)}


def test_a_change_counts_once_nothing_has_moved_for_a_while() -> None:
    settling = Settling(OLD, settle=1, gone=4)
    assert [settling.changed(NEW, now) for now in (0, 0.5, 1, 2, 9)] == [False, False, True, False, False]


def test_a_file_that_is_still_being_written_is_waited_for() -> None:
    settling = Settling(OLD, settle=1, gone=4)
    growing = [{**OLD, "a.yaml": (n, n, 1)} for n in range(2, 7)]
    assert not any(settling.changed(marks, n * 0.8) for n, marks in enumerate(growing))
    assert settling.changed(growing[-1], 10)


def test_a_file_that_comes_back_as_it_was_is_no_change() -> None:
    settling = Settling(OLD, settle=1, gone=4)
    without = {"b.yaml": OLD["b.yaml"]}
    assert [settling.changed(marks, now) for now, marks in enumerate((without, without, OLD, OLD))] == [False] * 4


def test_a_missing_file_is_given_longer_to_come_back() -> None:
    settling = Settling(OLD, settle=1, gone=4)
    without = {"b.yaml": OLD["b.yaml"]}
    assert [settling.changed(without, now) for now in (0, 2, 3.9, 4)] == [False, False, False, True]


def test_another_inode_is_a_change_though_time_and_size_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "shopwatch.yaml"
    file.write_text("shop: 1")
    before = look(tmp_path)
    other = tmp_path / "new"
    other.write_text("shop: 2")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert look(tmp_path) != before


def test_only_files_that_are_read_are_looked_at(tmp_path: Path) -> None:
    for name in ("probes/a.yaml", "probes/.a.yaml.swp", "probes/.b.yaml", "probes/notes.txt", "runbooks/r.md", "x.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    secret = tmp_path / "secret"
    secret.write_text("key")
    found = {str(Path(path).relative_to(tmp_path)) for path in look(tmp_path, [secret, tmp_path / "gone"])}
    assert found == {"probes/a.yaml", "runbooks/r.md", "secret"}


@pytest.mark.anyio
async def test_changes_are_told_as_they_settle(tmp_path: Path) -> None:
    file = tmp_path / "shopwatch.yaml"
    file.write_text("1")
    told = changes(lambda: look(tmp_path), look(tmp_path), poll=0.02)
    file.write_text("22")
    await anext(told)
    file.write_text("333")
    await anext(told)
    assert isinstance(told, AsyncGenerator)
    await told.aclose()
