import pytest

from incident.web.matcher_text import read_matcher
from probes.labels import BadMatcher


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a=b", ("a", "b", False, True)),
        (' a != "b c" ', ("a", "b c", False, False)),
        ('a=~"b|c"', ("a", "b|c", True, True)),
        ("a!~b", ("a", "b", True, False)),
        ("a=", ("a", "", False, True)),
        ('a=""', ("a", "", False, True)),
        (r'a="\n\"\\\d"', ("a", '\n"\\\\d', False, True)),
        ("a=b c", ("a", "b c", False, True)),
        ("a=\\", ("a", "\\", False, True)),
        ("a:b=c=d", ("a:b", "c=d", False, True)),
        ('foo.bar="x"', ("foo.bar", "x", False, True)),
        ('"foo bar"=~"x.*"', ("foo bar", "x.*", True, True)),
        ("服务=支付", ("服务", "支付", False, True)),
        (r'"a\u0021"=b', ("a!", "b", False, True)),
    ],
)
def test_a_matcher_is_read_in_the_classic_notation_or_that_for_utf_8(
    text: str, read: tuple[str, str, bool, bool]
) -> None:
    found = read_matcher(text)
    assert (found.name, found.value, found.is_regex, found.is_equal) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "=b",
        "{a=b}",
        "{a=b",
        "a=b}",
        'a="b',
        'a=b"',
        'a="b"c"',
        "a=~(",
        "foo.bar=",
        '"a=b',
        "a b=c",
        "x" * 30_000,
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(BadMatcher):
        read_matcher(text)
