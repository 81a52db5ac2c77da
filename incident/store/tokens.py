"""Tokens, as hashes. A secret is 32 random bytes, so a plain SHA-256 of it gives nothing away."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from incident.core.actor import Actor, Kind, Role
from incident.errors import NotFound, Refused
from incident.store.tables import tokens


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def new_secret() -> str:
    return f"sw_{secrets.token_urlsafe(32)}"


def add(connection: Connection, actor: Actor, secret: str, now: datetime) -> None:
    """Raises Refused when the name is taken."""
    if connection.execute(select(tokens.c.name).where(tokens.c.name == actor.name)).first() is not None:
        raise Refused(f"there is a token {actor.name} already: revoke it first, or take another name")
    row = {
        "name": actor.name,
        "role": str(actor.role),
        "kind": str(actor.kind),
        "hash": digest(secret),
        "created_at": now,
    }
    connection.execute(insert(tokens).values(row))


def remove(connection: Connection, name: str) -> None:
    """Raises NotFound."""
    if connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount == 0:
        raise NotFound(f"there is no token {name}")


def listed(connection: Connection) -> list[dict[str, Any]]:
    return [
        {"name": row.name, "role": row.role, "kind": row.kind, "created_at": row.created_at.isoformat()}
        for row in connection.execute(select(tokens).order_by(tokens.c.name))
    ]


def actors(connection: Connection) -> dict[str, Actor]:
    """By hash."""
    return {
        row.hash: Actor(row.name, Role.parse(row.role), Kind(row.kind), "api")
        for row in connection.execute(select(tokens))
    }
