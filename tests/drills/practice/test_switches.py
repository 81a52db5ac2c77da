"""Switches and their leases, by a clock that the test moves."""

import pytest

from drills.practice.carrier import Carrier
from drills.practice.slack.rates import POSTS, Limiter
from drills.practice.slack.refusal import RateLimited, Refusal
from drills.practice.slack.world import RESPONSE_AGE, TRIGGER_AGE, World
from drills.practice.switches import Switchboard, UnknownSwitch


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_ends_at_its_instant_and_not_before() -> None:
    clock = Clock()
    board = Switchboard("psp", clock)
    board.put("psp_delay", "9s", lease="10m")
    clock.now += 599.9
    assert board.number("psp_delay") == 9
    clock.now += 0.1
    assert board.number("psp_delay") == 0
    assert board.active() == []


def test_setting_a_switch_again_renews_its_lease() -> None:
    clock = Clock()
    board = Switchboard("shop", clock)
    board.put("hang", True, lease=10)
    clock.now += 9
    board.put("hang", True, lease=10)
    clock.now += 9
    assert board.on("hang")


def test_a_board_takes_only_its_own_switches() -> None:
    with pytest.raises(UnknownSwitch, match="of another service: psp"):
        Switchboard("shop").put("psp_declines", True)


def test_scans_come_with_time_and_a_frozen_feed_catches_up() -> None:
    clock = Clock()
    board = Switchboard("carrier", clock)
    carrier = Carrier(board, clock=clock)
    carrier.register("r-1")
    clock.now += 1.5
    assert [scan["status"] for scan in carrier.feed(0)["scans"]] == ["Picked"]
    board.put("carrier_frozen", True)
    clock.now += 60
    assert carrier.feed(1)["scans"] == []
    board.clear()
    assert [scan["status"] for scan in carrier.feed(1)["scans"]] == ["Shipped", "Out for delivery", "Delivered"]


def test_a_lagging_feed_tells_everything_later() -> None:
    clock = Clock()
    board = Switchboard("carrier", clock)
    carrier = Carrier(board, clock=clock)
    board.put("carrier_lag", "1m")
    carrier.register("r-1")
    clock.now += 60.5
    assert carrier.feed(0)["scans"] == []
    clock.now += 1
    assert [scan["at"] for scan in carrier.feed(0)["scans"]] == [1001.0]


def test_a_recalled_parcel_has_no_further_scans() -> None:
    clock = Clock()
    carrier = Carrier(Switchboard("carrier", clock), clock=clock)
    carrier.recall(carrier.register("r-1").id)
    clock.now += 60
    assert carrier.feed(0)["scans"] == []


def test_a_bucket_fills_up_again_at_its_rate() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(POSTS.burst):
        limiter.take(("post", "C1"), POSTS)
    with pytest.raises(RateLimited) as caught:
        limiter.take(("post", "C1"), POSTS)
    clock.now += caught.value.retry_after
    limiter.take(("post", "C1"), POSTS)


def test_triggers_and_response_addresses_grow_old() -> None:
    clock = Clock()
    world = World(clock)
    trigger = world.new_trigger("U0LEAD")
    clock.now += TRIGGER_AGE + 0.1
    with pytest.raises(Refusal, match="expired_trigger_id"):
        world.use_trigger(trigger)
    key = world.new_response(world.channel("C0GENERAL"), "U0LEAD")
    clock.now += RESPONSE_AGE + 1
    with pytest.raises(Refusal, match="expired_url"):
        world.use_response(key)
