"""What was attached to incidents. The caller is in a transaction."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from incident.store.tables import attachments


def add(connection: Connection, key: str, incident: int, content: bytes, at: datetime) -> None:
    connection.execute(insert(attachments).values(id=key, incident=incident, content=content, at=at))


def content(connection: Connection, incident: int, key: str) -> bytes | None:
    query = select(attachments.c.content).where(attachments.c.id == key, attachments.c.incident == incident)
    found: bytes | None = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def remove(connection: Connection, incident: int, key: str) -> None:
    connection.execute(delete(attachments).where(attachments.c.id == key, attachments.c.incident == incident))
