"""Who waits behind whom, with an app that does not go on before the test says so."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from incident.web.turns import KIB, Turns

pytestmark = pytest.mark.anyio


class App:
    """Requests that are worked on, by name, in the order in which they came in; each until it is let go."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.inside: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.came.append(scope["path"])
        self.inside[scope["path"]] = asyncio.Event()
        try:
            await self.inside[scope["path"]].wait()
        finally:
            del self.inside[scope["path"]]

    async def let_go(self, name: str) -> None:
        self.inside[name].set()
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Asked:
    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.statuses: dict[str, int] = {}

    async def ask(self, name: str, size: int = 10 * KIB, who: str = "", method: str = "POST") -> None:
        scope = {
            "type": "http", "method": method, "path": name, "client": ("127.0.0.1", 1),
            "headers": [(b"content-length", b"%d" % size)], "state": {"actor": SimpleNamespace(name=who)},
        }  # fmt: skip

        async def send(message: Any) -> None:
            self.statuses.setdefault(name, message.get("status", 0))

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        self.tasks[name] = asyncio.create_task(self.turns(scope, receive, send))
        await settled()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def asked(app: App) -> Asked:
    return Asked(Turns(app, room=25 * KIB, waiting=60 * KIB))


async def finish(app: App, asked: Asked) -> None:
    while app.inside:
        await app.let_go(next(iter(app.inside)))
    await asyncio.gather(*asked.tasks.values(), return_exceptions=True)


async def test_as_many_are_let_in_as_there_is_room_for(app: App, asked: Asked) -> None:
    for name in "abcd":
        await asked.ask(name)
    assert app.came == ["a", "b"]
    await app.let_go("a")
    assert app.came == ["a", "b", "c"]
    await finish(app, asked)
    assert app.came == ["a", "b", "c", "d"]


async def test_who_sends_little_does_not_wait_behind_all_of_who_sends_much(app: App, asked: Asked) -> None:
    for name in ("a1", "a2", "a3", "a4", "a5"):
        await asked.ask(name, who="a")
    await asked.ask("b1", who="b")
    await finish(app, asked)
    assert app.came == ["a1", "a2", "a3", "b1", "a4", "a5"]


async def test_what_is_larger_than_the_room_is_worked_on_alone(app: App, asked: Asked) -> None:
    await asked.ask("small")
    await asked.ask("large", 50 * KIB, "b")
    assert app.came == ["small"]
    await app.let_go("small")
    await asked.ask("late", who="c")
    assert list(app.inside) == ["large"]
    await finish(app, asked)
    assert app.came == ["small", "large", "late"]


async def test_reading_waits_for_nobody(app: App, asked: Asked) -> None:
    await asked.ask("a", 50 * KIB)
    await asked.ask("b", method="GET")
    assert list(app.inside) == ["a", "b"]
    await finish(app, asked)


async def test_more_than_can_be_kept_is_told_to_come_again(app: App, asked: Asked) -> None:
    await asked.ask("a", 20 * KIB)
    await asked.ask("b", 50 * KIB)
    await asked.ask("c", 20 * KIB)
    assert asked.statuses == {"c": 503}
    await finish(app, asked)
    assert app.came == ["a", "b"]


async def test_one_that_gives_up_leaves_its_place_to_others(app: App, asked: Asked) -> None:
    for name in "abcd":
        await asked.ask(name)
    asked.tasks["c"].cancel()  # while it waits
    await app.let_go("a")
    assert list(app.inside) == ["b", "d"]
    await asked.ask("e")
    app.inside["b"].set()
    asked.tasks["d"].cancel()
    await settled()
    assert list(app.inside) == ["e"]
    await asked.ask("f")
    asked.tasks["f"].cancel()
    await finish(app, asked)
    assert asked.turns._inside == 0
