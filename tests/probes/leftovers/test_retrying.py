"""What a run left in the shop is undone later, from what the ledger holds, against a shop on a real socket."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.prober.standing import Said
from probes.prober.tidying import Tidying
from probes.running.context import RunContext
from probes.running.ledger import Entry
from probes.running.leftovers import SETTLING
from probes.running.retrying import undo
from probes.running.runner import run_journey
from tests.probes.receiver import settle
from tests.probes.shop import Reply, Request, Shop, as_json
from tests.probes.walks import states

# runs of two seconds, and their cleanups
pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]

ORDER = {"name": "order", "post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"}
CANCEL = {"post": "/orders/{{ order }}/cancel", "headers": {"X-Who": "{{ account.user }} {{ run_id }}"}}
ACCOUNTS = [{"user": "a@x", "password": "p"}, {"user": "b@x", "password": "p"}]


def later(context: RunContext, by: timedelta) -> None:
    """The context's clock goes on at once."""
    now = context.now
    context.now = lambda: now() + by


def checkout(shop: Shop, **keys: Any) -> Journey:
    shop.pages.setdefault("POST /orders", lambda _: as_json({"id": 7}))
    return shop.journey(ORDER, **{"cleanup": [CANCEL], "accounts": ACCOUNTS, "timeout": "2s"} | keys)


async def left_over(shop: Shop, context: RunContext, **keys: Any) -> tuple[Journey, Entry]:
    """A checkout whose cleanup failed."""
    journey = checkout(shop, **keys)
    await run_journey(journey, context)
    (entry,) = context.ledger.leftovers()
    return journey, entry


def tidying(context: RunContext, said: list[Said | None], *journeys: Journey, limit: int = 20) -> Tidying:
    return Tidying(lambda: context, lambda: {j.name: j for j in journeys}, limit, lambda _, what: said.append(what))


async def look_until_quiet(tidy: Tidying) -> None:
    await tidy.look()
    while tidy.busy:
        await asyncio.sleep(0.01)
    await tidy.look()


async def test_what_cleanup_could_not_undo_is_tried_again_with_its_account_its_id_and_its_values(
    shop: Shop, context: RunContext
) -> None:
    journey, entry = await left_over(shop, context)
    assert (entry.state, entry.attempts) == ("failed", 1)
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    assert await undo(entry.run_id, {"j": journey}, context)
    assert context.ledger.leftovers() == []
    assert shop.requests[-1].headers["x-who"] == f"a@x {entry.run_id}"
    assert list((context.state / "claims").iterdir()) == []


async def test_each_attempt_that_fails_makes_the_next_one_later(shop: Shop, context: RunContext) -> None:
    journey, first = await left_over(shop, context)
    await undo(first.run_id, {"j": journey}, context)
    (second,) = context.ledger.leftovers()
    assert second.attempts == 2
    assert first.next_attempt is not None and second.next_attempt is not None
    assert second.next_attempt - datetime.fromisoformat(second.at) == timedelta(seconds=20)
    assert second.detail is not None and "status" in second.detail


async def test_a_shop_that_asks_for_patience_is_left_alone(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("busy", 429, [("Retry-After", "900")])
    _, entry = await left_over(shop, context)
    assert [request.path for request in shop.requests].count("/orders/7/cancel") == 1
    assert entry.next_attempt is not None
    assert entry.next_attempt - datetime.fromisoformat(entry.at) == timedelta(seconds=900)


async def test_cleanup_waits_as_long_as_the_shop_asks_where_there_is_time_for_it(
    shop: Shop, context: RunContext
) -> None:
    answers = [Reply("busy", 503, [("Retry-After", "1")]), Reply("done")]
    shop.pages["POST /orders/7/cancel"] = lambda _: answers.pop(0)
    result = await run_journey(checkout(shop, timeout="60s"), context)
    assert result.cleanup[0].attempts == 2
    assert result.cleanup[0].outcome == "up"
    assert states(context)[-1] == "undone"


async def test_an_order_whose_account_is_in_use_waits_for_it(
    shop: Shop, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.running.retrying.PATIENCE_S", 0.05)
    journey, entry = await left_over(shop, context)
    lease = context.accounts.try_lease(["a@x"])
    assert lease is not None
    assert not await undo(entry.run_id, {"j": journey}, context)
    lease.release()
    assert context.ledger.leftovers() == [entry]


async def test_two_never_clean_up_after_the_same_run(shop: Shop, context: RunContext) -> None:
    asked = 0

    async def cancel(_: Request) -> Reply:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.2)
        return Reply("done")

    journey, entry = await left_over(shop, context)
    shop.pages["POST /orders/7/cancel"] = cancel
    other = RunContext(context.state, Environment({}))  # as another process would have it
    turns = await asyncio.gather(*(undo(entry.run_id, {"j": journey}, each) for each in (context, other)))
    await other.aclose()
    assert sorted(turns) == [False, True]
    assert asked == 1


async def test_nobody_cleans_up_after_a_run_that_goes_on(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    shop.pages["/slow"] = lambda _: asyncio.sleep(60)
    journey = shop.journey(ORDER | {"post": "/orders"}, {"get": "/slow"}, cleanup=[CANCEL], accounts=ACCOUNTS)
    shop.pages["POST /orders"] = lambda _: as_json({"id": 7})
    task = asyncio.create_task(run_journey(journey, context))
    while len(shop.requests) < 2:
        await asyncio.sleep(0.01)
    said: list[Said | None] = []
    tidy = tidying(context, said, journey, limit=0)
    await look_until_quiet(tidy)
    (entry,) = context.ledger.leftovers()
    assert not await undo(entry.run_id, {"j": journey}, context)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert entry.attempts == 0 and said == []
    await look_until_quiet(tidy)
    assert context.ledger.leftovers() == []


async def test_a_journey_that_is_gone_or_changed_is_said_and_its_order_kept(shop: Shop, context: RunContext) -> None:
    _, entry = await left_over(shop, context)
    requests = len(shop.requests)
    later(context, timedelta(hours=2))
    changed = checkout(shop, cleanup=[])
    for journeys in ([], [changed]):
        await look_until_quiet(tidying(context, [], *journeys))
    assert context.ledger.leftovers() == [entry]
    assert len(shop.requests) == requests
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    await look_until_quiet(tidying(context, [], checkout(shop)))
    assert context.ledger.leftovers() == []


async def test_cleaning_up_leaves_an_account_for_the_runs_that_go_on(shop: Shop, context: RunContext) -> None:
    journey, _ = await left_over(shop, context)
    for _ in range(3):
        await run_journey(journey, context)
    assert len(context.ledger.leftovers()) == 4
    shop.pages["POST /orders/7/cancel"] = lambda _: asyncio.sleep(60)
    later(context, timedelta(hours=2))
    tidy = tidying(context, [], journey)
    await tidy.look()
    await settle()
    lease = context.accounts.try_lease([account["user"] for account in ACCOUNTS])
    assert tidy.busy and lease is not None
    lease.release()
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    async with asyncio.timeout(60):
        while context.ledger.leftovers():
            await look_until_quiet(tidy)


async def test_what_may_have_been_made_is_looked_for_twice(shop: Shop, context: RunContext) -> None:
    journey = shop.journey(
        {"name": "order", "post": "/orders", "creates": "{{ run_id }}", "timeout": "300ms"},
        cleanup=[{"delete": "/orders/{{ run_id }}"}],
    )
    shop.pages["POST /orders"] = lambda _: asyncio.sleep(60)
    result = await run_journey(journey, context)
    shop.pages[f"DELETE /orders/{result.run_id}"] = lambda _: Reply("gone")
    tidy = tidying(context, [], journey)
    await look_until_quiet(tidy)
    assert [entry.state for entry in context.ledger.leftovers()] == ["unknown"]
    later(context, 2 * SETTLING)
    await look_until_quiet(tidy)
    assert context.ledger.leftovers() == []


async def test_more_than_the_limit_is_an_alert_until_they_are_fewer(shop: Shop, context: RunContext) -> None:
    said: list[Said | None] = []
    journey, _ = await left_over(shop, context)
    tidy = tidying(context, said, journey, limit=1)
    await look_until_quiet(tidy)
    assert said == [] and tidy.counts("j") == {"failed": 1} and tidy.counts("other") is None
    await run_journey(journey, context)
    await look_until_quiet(tidy)
    assert said[0] is not None
    assert said[0].labels["alertname"] == "ProbeLeftovers"
    assert "2 things" in said[0].annotations["summary"] and said[0].annotations["journeys"] == "j: 2"
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    later(context, timedelta(hours=2))
    for _ in range(2):  # one after the other: the journey's two accounts are never both taken
        await look_until_quiet(tidy)
    assert said[-1] is None and tidy.counts("j") == {}


async def test_vars_that_differ_from_run_to_run_are_kept_for_the_cleanup(shop: Shop, context: RunContext) -> None:
    journey = shop.journey(
        {"name": "order", "post": "/orders?ref={{ ref }}", "creates": "{{ ref }}"},
        vars={"ref": "{{ uuid() }}", "fixed": "x"},
        cleanup=[{"delete": "/orders/{{ vars.ref }}-{{ fixed }}"}],
    )
    shop.pages["POST /orders"] = lambda _: Reply("made")
    await run_journey(journey, context)
    (entry,) = context.ledger.leftovers()
    assert entry.saved == {"ref": entry.value}
    shop.pages[f"DELETE /orders/{entry.value}-x"] = lambda _: Reply("gone")
    await undo(entry.run_id, {"j": journey}, context)
    assert context.ledger.leftovers() == []


async def test_secrets_stay_out_of_the_ledger_and_cleanup_has_them_all_the_same(
    shop: Shop, context: RunContext
) -> None:
    where = "/orders/7?key=k3y-of-the-guest-4711"
    shop.pages["POST /orders"] = lambda _: Reply("", 303, [("Location", where)])
    journey = shop.journey(
        ORDER | {"expect": {"status": 303}, "save": {"link": {"header": "Location"}}, "creates": "{{ link }}"},
        cleanup=[{"delete": "{{ link }}"}],
        vars={"guest_key": "k3y-of-the-guest-4711"},
    )
    await run_journey(journey, context)
    text = context.ledger.path.read_text()
    assert "k3y-of-the-guest" not in text
    (entry,) = context.ledger.leftovers()
    assert (entry.kept, entry.saved) == (("link",), {})
    assert entry.value == "/orders/7?key=${GUEST_KEY}"
    shop.pages["DELETE /orders/7"] = lambda _: Reply("gone")
    await undo(entry.run_id, {"j": journey}, context)
    assert shop.requests[-1].path == where
    assert context.ledger.leftovers() == []
    assert list((context.state / "claims").iterdir()) == []


async def test_another_prober_takes_over_when_the_one_that_tidies_ends(shop: Shop, context: RunContext) -> None:
    journey, _ = await left_over(shop, context)
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    first, second = tidying(context, [], journey), tidying(context, [], journey)
    tasks = [asyncio.create_task(each.serve()) for each in (first, second)]
    await settle()
    assert first.counts("j") is not None and second.counts("j") is None
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    later(context, timedelta(hours=1))
    async with asyncio.timeout(60):
        while context.ledger.leftovers():
            await asyncio.sleep(0.05)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)


async def test_an_order_under_way_is_no_trouble_yet_and_one_that_nobody_can_undo_is_said_once(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["POST /orders"] = lambda _: asyncio.sleep(60)
    journey = checkout(shop)
    task = asyncio.create_task(run_journey(journey, context))
    tidy = tidying(context, [], journey)
    with capture_logs() as logs:
        while not shop.requests:
            await asyncio.sleep(0.01)
        await look_until_quiet(tidy)
        assert [entry.state for entry in context.ledger.leftovers()] == ["intent"]
        assert logs == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(3):
            await look_until_quiet(tidy)
    assert [(line["event"], line["journey"]) for line in logs] == [("something may be left in the shop", "j")]
