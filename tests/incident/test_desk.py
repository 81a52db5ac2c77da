from datetime import timedelta

import pytest

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.errors import Conflict, NotAllowed, NotFound, PartlyRefused, Refused, StoreUnavailable
from incident.settings import Settings
from probes.alert import Alert
from tests.incident.conftest import ONLY_SQLITE, RESPONDER, START, VIEWER, Clock, firing, over

pytestmark = pytest.mark.anyio


async def kinds(desk: Desk, number: int) -> list[str]:
    return [event.kind for event in await desk.timeline(number)]


async def test_an_alert_opens_an_incident_with_its_runbook_and_a_page(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents(open_only=True)
    assert (incident.number, incident.title, incident.severity, incident.status) == (
        1,
        "payment is down",
        "SEV2",
        "investigating",
    )
    assert incident.runbooks == ("payment-failure",)
    [page] = await desk.deliveries()
    assert (page["channel"], page["kind"], page["state"]) == ("hook", "page", "due")
    assert "shopwatch ack 1" in page["text"]


async def test_an_alert_sent_again_changes_nothing(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    before = await desk.timeline(1)
    clock.forward(seconds=30)
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    assert await desk.timeline(1) == before


async def test_the_last_alert_over_moves_to_monitoring_and_firing_again_moves_back(desk: Desk, clock: Clock) -> None:
    alert = firing("payment")
    await desk.intake([alert], "prober")
    await desk.cycle(clock())
    await desk.perform("update", 1, RESPONDER, {"text": "The provider says no", "status": "identified"})
    await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
    await desk.cycle(clock())
    assert (await desk.incident(1)).status == "monitoring"
    await desk.intake([firing("payment", clock.forward(minutes=1))], "prober")
    await desk.cycle(clock())
    incident = await desk.incident(1)
    assert (incident.status, incident.mitigated_at) == ("identified", None)
    assert len(await desk.incidents()) == 1


async def test_a_resolved_incident_stays_so_while_its_alert_is_sent_again(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    await desk.perform("resolve", 1, RESPONDER, {})
    clock.forward(seconds=30)
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    assert await desk.incidents(open_only=True) == []


async def test_a_new_firing_soon_after_the_resolution_goes_on_in_the_incident_and_much_later_opens_another(
    desk: Desk, clock: Clock
) -> None:
    alert = firing("payment")
    await desk.intake([alert], "prober")
    await desk.cycle(clock())
    for again, wanted in (({"minutes": 1}, 1), ({"hours": 1}, 2)):
        await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
        await desk.cycle(clock())
        await desk.perform("resolve", 1, RESPONDER, {})
        alert = firing("payment", clock.forward(**again))
        await desk.intake([alert], "prober")
        await desk.cycle(clock())
        assert [incident.number for incident in await desk.incidents(open_only=True)] == [wanted]


async def test_a_source_that_goes_silent_is_no_recovery(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    await desk.cycle(clock.forward(minutes=6))
    assert await desk.alerts() == []
    assert (await desk.incident(1)).status == "investigating"
    assert (await kinds(desk, 1))[-1] == "alert_stale"


async def test_it_resolves_by_itself_after_the_time_that_the_workspace_says(database_url: str, clock: Clock) -> None:
    from tests.incident.conftest import SHOP

    settings = Settings.model_validate({**SHOP, "incidents": {"auto_resolve": "30m"}})
    desk = Desk(database_url, settings, clock)
    await desk.start()
    try:
        alert = firing("payment")
        await desk.intake([alert], "prober")
        await desk.cycle(clock())
        await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
        due = await desk.cycle(clock())
        assert due == clock() + timedelta(minutes=30)
        await desk.cycle(clock.forward(minutes=29))
        assert (await desk.incident(1)).open
        await desk.cycle(clock.forward(minutes=1))
        assert (await desk.incident(1)).resolved_by == "shopwatch"
    finally:
        await desk.close()


async def test_a_second_acknowledgement_is_fine_and_says_who_was_first(desk: Desk, clock: Clock) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "Odd prices", "service": "catalog"})
    await desk.perform("ack", 1, RESPONDER)
    await desk.perform("ack", 1, RESPONDER)
    after = await desk.perform("ack", 1, Actor("noor", Role.RESPONDER))
    assert after.acknowledged_by == "mara"
    assert [event.text for event in await desk.timeline(1) if event.kind == "acknowledged"] == [
        "Acknowledged by mara",
        "Acknowledged by noor too; mara was first",
    ]


async def test_a_viewer_and_a_source_may_not_act(desk: Desk) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
    with pytest.raises(NotAllowed, match="guest is a viewer: to ack takes the role responder"):
        await desk.perform("ack", 1, VIEWER)
    with pytest.raises(NotAllowed, match="is a source"):
        await desk.perform("ack", 1, Actor("prometheus", Role.ADMIN, Kind.SOURCE))


async def test_what_makes_no_sense_is_refused_with_the_cure(desk: Desk) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
    with pytest.raises(NotFound, match="no incident #7"):
        await desk.perform("ack", 7, RESPONDER)
    with pytest.raises(Refused, match="severity should be one of SEV1, SEV2, SEV3, SEV4"):
        await desk.perform("sev", 1, RESPONDER, {"severity": "urgent"})
    with pytest.raises(Refused, match="knows no 'txt'"):
        await desk.perform("note", 1, RESPONDER, {"txt": "hello"})
    with pytest.raises(Conflict, match="has changed meanwhile"):
        await desk.perform("note", 1, RESPONDER, {"text": "hello", "expect_seq": 9})


async def test_alerts_without_identity_are_refused_and_the_rest_is_kept(desk: Desk, clock: Clock) -> None:
    nobody = Alert({"service": ""}, START, START + timedelta(minutes=5))
    with pytest.raises(PartlyRefused):
        await desk.intake([nobody, firing("payment")], "prober")
    assert [alert.service for alert in await desk.alerts()] == ["payment"]


async def test_a_drill_marks_its_incident_and_leaves_real_ones_alone(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("login")], "prober")
    await desk.cycle(clock())
    number = await desk.open_drill(
        "payment-declines", "practice", ["payment"], clock() + timedelta(minutes=10), RESPONDER
    )
    await desk.intake([firing("payment"), firing("checkout")], "prober")
    await desk.cycle(clock())
    real, drill = await desk.incident(1), await desk.incident(2)
    assert (real.drill, drill.drill, drill.title) == (None, "payment-declines", "[DRILL] payment is down")
    assert real.services == ("login", "checkout")
    with pytest.raises(Refused, match="is running on practice"):
        await desk.open_drill("other", "practice", None, clock() + timedelta(minutes=10), RESPONDER)
    await desk.close_drill(number, {"passed": True})
    assert (await desk.drills())[0]["scorecard"] == {"passed": True}


async def test_results_are_kept_once_and_the_newest_is_shown(desk: Desk) -> None:
    def result(run: str, outcome: str, second: int) -> dict[str, object]:
        at = (START + timedelta(seconds=second)).isoformat()
        return {
            "journey": "login",
            "run_id": run,
            "service": "login",
            "outcome": outcome,
            "started_at": at,
            "duration_s": 0.1,
        }

    await desk.results([result("a", "up", 0), result("b", "up", 5)])
    await desk.results([result("b", "up", 5), result("d", "down", 15), result("c", "up", 10)])
    [last] = await desk.journeys()
    assert (last["run_id"], last["since"]) == ("d", (START + timedelta(seconds=15)).isoformat())
    assert [run["run_id"] for run in (await desk.history.runs("login")).runs] == ["d", "c", "b", "a"]
    with pytest.raises(PartlyRefused, match="bad outcome"):
        await desk.results([result("e", "great", 20)])


async def test_a_token_opens_the_door_until_it_is_revoked(desk: Desk) -> None:
    secret = await desk.create_token("mara", "responder")
    assert await desk.authenticate(secret) == Actor("mara", Role.RESPONDER)
    assert await desk.authenticate("sw_guess") is None
    with pytest.raises(Refused, match="already"):
        await desk.create_token("mara", "viewer")
    await desk.revoke_token("mara")
    assert await desk.authenticate(secret) is None
    assert secret not in str(await desk.tokens())


@ONLY_SQLITE
async def test_two_processes_cannot_share_one_file(desk: Desk, settings: Settings) -> None:
    second = Desk(str(desk.database.url), settings)
    with pytest.raises(StoreUnavailable, match="another Shopwatch is running"):
        await second.start()


async def test_everything_is_there_after_a_restart(desk: Desk, settings: Settings, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    before = await desk.incident(1)
    await desk.close()
    again = Desk(str(desk.database.url), settings, clock)
    await again.start()
    assert await again.incident(1) == before
    await again.close()


async def test_a_silence_that_was_ours_makes_no_alert_stale_until_it_could_be_sent_again(
    desk: Desk, settings: Settings, clock: Clock
) -> None:
    alert = firing("payment")
    await desk.intake([alert], "prometheus")
    await desk.cycle(clock())
    await desk.close()
    clock.forward(minutes=30)
    again = Desk(str(desk.database.url), settings, clock)
    await again.start()
    await again.cycle(clock())
    assert "alert_stale" not in [event.kind for event in await again.timeline(1)]
    await again.cycle(clock.forward(minutes=3))
    assert [event.kind for event in await again.timeline(1)][-1] == "alert_stale"
    await again.close()


async def test_the_figures_tell_what_is_open_and_what_waits(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    clock.forward(seconds=20)
    await desk.perform("ack", 1, RESPONDER)
    found = await desk.metrics()
    assert found.incidents == {("SEV2", "investigating"): 1}
    assert found.alerts["firing"] == 1
    assert found.oldest_due_s == 20
    assert found.times["acknowledge"].count == 1
    assert found.times["acknowledge"].total == 20


async def test_runs_are_kept_as_long_as_the_workspace_says(desk: Desk, clock: Clock) -> None:
    def result(run: str, days: int) -> dict[str, object]:
        at = (START - timedelta(days=days)).isoformat()
        return {"journey": "j", "run_id": run, "service": "login", "outcome": "up", "started_at": at, "duration_s": 0.1}

    await desk.results([result("old", 15), result("new", 13)])
    await desk.cycle(clock())
    assert [run["run_id"] for run in (await desk.history.runs("j")).runs] == ["new"]
