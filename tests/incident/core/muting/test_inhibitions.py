from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from incident.core.alerts import FIRING, RESOLVED, StoredAlert
from incident.core.muting.inhibitions import Inhibitions, InhibitRule
from incident.core.muting.mute import Mute
from probes.alert import fingerprint
from probes.labels import LabelMatcher, parse_matcher
from tests.incident.conftest import START


def matchers(*texts: str) -> tuple[LabelMatcher, ...]:
    return tuple(parse_matcher(text) for text in texts)


def alert(state: str = FIRING, **labels: str) -> StoredAlert:
    identity = fingerprint(labels)
    return StoredAlert(identity, labels, {}, START, START + timedelta(hours=1), START, "test", state)


RULE = InhibitRule(matchers("severity=critical"), matchers("severity=~warning|info"), ("service",))


def inhibitors(stage: Inhibitions, one: StoredAlert) -> tuple[str, ...]:
    mute = stage.mute(one, START)
    return () if mute is None else mute.inhibited_by


def test_a_source_quiets_what_agrees_in_the_equal_labels() -> None:
    cause = alert(severity="critical", service="payment")
    stage = Inhibitions([RULE])
    stage.start([cause])
    assert stage.mute(alert(severity="warning", service="payment"), START) == Mute(inhibited_by=(cause.fingerprint,))
    assert stage.mute(alert(severity="warning", service="login"), START) is None
    assert stage.mute(alert(severity="SEV3", service="payment"), START) is None


def test_a_label_that_both_lack_is_alike() -> None:
    stage = Inhibitions([RULE])
    stage.start([alert(severity="critical")])
    assert inhibitors(stage, alert(severity="warning", other="x"))
    assert not inhibitors(stage, alert(severity="warning", service="payment"))


def test_an_alert_on_both_sides_is_not_inhibited_by_itself_nor_by_its_like() -> None:
    both = InhibitRule(matchers("job=~.+"), matchers("job=~.+"), ("service",))
    first, second = alert(job="a", service="x"), alert(job="b", service="x")
    stage = Inhibitions([both])
    stage.start([first, second])
    assert not inhibitors(stage, first) and not inhibitors(stage, second)


def test_an_alert_on_both_sides_is_inhibited_by_one_of_the_source_side_alone() -> None:
    rule = InhibitRule(matchers("a=1"), matchers("b=1"), ())
    source, both = alert(a="1"), alert(a="1", b="1")
    stage = Inhibitions([rule])
    stage.start([source, both])
    assert inhibitors(stage, both) == (source.fingerprint,)


LABELS = st.fixed_dictionaries(
    {"severity": st.sampled_from(["critical", "warning", "info"]), "service": st.sampled_from("xy")},
    optional={"name": st.sampled_from("abc")},
)
RULES = [RULE, InhibitRule(matchers("name=a"), matchers("name=~.*"), ("severity",))]


@given(st.lists(st.tuples(LABELS, st.booleans()), max_size=20))
def test_what_is_heard_step_by_step_is_what_is_there_in_the_end(steps: list[tuple[dict[str, str], bool]]) -> None:
    """And whoever is concerned by a step is named by it."""
    stage, firing, said = Inhibitions(RULES), {}, {}  # type: ignore[var-annotated]
    stage.start([])
    for labels, fires in steps:
        one = alert(FIRING if fires else RESOLVED, **labels)
        concerned = {*stage.changed(one), one.fingerprint}
        stage.changed(one)  # hearing it twice changes nothing
        if fires:
            firing[one.fingerprint] = one
        else:
            firing.pop(one.fingerprint, None)
        anew = Inhibitions(RULES)
        anew.start(firing.values())
        now = {key: bool(inhibitors(anew, each)) for key, each in firing.items()}
        assert {key for key in now if key in said and now[key] != said[key]} <= concerned
        assert now == {key: bool(inhibitors(stage, replace(each))) for key, each in firing.items()}
        said = now


def test_an_alert_that_names_no_service_is_quieted_as_one_of_its_source_s() -> None:
    cause = alert(severity="critical", service="payment")
    stage = Inhibitions([RULE])
    stage.start([cause])
    assert inhibitors(stage, replace(alert(severity="warning"), of_service="payment")) == (cause.fingerprint,)
    assert not inhibitors(stage, replace(alert(severity="warning", service="login"), of_service="payment"))
