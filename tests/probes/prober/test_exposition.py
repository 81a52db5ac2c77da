import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from probes.prober.exposition import exposition
from probes.result import Outcome, Reason, Result, Step

AT = datetime(2026, 3, 1, tzinfo=UTC)
PAGE = Step(
    "page", "login", Outcome.UP, status=200, phases={"resolve": 0.01, "connect": 0.02, "processing": 0.1},
    duration_s=0.13, url="https://shop.example/",
)  # fmt: skip


def result(*steps: Step, outcome: Outcome = Outcome.UP) -> dict[str, Any]:
    return Result("login", "login", "r1", outcome, AT, 0.5, list(steps)).to_json()


def samples(data: dict[str, Any]) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(exposition(data).decode())
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def test_a_good_run_succeeds_with_its_phases_and_its_last_status() -> None:
    found = samples(result(PAGE, Step("buy", "login", Outcome.UP, status=201, phases={"processing": 0.2})))
    assert found["probe_success",] == 1
    assert found["probe_duration_seconds",] == 0.5
    assert found["probe_http_status_code",] == 201
    assert found["probe_http_duration_seconds", "processing"] == pytest.approx(0.3)
    assert found["probe_dns_lookup_time_seconds",] == 0.01
    assert found["probe_http_ssl",] == 1


def test_a_phase_that_was_not_reached_is_not_there() -> None:
    down = Step("page", "login", Outcome.DOWN, Reason.CONNECT, phases={"resolve": 0.01})
    found = samples(result(down, outcome=Outcome.DOWN))
    assert found["probe_success",] == 0
    assert [key[1] for key in found if key[0] == "probe_http_duration_seconds"] == ["resolve"]
    assert ("probe_http_status_code",) not in found
    assert found["shopwatch_run_failure", "connect", "page"] == 1


def test_slow_is_a_success_that_says_so() -> None:
    slow = Step("page", "login", Outcome.DEGRADED, Reason.LATENCY)
    found = samples(result(slow, outcome=Outcome.DEGRADED))
    assert (found["probe_success",], found["shopwatch_run_degraded",]) == (1, 1)


def test_skipped_steps_are_left_out_and_attempts_are_told() -> None:
    found = samples(
        result(PAGE, Step("never", "login", Outcome.SKIPPED), Step("again", "login", Outcome.UP, attempts=3))
    )
    assert found["shopwatch_run_step_attempts", "again"] == 3
    assert ("shopwatch_run_step_attempts", "never") not in found


def test_the_first_certificate_to_expire_is_told() -> None:
    data = {**result(PAGE), "certificate": {"host": "shop.example:443", "expires_at": "2026-04-01T00:00:00+00:00"}}
    assert samples(data)["probe_ssl_earliest_cert_expiry",] == datetime(2026, 4, 1, tzinfo=UTC).timestamp()


@pytest.mark.needs("prometheus")
def test_promtool_finds_nothing_to_say() -> None:
    data = {**result(PAGE), "certificate": {"host": "shop.example:443", "expires_at": "2026-04-01T00:00:00+00:00"}}
    told = subprocess.run(["promtool", "check", "metrics"], input=exposition(data), capture_output=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, b"")
