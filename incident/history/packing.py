"""The runs of one journey at one place, as few bytes as they need: column by column, then zlib.

A chunk is two lengths, the compressed columns, and the ids, which are random and would only spoil what is compressed.
Chunks stand one after another. All numbers are little-endian, and split into their low and high bytes, since the high
ones hardly differ.
"""

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

_LENGTH, _LENGTHS = struct.Struct("<I"), struct.Struct("<II")
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
    columns = [_planes(gaps, "Q"), _planes([index[run.shape, run.kind] for run in unique], "H")]
    columns += [_columns(numbers) for numbers in by_shape.values()]
    text = json.dumps(head, separators=(",", ":")).encode()
    packed = zlib.compress(_LENGTH.pack(len(text)) + text + b"".join(columns), 9)
    return _LENGTHS.pack(len(packed), len(ids)) + packed + ids


def chunks(data: bytes) -> Iterator[bytes]:
    """The chunks that stand one after another."""
    at = 0
    while at < len(data):
        end = at + _LENGTHS.size + sum(_LENGTHS.unpack_from(data, at))
        yield data[at:end]
        at = end


def unpack(chunk: bytes) -> list[Run]:
    """The runs of one chunk, oldest first."""
    if not chunk:
        return []
    size, _ = _LENGTHS.unpack_from(chunk)
    columns, rest = chunk[_LENGTHS.size : _LENGTHS.size + size], chunk[_LENGTHS.size + size :]
    data = zlib.decompress(columns)
    reader = _Reader(data, _LENGTH.size)
    head = json.loads(reader.take(_LENGTH.unpack_from(data)[0]))
    count = head["count"]
    gaps = reader.planes(count, "Q")
    places = reader.planes(count, "H")
    ids = _read_ids(head["ids"], rest)
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

    def rows(self, count: int, size: int) -> list[bytes]:
        """Of `size` bytes each: what `_columns` wrote."""
        width = size // 2
        lowest = self.planes(width, "H")
        rest = self.planes(count * width, "H")
        whole = array("H", bytes(count * size))
        for column, low in enumerate(lowest):
            whole[column::width] = array("H", [low + more for more in rest[column * count : (column + 1) * count]])
        data = numbers_of(whole)
        return [data[at : at + size] for at in range(0, count * size, size)]


def _ids(ids: Sequence[str]) -> tuple[int | list[str], bytes]:
    """Our own are hexadecimal: their bytes, and how many each has. Others are written out."""
    width = len(ids[0])
    if width and width % 2 == 0 and all(len(one) == width and _HEX.issuperset(one) for one in ids):
        return width // 2, bytes.fromhex("".join(ids))
    return list(ids), b""


def _read_ids(named: int | list[str], data: bytes) -> Sequence[str]:
    if not isinstance(named, int):
        return named
    return [data[at : at + named].hex() for at in range(0, len(data), named)]


def _planes(numbers: Iterable[int], code: str) -> bytes:
    values = array(code, numbers)
    if sys.byteorder == "big":
        values.byteswap()
    data = values.tobytes()
    return b"".join(data[plane :: values.itemsize] for plane in range(values.itemsize))


def _columns(rows: Sequence[bytes]) -> bytes:
    """Column by column: the lowest number of each, then by how much the others exceed it, which is alike in all."""
    width = len(rows[0]) // 2
    values = _swapped(array("H", b"".join(rows)))
    columns = [values[column::width] for column in range(width)]
    lowest = [min(column) for column in columns]
    rest = [value - low for column, low in zip(columns, lowest, strict=True) for value in column]
    return _planes(lowest, "H") + _planes(rest, "H")
