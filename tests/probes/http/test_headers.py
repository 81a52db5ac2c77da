"""Headers are found by name as httpx finds them, whatever they are made of."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http.headers import Headers

names = st.sampled_from([b"Content-Type", b"content-type", b"Set-Cookie", b"X-\xc3\xa9", b"X-\xe9", b""])
values = st.one_of(st.binary(max_size=6), st.sampled_from([b"", b"a, b", "é".encode(), b"\xc3", b"\xa9"]))
raws = st.lists(st.tuples(names, values), max_size=5)


@given(raws, st.sampled_from(["content-type", "SET-COOKIE", "X-É", "x-absent"]))
def test_values_are_those_that_httpx_finds(raw: list[tuple[bytes, bytes]], name: str) -> None:
    ours, its = Headers(raw), httpx.Headers(raw)
    assert dict(ours.items()) == dict(its.items())
    if name.isascii():  # httpx fails for a name that its encoding has no letters for
        assert ours.get(name) == its.get(name)
        assert ours.get_list(name) == its.get_list(name)
        assert (name in ours) == (name in its)


def test_an_absent_header_is_none_and_asking_for_it_by_index_is_an_error() -> None:
    headers = Headers([(b"Location", b"/x")])
    assert headers.get("retry-after") is None and headers["location"] == "/x"
    with pytest.raises(KeyError):
        headers["retry-after"]
