import pytest

from probes.language.calm import Flapping, Where, parse_flapping, parse_where


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3 in 30m", Flapping(3, 1800.0)), ("2 in 1h", Flapping(2, 3600.0)), ("none", None)],
    ids=["minutes", "an hour", "none"],
)
def test_flapping_is_read_as_times_in_a_duration(text: str, expected: Flapping | None) -> None:
    assert parse_flapping(text) == expected


@pytest.mark.parametrize("value", ["1 in 30m", "3 in 0s", "3 in", "often", 3, True, ["3 in 30m"], "3 in thirty"])
def test_what_is_no_flapping_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match=r"such as|at least|duration"):
        parse_flapping(value)


@pytest.mark.parametrize("text", ["2 of 3 locations", "2 of 3", " 2 of 3 locations "])
def test_where_is_read_with_its_word_or_without(text: str) -> None:
    where = parse_where(text)
    assert where == Where(2, 3)
    assert str(where) == "2 of 3"


@pytest.mark.parametrize("value", ["4 of 3", "0 of 3", "two of three", 2, True, "2 of 3 places"])
def test_what_is_no_share_of_locations_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"of M|cannot be"):
        parse_where(value)
