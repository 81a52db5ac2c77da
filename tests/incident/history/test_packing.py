from hypothesis import given
from hypothesis import strategies as st

from incident.history.packing import Run, chunks, pack, unpack

IDS = st.one_of(st.text(max_size=20), st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}"))


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    sizes = draw(st.dictionaries(st.integers(1, 2**31 - 1), st.integers(1, 20), min_size=1, max_size=3))
    one = st.sampled_from(sorted(sizes)).flatmap(
        lambda shape: st.builds(
            Run,
            st.integers(0, 2**45),
            IDS,
            st.just(shape),
            st.integers(-1, 3),
            st.binary(min_size=2 * sizes[shape], max_size=2 * sizes[shape]),
        )
    )
    return draw(st.lists(one, max_size=20, unique_by=lambda run: (run.started_ms, run.run_id)))


@given(runs())
def test_what_was_packed_comes_out_as_it_was_and_in_order(found: list[Run]) -> None:
    assert unpack(pack(found)) == sorted(found)


@given(st.lists(runs(), max_size=4))
def test_chunks_that_stand_one_after_another_are_told_apart(hours: list[list[Run]]) -> None:
    packed = [pack(found) for found in hours]
    assert list(chunks(b"".join(packed))) == [chunk for chunk in packed if chunk]


def test_a_run_that_is_there_twice_is_packed_once() -> None:
    run = Run(1000, "ab", 1, 0, b"\x01\x00")
    assert unpack(pack([run, run])) == [run]


def test_no_runs_are_no_bytes() -> None:
    assert pack([]) == b""
    assert unpack(b"") == []
