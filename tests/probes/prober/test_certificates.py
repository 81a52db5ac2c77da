"""A certificate that ends soon is said in good time, once, and apart from whether the journey works."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from probes.language.journey import AlertRule, CertificateAlert
from probes.prober.memory import Remembered
from probes.prober.rules import JourneyState, due, judge
from probes.result import Certificate, Reason
from tests.probes.prober.test_rules import RESEND, START, result

RULE = AlertRule()
DAY = timedelta(days=1)


class Days:
    """A run a day; remembers what was said, as (day, alertname, "fires" | "ends")."""

    def __init__(self, rule: AlertRule = RULE) -> None:
        self.rule, self.state, self.now, self.day = rule, JourneyState(), START, 0
        self.said: list[tuple[int, str, str]] = []

    def run(self, *ends: float | None, letter: str = "u", reason: Reason | None = None) -> "Days":
        """`ends`: in how many days the certificate does that each run sees; None: it sees none."""
        for days in ends:
            self.day, self.now = self.day + 1, self.now + DAY
            seen = result(letter, self.now)
            if reason is not None and seen.failed is not None:
                seen.failed.reason = reason
            if days is not None:
                seen.certificate = Certificate("shop.example:443", self.now + days * DAY)
            self.state, self.alerts, _ = judge(self.rule, self.state, seen, self.now, resend=RESEND)
            for alert in self.alerts:
                self.said.append((self.day, alert.labels["alertname"], "fires" if alert.ends_at > self.now else "ends"))
        return self


def test_it_is_raised_at_once_and_the_journey_stays_up() -> None:
    days = Days().run(16, 15, 14)
    assert days.said == [(3, "JourneyCertificate", "fires")]
    (alert,) = days.alerts
    assert alert.labels == {
        "alertname": "JourneyCertificate", "journey": "checkout", "service": "checkout", "severity": "SEV3",
        "location": "local",
    }  # fmt: skip
    assert alert.annotations["host"] == "shop.example:443"
    assert alert.annotations["seen"] == "it ends on 2026-03-18 12:00 UTC, in 14 days"
    assert (days.state.down, days.state.degraded) == (None, None)


def test_it_stays_one_alert_however_many_runs_see_it() -> None:
    assert len(Days().run(*range(14, 0, -1)).said) == 1


def test_it_ends_once_enough_runs_have_seen_a_new_one() -> None:
    assert Days().run(10, 9, 365, 364).said == [(1, "JourneyCertificate", "fires"), (4, "JourneyCertificate", "ends")]


def test_one_machine_with_the_old_certificate_is_no_renewal() -> None:
    assert Days().run(10, 365, 8, 365, 6, 365).said == [(1, "JourneyCertificate", "fires")]


def test_runs_that_see_no_certificate_change_nothing() -> None:
    assert Days().run(10, None, None, None).said == [(1, "JourneyCertificate", "fires")]


def test_once_it_is_over_the_journey_is_down_and_the_warning_stays() -> None:
    days = Days().run(1).run(None, None, letter="D", reason=Reason.TLS)
    assert days.said == [(1, "JourneyCertificate", "fires"), (3, "JourneyDown", "fires")]


def test_a_tls_step_that_expected_more_is_one_alert_and_not_two() -> None:
    days = Days().run(5, 5, letter="D", reason=Reason.TLS)
    assert [name for _, name, _ in days.said] == ["JourneyDown"]


def test_another_failure_does_not_hide_the_certificate() -> None:
    days = Days().run(5, 5, letter="D")
    assert sorted(name for _, name, _ in days.said) == ["JourneyCertificate", "JourneyDown"]


@pytest.mark.parametrize("rule", [{"certificate": "none"}, {"certificate": {"within": "3d"}}], ids=["none", "sooner"])
def test_it_can_be_turned_off_or_set_to_another_time(rule: dict[str, object]) -> None:
    assert Days(AlertRule.model_validate(rule)).run(10, 5).said == []


def test_its_severity_can_be_chosen() -> None:
    days = Days(AlertRule(certificate=CertificateAlert.model_validate({"within": "30d", "severity": "SEV4"}))).run(20)
    assert days.alerts[0].labels["severity"] == "SEV4"


def test_turned_off_while_it_fires_it_ends() -> None:
    days = Days().run(10)
    days.rule = AlertRule(certificate=None)
    assert days.run(9).said[1:] == [(2, "JourneyCertificate", "ends")]


def test_it_is_said_again_and_outlives_a_restart() -> None:
    days = Days().run(10, 365)
    written = "".join(Remembered({"checkout": days.state}, {}).text())
    read = Remembered.from_json(json.loads(written)).states["checkout"]
    assert read.certificate is not None
    assert days.state.certificate is not None
    assert read.certificate == replace(days.state.certificate, sent_at=None)
    _, again = due(read, days.now, resend=RESEND)
    assert [alert.labels["alertname"] for alert in again] == ["JourneyCertificate"]


def test_an_instant_in_the_result_is_readable() -> None:
    at = datetime.fromisoformat("2026-05-01T10:00:00+00:00")
    assert replace(result("u", START), certificate=Certificate("a:1", at)).to_json()["certificate"] == {
        "host": "a:1",
        "expires_at": "2026-05-01T10:00:00+00:00",
    }
