"""How SQLite and PostgreSQL are set up, so that the rest of the store need not know which it talks to.

On both, one writes at a time and sees all that was committed before: on SQLite by BEGIN IMMEDIATE, on PostgreSQL by a
lock that goes with the transaction. So what two processes decide never crosses.
"""

import json
from typing import Any

import msgspec
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from incident.errors import StoreUnavailable

WRITING = 0x53686F70  # the key of PostgreSQL's lock, which is the database's own
LOCK_WRITING = f"SELECT pg_advisory_xact_lock({WRITING})"
ANSWER_WITHIN: dict[
    str, Any
] = {  # seconds, milliseconds; a server that is gone without a word must not hold up intake for minutes
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
_SESSION = {
    "timezone": "UTC",
    "lock_timeout": "10s",  # somebody else's process is stopped while it holds the lock
    "idle_in_transaction_session_timeout": "30s",  # and so the server ends its transaction
}
_ON_DISK = (  # before anybody is answered, whatever the server's default; what waits for more than that may stay so
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


BUSY = 10_000  # milliseconds that SQLite waits for others


def address(url: str) -> URL:
    """As SQLAlchemy needs it. Raises StoreUnavailable where it is none."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # the text of these may hold the password
        raise StoreUnavailable(
            "the database's address is no SQLAlchemy URL such as sqlite:////path/to/file.db"
        ) from None
    return found.set(drivername="postgresql+psycopg") if found.drivername in ("postgresql", "postgres") else found


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def writing(url: URL) -> Engine:
    """Raises StoreUnavailable where no driver is installed."""
    if is_sqlite(url):
        return _sqlite(url, "BEGIN IMMEDIATE")
    engine = _postgresql(url)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(LOCK_WRITING))
    return engine


def reading(url: URL) -> Engine:
    """Each transaction sees the database as of one moment. Raises StoreUnavailable where no driver is installed."""
    if is_sqlite(url):
        return _sqlite(url, "BEGIN")
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return _postgresql(url, pool_pre_ping=True, execution_options=options)


def _sqlite(url: URL, begin: str) -> Engine:
    engine = _create(url, connect_args={"timeout": 10})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin and commit on its own: savepoints would break
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY}", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _postgresql(url: URL, **options: Any) -> Engine:
    session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    asked = url.query.get("options")
    ours = {name: value for name, value in ANSWER_WITHIN.items() if name not in url.query}  # the address rules
    connect = {**ours, "options": f"{session} {asked}" if isinstance(asked, str) else session}
    engine = _create(url, connect_args=connect, **options)
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    from psycopg.types.string import StrDumper

    class Dumper(StrDumper):
        """PostgreSQL's text cannot hold NUL or half a surrogate pair, which strangers' labels may: they are marked."""

        oid = 0  # unknown: the statement says the type, as with psycopg's own default

        def dump(self, obj: str) -> Any:
            try:
                return super().dump(obj.replace("\0", "\ufffd"))
            except UnicodeEncodeError:
                return super().dump(obj.encode(errors="replace").decode().replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Dumper)
    connection.execute(_ON_DISK)
    connection.commit()


def to_json(value: Any) -> str:
    """As json.dumps, which writes what is rare: half a surrogate pair, subclasses of str."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, UnicodeEncodeError):
        return json.dumps(value)


def from_json(text: str | bytes) -> Any:
    """As json.loads, which reads what is rare: half a surrogate pair, NaN."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def _create(url: URL, **options: Any) -> Engine:
    try:
        return create_engine(url, json_serializer=to_json, json_deserializer=from_json, **options)
    except (ArgumentError, ImportError):
        shown = url.drivername
        cure = "pip install 'shopwatch[postgres]', or " if shown.startswith("postgresql") else ""
        raise StoreUnavailable(
            f"no driver for {shown!r} is installed here: {cure}use sqlite:// or postgresql://"
        ) from None
