import pytest

from incident.history.burn import FLOOR, RULES, WINDOWS, Budget, Count, Rule, burns, pages, worst

FAST, SLOW, LASTING = RULES
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def steady(every: float, failing: float) -> dict[float, Count]:
    """A run every so many seconds, of which so large a part fails, for as long as anybody looks."""
    return {window: Count(round(window / every), round(window / every * failing)) for window in WINDOWS}


def lately(every: float, failing: float, minutes: float) -> dict[float, Count]:
    """As `steady`, but failing for the last minutes only."""
    bad = minutes * MINUTE
    return {window: Count(round(window / every), round(min(window, bad) / every * failing)) for window in WINDOWS}


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        pytest.param(steady(30, 0), None, id="nothing-fails"),
        pytest.param(steady(30, 1), FAST, id="everything-fails"),
        pytest.param(lately(30, 1, 5), FAST, id="all-down-for-five-minutes"),
        pytest.param(lately(30, 1, 2), None, id="all-down-for-two-minutes-which-JourneyDown-says"),
        pytest.param(steady(1, 0.0142), SLOW, id="hardly-less-than-fast"),
        pytest.param(steady(1, 0.024), FAST, id="two-percent-of-many"),
        pytest.param(steady(30, 0.0065), LASTING, id="one-a-short-window-is-not-going-on"),
        pytest.param(steady(30, 0.05), SLOW, id="one-of-twenty"),
        pytest.param(steady(30, 0.004), LASTING, id="four-of-a-thousand"),
        pytest.param(steady(30, 0.0009), None, id="less-than-promised"),
        pytest.param(lately(300, 1, 35), SLOW, id="sparse-and-down-for-half-an-hour"),
    ],
)
def test_the_fastest_rule_that_holds_is_the_one(counts: dict[float, Count], rule: object) -> None:
    assert worst(0.999, counts) == rule


@pytest.mark.parametrize("every", [30, 60, 300, 3600])
@pytest.mark.parametrize("failures", [1, 2, 5])
def test_a_few_failures_never_page_however_few_the_runs_are(every: float, failures: int) -> None:
    counts = {window: Count(max(failures, round(window / every)), failures) for window in WINDOWS}
    assert worst(0.999, counts) is None


@pytest.mark.parametrize("every", [1, 5, 30, 60])
def test_one_failed_run_a_minute_never_pages(every: float) -> None:
    counts = {window: Count(round(window / every), round(window / MINUTE)) for window in WINDOWS}
    assert not burns(FAST, 0.999, counts)


@pytest.mark.parametrize("offset", [0.0, 1.0, 59.0])
def test_nor_when_it_is_any_run_of_each_minute_of_the_clock(offset: float) -> None:
    """The last of the first minute, the first of the last: six in little more than four minutes."""
    failed = [59.0, 60.0, 120.0, 180.0, 240.0, 300.0]
    counts = dict.fromkeys(WINDOWS, Count(60, sum(offset <= at <= offset + 300 for at in failed)))
    assert not burns(FAST, 0.999, counts)


@pytest.mark.parametrize("rule", [SLOW, LASTING], ids=lambda rule: rule.name)
def test_a_slower_rule_pages_only_as_bad_as_what_pages_and_beyond_one_failed_run_a_minute(rule: Rule) -> None:
    minutes = rule.short / MINUTE
    for failures, expected in ((minutes + 1, False), (FLOOR * minutes / 5, True)):
        counts = dict.fromkeys(WINDOWS, Count(10**6, int(failures)))
        told = {severity: pages(rule, severity, counts) for severity in ("SEV1", "SEV2", "SEV3", "SEV4")}
        assert told == {"SEV1": expected, "SEV2": expected, "SEV3": False, "SEV4": False}


def test_what_is_over_does_not_burn_any_more() -> None:
    counts = steady(30, 1)
    counts[5 * MINUTE] = Count(10, 0)
    assert worst(0.999, counts) == SLOW
    counts[30 * MINUTE] = Count(60, 0)
    counts[6 * HOUR] = Count(720, 600)
    assert worst(0.999, counts) == LASTING


def test_the_budget_is_what_the_objective_allows_less_what_failed() -> None:
    assert Budget("checkout", "checkout", 0.999, Count(100_000, 25)).remaining == pytest.approx(0.75)
    assert Budget("checkout", "checkout", 0.999, Count(1000, 3)).remaining == pytest.approx(-2)
    assert Budget("checkout", "checkout", 0.999, Count()).remaining == 1
