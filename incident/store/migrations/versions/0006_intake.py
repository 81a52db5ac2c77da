"""What intakes from other systems keep."""

import sqlalchemy as sa
from alembic import op

from incident.store.types import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("of_service", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("of_severity", sa.String(length=4), nullable=True))
    op.create_table(
        "event_keys",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_event_keys")),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_at"), "changes", ["at"], unique=False)


def downgrade() -> None:
    op.drop_table("changes")
    op.drop_table("event_keys")
    op.drop_column("alerts", "of_severity")
    op.drop_column("alerts", "of_service")
