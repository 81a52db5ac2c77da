"""Whatever a user can call is in the reference."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from fastapi import FastAPI
from starlette.routing import Route

import cli
from incident.desk import Desk
from incident.web.app import create_app
from incident.web.gate import Gate

DOCS = Path(__file__).parents[2] / "docs"


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None, f"{name} {word} is named and not there"
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


ALL = dict(commands(cli.shopwatch, "shopwatch"))


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_documented_and_helps_with_an_example(name: str) -> None:
    assert re.search(rf"`{name}[ `]", (DOCS / "cli.md").read_text(encoding="utf-8"))
    assert "shopwatch" in (ALL[name].help or "")


def test_every_short_form_is_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert [word for word in cli.SHORT_FORMS if f"`shopwatch {word} " not in text] == []


@pytest.mark.anyio
async def test_every_route_is_documented(desk: Desk) -> None:
    gate = await create_app(desk, desk.settings)
    assert isinstance(gate, Gate) and isinstance(gate.app, FastAPI)
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    own = set(gate.app.openapi()["paths"])
    plain = {route.path for route in gate.app.routes if isinstance(route, Route)}
    assert {"/api/v1/incidents", "/api/v2/alerts", "/"} <= own | plain
    assert [path for path in sorted(own | plain) if not re.search(rf"[` ]{re.escape(path)}`", text)] == []
