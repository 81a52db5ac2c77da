"""With alerts that ask for no page, and without them: whoever is paged without them is paged with them too."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.core.alerts import FIRING
from incident.core.decide import Policy
from incident.core.paging import wants_none
from incident.core.services import ServiceMap
from tests.incident.core.a_world import World

CALM, AGAIN = 90, 600
SHOP = {"db": [], "stock": ["db"], "web": ["db"], "app": ["web"], "mail": []}


def route(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Each service has people of its own, and more for what is bad; a desk hears of what asks for no page."""
    if labels.get("page") == "no":
        return ("desk",)
    own = labels["service"]
    return (own, f"{own} chief") if labels["severity"] == "SEV1" else (own,)


APART = Policy(
    services=ServiceMap(SHOP), route=route, settle=60, rejoin=1800, page_again=AGAIN, auto_resolve=CALM
)  # fmt: skip
SHARED = replace(APART, route=lambda labels: route({**labels, "page": ""}))  # the same people for all
SERVICES, SEVERITIES = st.sampled_from(list(SHOP)), st.sampled_from(["SEV1", "SEV3"])
NAMES = st.sampled_from(["JourneyDown", "Other"])
ALERTS = st.one_of(
    st.tuples(st.just("fire"), SERVICES, SEVERITIES, NAMES),
    st.tuples(st.just("whisper"), SERVICES, SEVERITIES),
    st.tuples(st.sampled_from(["end", "hush"]), SERVICES),
    st.tuples(st.just("wait"), st.sampled_from([1, 70, 150, 700, 4000])),
    st.tuples(st.just("storm"), st.booleans()),
)
PEOPLE = st.one_of(
    st.tuples(st.sampled_from(["resolve", "reopen"]), SERVICES),
    st.tuples(st.sampled_from(["merge", "unmerge"]), SERVICES, SERVICES),
)
Step = tuple[object, ...]


class Life:
    """A world in which alerts that ask for no page may be left out, and what a person has seen of it.

    `began`: since when each incident's trouble that asks for pages has gone on, without a break of `CALM`.
    """

    def __init__(self, policy: Policy, *, quiet: bool) -> None:
        self.world, self.quiet = World(policy), quiet
        self.began: dict[int, datetime] = {}
        self.last: dict[int, datetime] = {}
        self.pages: list[tuple[datetime, int, str]] = []

    def live(self, step: Step) -> list[tuple[datetime, int, str]]:
        """Returns whom this has paged: when, for which incident."""
        world, known = self.world, len(self.world.sent)
        match step:
            case ("fire", str(service), str(severity), str(name)):
                world.fire(service, severity=severity, alertname=name)
            case ("whisper", str(service), str(severity)) if self.quiet:
                world.fire(service, severity=severity, alertname="Slow", page="no")
            case ("end" | "hush" as what, str(service)) if self.quiet or what == "end":
                self.end(service, quiet=what == "hush")
            case ("wait", int(seconds)):
                for _ in range(0, seconds, 50):
                    world.wait(min(50, seconds))
                    self.look()
            case ("storm", bool(storm)):
                world.policy = replace(world.policy, storm=storm)
            case ("resolve" | "reopen" | "merge" | "unmerge", *_):
                self.person(step)
        self.look()
        new = [(one.at, one.number, one.channel) for one in world.sent[known:] if one.kind == "page"]
        self.pages += new
        return new

    def end(self, service: str, *, quiet: bool) -> None:
        spared = {
            key: one for key, one in self.world.alerts.items() if one.service == service and one.quiet is not quiet
        }
        for key in spared:
            del self.world.alerts[key]
        self.world.end(service)
        self.world.alerts |= {key: replace(one, incident=self.where(one.incident)) for key, one in spared.items()}

    def person(self, step: Step) -> None:
        what, numbers = step[0], [self.of(str(service)) for service in step[1:]]
        incidents = [self.world.incidents.get(number or 0) for number in numbers]
        first, other = incidents[0], incidents[-1]
        if first is None or other is None:
            return
        if what == "merge" and first is not other and first.open and other.open:
            self.world.merge(first.number, other.number)
        elif what == "unmerge":
            gone = [one.number for one in self.world.incidents.values() if one.merged_into == first.number]
            for number in gone[:1]:
                self.world.unmerge(number)
        elif what in ("resolve", "reopen") and first.open == (what == "resolve"):
            self.world.say(first.number, "resolved" if what == "resolve" else "reopened")

    def of(self, service: str) -> int | None:
        """The incident of what asks for a page of this service."""
        known = [one for one in self.world.alerts.values() if one.service == service and not one.quiet]
        return self.where(known[-1].incident) if known else None

    def where(self, number: int | None) -> int | None:
        while number is not None and self.world.incidents[number].merged_into is not None:
            number = self.world.incidents[number].merged_into
        return number

    def loud(self, number: int | None = None) -> dict[str, int | None]:
        """The incidents of what fires and asks for a page; of one of them."""
        firing = [one for one in self.world.alerts.values() if one.state == FIRING and not one.quiet]
        found = {one.fingerprint: self.where(one.incident) for one in firing}
        return found if number is None else {key: one for key, one in found.items() if one == self.where(number)}

    def look(self) -> None:
        now = self.world.now
        for number in {one for one in self.loud().values() if one is not None}:
            if number not in self.last or now - self.last[number] > timedelta(seconds=CALM + 100):
                self.began[number] = now
            self.last[number] = now

    def softer(self, fingerprint: str) -> bool:
        """Whether the root of its incident has asked for no page."""
        number = self.where(self.world.alerts[fingerprint].incident)
        return number is not None and wants_none(self.world.incidents[number].labels)

    def paged(self, fingerprints: Iterable[str]) -> set[str]:
        """Who has been, of the trouble that these alerts are part of, in what it is now or has been part of."""
        numbers = {self.where(self.world.alerts[key].incident) for key in fingerprints}
        kin = self.kin({number for number in numbers if number is not None})
        since = min((self.began[number] for number in kin if number in self.began), default=self.world.now)
        since = min(since, self.world.now - timedelta(seconds=AGAIN))
        return {channel for at, number, channel in self.pages if number in kin and at >= since}

    def kin(self, numbers: set[int]) -> set[int]:
        while True:
            more = {
                event.incident if int(event.data.get("into", event.data.get("from", 0))) in numbers else event.data["x"]
                for event in self.world.events
                if event.kind in ("merged", "unmerged")
                and int(event.data.get("into", event.data.get("from", 0))) in numbers
            } | {
                int(event.data.get("into", event.data.get("from", 0)))
                for event in self.world.events
                if event.kind in ("merged", "unmerged") and event.incident in numbers
            }
            if more <= numbers:
                return numbers
            numbers = numbers | more


def compare(steps: list[Step], policy: Policy) -> None:
    both, alone = Life(policy, quiet=True), Life(policy, quiet=False)
    for step in steps:
        both.live(step)
        for _, number, channel in alone.live(step):
            about = alone.loud(number)
            if channel.endswith("chief") and all(alone.world.alerts[key].severity != "SEV1" for key in about):
                continue  # for what is over by now
            if step[0] == "wait" and any(both.softer(key) for key in about):
                continue  # its cause is over, and it stays with what asks for no page: see docs/incidents.md
            assert channel in both.paged(about), (step, channel, both.pages)


@pytest.mark.parametrize("policy", [APART, SHARED], ids=["apart", "shared"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=st.lists(ALERTS, max_size=20))
def test_whoever_is_paged_without_them_is_paged_with_them_too(steps: list[Step], policy: Policy) -> None:
    compare(steps, policy)


@pytest.mark.parametrize("policy", [APART, SHARED], ids=["apart", "shared"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=st.lists(st.one_of(ALERTS, PEOPLE), max_size=20))
def test_with_alerts_that_ask_for_no_page_alone_nobody_is_ever_paged(steps: list[Step], policy: Policy) -> None:
    life = Life(policy, quiet=True)
    for step in steps:
        assert life.live(("whisper", *step[1:3]) if step[0] == "fire" else step) == []


@pytest.mark.parametrize("policy", [APART, SHARED], ids=["apart", "shared"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=st.lists(st.one_of(ALERTS, PEOPLE), max_size=20))
def test_nobody_is_paged_twice_for_one_opening(steps: list[Step], policy: Policy) -> None:
    """Of one incident, at least `page_again` lies between two pages to the same people, unless something new fires."""
    life = Life(policy, quiet=True)
    last: dict[tuple[int, str], datetime] = {}
    for step in steps:
        for at, number, channel in life.live(step):
            soon = at - last.get((number, channel), at - timedelta(hours=9)) < timedelta(seconds=AGAIN)
            assert not soon or any(event.kind in ("reopened", "gave_back") for event in life.world.events)
            last[number, channel] = at


@pytest.mark.parametrize("policy", [APART, SHARED], ids=["apart", "shared"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=st.lists(st.one_of(ALERTS, PEOPLE.filter(lambda step: step[0] != "unmerge")), max_size=20))
def test_it_is_so_whatever_people_close_open_again_and_merge(steps: list[Step], policy: Policy) -> None:
    compare(steps, policy)
