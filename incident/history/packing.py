"""The runs of one journey at one place, as few bytes as they need: column by column, then zlib.

A chunk is four bytes of length and the compressed columns; chunks stand one after another. All numbers are
little-endian, and split into their low and high bytes, since the high ones hardly differ.
"""

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

_LENGTH = struct.Struct("<I")
_HEX = frozenset("0123456789abcdef")


class Run(NamedTuple):
    """`started_ms` since 1970. `shape`: the number of its shape. `kind`: how it counts, as in `rollup`; -1: not at all.

    `numbers`: 16 bits each, as `shapes` makes them; runs of one shape have equally many.
    """

    started_ms: int
    run_id: str
    shape: int
    kind: int
    numbers: bytes

    @property
    def values(self) -> Sequence[int]:
        return _swapped(array("H", self.numbers))


def numbers_of(values: "array[int]") -> bytes:
    return _swapped(values).tobytes()


def _swapped(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values = array("H", values)
        values.byteswap()
    return values


def pack(runs: Iterable[Run]) -> bytes:
    """One chunk. A run that is there twice, by its start and id, is packed once; no runs are no bytes."""
    unique = sorted({(run.started_ms, run.run_id): run for run in runs}.values())
    if not unique:
        return b""
    by_shape: dict[tuple[int, int], list[bytes]] = {}
    for run in unique:
        by_shape.setdefault((run.shape, run.kind), []).append(run.numbers)
    index = {shape: at for at, shape in enumerate(by_shape)}
    named, ids = _ids([run.run_id for run in unique])
    head = {
        "count": len(unique),
        "first": unique[0].started_ms,
        "ids": named,
        "shapes": [[*shape, len(numbers), len(numbers[0])] for shape, numbers in by_shape.items()],
    }
    gaps = [0, *(run.started_ms - before.started_ms for before, run in pairwise(unique))]
    columns = [_planes(gaps, "Q"), _planes([index[run.shape, run.kind] for run in unique], "H"), ids]
    columns += [_transposed(numbers) for numbers in by_shape.values()]
    text = json.dumps(head, separators=(",", ":")).encode()
    packed = zlib.compress(_LENGTH.pack(len(text)) + text + b"".join(columns), 9)
    return _LENGTH.pack(len(packed)) + packed


def chunks(data: bytes) -> Iterator[bytes]:
    """The chunks that stand one after another."""
    at = 0
    while at < len(data):
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        yield data[at:end]
        at = end


def unpack(chunk: bytes) -> list[Run]:
    """The runs of one chunk, oldest first."""
    if not chunk:
        return []
    data = zlib.decompress(chunk[_LENGTH.size :])
    reader = _Reader(data, _LENGTH.size)
    head = json.loads(reader.take(_LENGTH.unpack_from(data)[0]))
    count = head["count"]
    gaps = reader.planes(count, "Q")
    places = reader.planes(count, "H")
    ids = reader.ids(head["ids"], count)
    rows = [iter(reader.rows(many, size)) for _, _, many, size in head["shapes"]]
    runs, started = [], head["first"]
    for gap, place, run_id in zip(gaps, places, ids, strict=True):
        started += gap
        shape, kind, _, _ = head["shapes"][place]
        runs.append(Run(started, run_id, shape, kind, next(rows[place])))
    return runs


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def planes(self, count: int, code: str) -> Sequence[int]:
        size = array(code).itemsize
        data = self.take(count * size)
        whole = bytearray(count * size)
        for plane in range(size):
            whole[plane::size] = data[plane * count : (plane + 1) * count]
        values = array(code, bytes(whole))
        if sys.byteorder == "big":
            values.byteswap()
        return values

    def ids(self, named: Any, count: int) -> Sequence[str]:
        if not isinstance(named, int):
            return list(named)
        data = self.take(named * count)
        return [data[at : at + named].hex() for at in range(0, named * count, named)]

    def rows(self, count: int, size: int) -> list[bytes]:
        data = self.take(count * size)
        whole = bytearray(count * size)
        for column in range(size):
            whole[column::size] = data[column * count : (column + 1) * count]
        return [bytes(whole[at : at + size]) for at in range(0, count * size, size)]


def _ids(ids: Sequence[str]) -> tuple[int | list[str], bytes]:
    """Our own are hexadecimal: their bytes, and how many each has. Others are written out."""
    width = len(ids[0])
    if width and width % 2 == 0 and all(len(one) == width and _HEX.issuperset(one) for one in ids):
        return width // 2, bytes.fromhex("".join(ids))
    return list(ids), b""


def _planes(numbers: Iterable[int], code: str) -> bytes:
    values = array(code, numbers)
    if sys.byteorder == "big":
        values.byteswap()
    data = values.tobytes()
    return b"".join(data[plane :: values.itemsize] for plane in range(values.itemsize))


def _transposed(rows: Sequence[bytes]) -> bytes:
    size, data = len(rows[0]), b"".join(rows)
    return b"".join(data[column::size] for column in range(size))
