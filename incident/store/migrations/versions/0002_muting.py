"""Who is muted and why: silences, and on each alert what holds it back."""

import sqlalchemy as sa
from alembic import op

from incident.store.types import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("muted", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("remind_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"], unique=False)
    op.create_index(op.f("ix_silences_revision"), "silences", ["revision"], unique=False)
    op.create_index(op.f("ix_silences_remind_at"), "silences", ["remind_at"], unique=False)
    op.create_table(
        "silence_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("silence", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence_events")),
    )
    op.create_index(op.f("ix_silence_events_silence"), "silence_events", ["silence"], unique=False)


def downgrade() -> None:
    op.drop_table("silence_events")
    op.drop_table("silences")
    op.drop_column("alerts", "muted")
