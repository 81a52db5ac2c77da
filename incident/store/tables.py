"""The tables. `events` is the record; `incidents` is a cache of its fold and can be rebuilt from it.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from incident.store.types import UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("data", JSON, nullable=False),
    UniqueConstraint("incident", "seq"),  # two writers cannot both append the same one
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("service", Text, nullable=False),
    Column("severity", String(4), nullable=False),
    Column("status", String(20), nullable=False),
    Column("drill", Text),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("detect_s", Float, nullable=False),
    Column("acknowledge_s", Float),
    Column("resolve_s", Float),
    Column("state", JSON, nullable=False),
    Index(None, "open"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("timeout", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("incident", Integer),
    Column("pending", Integer, nullable=False),  # 0 decided, 1 the engine must look, 2 set aside: it could not
    Column("problem", Text),  # why it was set aside
    Column("of_service", Text),  # what the settings say of its source, where its labels say nothing
    Column("of_severity", String(4)),
    Column("muted", JSON(none_as_null=True)),  # why it is held back: silencedBy, inhibitedBy, mutedBy
    Index(None, "pending"),
    Index(None, "state", "ends_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("incident", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),  # due, sending, delivered, failed
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("wait_s", Float, nullable=False),  # how long ahead due_at was set: more than that means a clock set back
    Column("done_at", UtcDateTime),
    Column("error", Text),
    Column("message", JSON, nullable=False),
    Index(None, "channel", "state"),
    Index(None, "incident"),
)

channel_refs = Table(
    "channel_refs",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("data", JSON, nullable=False),
)

run_places = Table(
    "run_places",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("journey", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("packed_ms", BigInteger, nullable=False),  # runs that began before this have been packed and added up
    UniqueConstraint("journey", "location"),
)

run_shapes = Table(
    "run_shapes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", String(32), nullable=False, unique=True),
    Column("shape", JSON, nullable=False),  # incident.history.shapes
    Column("used_day", Integer, nullable=False),  # since 1970: the last on which a run of it came in
)

runs = Table(  # those of the last hours; older ones are in `run_blocks`
    "runs",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("started_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", String(100), primary_key=True),
    Column("shape", Integer, nullable=False),
    Column("kind", Integer, nullable=False),  # incident.history.rollup: how it counts; -1: it does not
    Column("numbers", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

run_blocks = Table(
    "run_blocks",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("data", LargeBinary, nullable=False),  # incident.history.packing: a chunk for each hour
)

run_failures = Table(
    "run_failures",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("started_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", String(100), primary_key=True),
    Column("evidence", LargeBinary, nullable=False),  # the whole result, compressed
)

run_rollups = Table(
    "run_rollups",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("total", LargeBinary, nullable=False),  # the day's, compressed JSON of incident.history.rollup
    Column("hours", LargeBinary, nullable=False),  # those of its hours
)

measured = Table(  # what journeys read and the settings name, such as orders a minute
    "measured",
    metadata,
    Column("journey", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),  # five minutes, since 1970
    Column("highest", Float, nullable=False),
    sqlite_with_rowid=False,
)

journeys = Table(
    "journeys",
    metadata,
    Column("journey", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("since", UtcDateTime, nullable=False),  # since when the outcome has been what it is
    Column("outcome", String(10), nullable=False),
    Column("result", JSON, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

drills = Table(
    "drills",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("services", JSON),
    Column("actor", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("scorecard", JSON),
)

silences = Table(
    "silences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("revision", Integer, nullable=False),  # grows with every change of any of them
    Column("matchers", JSON, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),  # null: recurs without an end
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("cron", Text),  # with the next two: its windows, where it recurs
    Column("duration_s", Float),
    Column("time_zone", Text),
    Column("remind_at", UtcDateTime),  # when to say that it ends soon; null: said, or not wanted
    Index(None, "ends_at"),
    Index(None, "revision"),
    Index(None, "remind_at"),
)

silence_events = Table(
    "silence_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("silence", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", String(20), nullable=False),
    Column("kind", String(20), nullable=False),  # created, updated, expired, reminded
    Column("data", JSON, nullable=False),
    Index(None, "silence"),
)

locations = Table(
    "locations",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("first_heard", UtcDateTime, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False),  # by our clock
    Column("silent_since", UtcDateTime),  # null: it is heard
    Column("source", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("agrees_on", Text),  # names of journeys, sorted, as JSON; null: its prober does not say
)

event_keys = Table(  # by what PagerDuty's senders know their open events
    "event_keys",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("labels", JSON, nullable=False),  # of its worst trigger: the alert's identity
    Column("at", UtcDateTime, nullable=False),
)

changes = Table(  # deploys and the like: what somebody changed, told by whoever changed it
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "at"),
)

attachments = Table(  # their names and sizes are in the events
    "attachments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("incident", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "incident"),
)
