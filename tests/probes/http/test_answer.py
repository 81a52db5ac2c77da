"""An answer, fed by hand: whatever comes, and however it is cut up, it ends the same way and never raises."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from probes.http.answer import Answer
from probes.http.exchange import Exchange
from tests.probes.http.servers import ok

WELL_FORMED = [
    ok(b"hello", b"Content-Type: text/plain"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nnothing here",
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
]

damaged = st.builds(
    lambda answer, at, cut, junk: answer[: at % len(answer)] + junk + answer[at % len(answer) + cut :],
    st.sampled_from(WELL_FORMED),
    st.integers(0, 200),
    st.integers(0, 12),
    st.binary(max_size=12) | st.sampled_from([b"\r\n", b"\0", b"-", b"Content-Length: 9\r\n", b"\r\n\r\n", b": "]),
)


def outcome(pieces: list[bytes]) -> tuple[object, ...]:
    answer = Answer("GET", Exchange(deadline=0), 1000)
    for piece in pieces:
        if not answer.received(piece):
            break
    else:
        answer.ended(None)
    assert answer.complete or answer.error is not None
    reason = answer.error and answer.error.reason
    return answer.head_complete, answer.complete, reason, bytes(answer.body) if reason is None else b""


@given(damaged, st.lists(st.integers(1, 200), max_size=6))
@settings(max_examples=500, deadline=None)
def test_however_an_answer_is_damaged_and_cut_up_it_ends_the_same_way(answer: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(borders) if start < end]
    assert outcome(pieces) == outcome([answer] if answer else [])


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_at_all_make_an_answer_raise(noise: bytes) -> None:
    outcome([noise])
    outcome([b"HTTP/1.1 200 OK\r\n" + noise])
    outcome([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + noise])
