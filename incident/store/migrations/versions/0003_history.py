"""Runs kept in few bytes, with their failures and roll-ups. What was kept of runs before this is taken over."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    before = _old_results()
    op.drop_table("runs")
    _places()
    _runs()
    _failures()
    _rollups()
    if before:
        from incident.store import runs

        now = datetime.now(UTC)
        runs.add(op.get_bind(), [runs.checked(result) for result in before], now, timedelta(days=14))


def downgrade() -> None:
    raise NotImplementedError("there is no way back: runs are kept in another form now")


def _old_results() -> list[object]:
    old = sa.table("runs", sa.column("result", sa.JSON), sa.column("started_at"))
    newest = sa.select(old.c.result).order_by(old.c.started_at.desc()).limit(10_000)
    return list(op.get_bind().execute(newest).scalars())


def _places() -> None:
    op.create_table(
        "run_places",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("packed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_places")),
        sa.UniqueConstraint("journey", "location", name=op.f("uq_run_places_journey_location")),
    )
    op.create_table(
        "run_shapes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("shape", sa.JSON(), nullable=False),
        sa.Column("used_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_shapes")),
        sa.UniqueConstraint("digest", name=op.f("uq_run_shapes_digest")),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "started_ms", "run_id", name=op.f("pk_runs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_blocks",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "day", name=op.f("pk_run_blocks")),
    )


def _failures() -> None:
    op.create_table(
        "run_failures",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "started_ms", "run_id", name=op.f("pk_run_failures")),
    )


def _rollups() -> None:
    op.create_table(
        "run_rollups",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("total", sa.LargeBinary(), nullable=False),
        sa.Column("hours", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "day", name=op.f("pk_run_rollups")),
    )
