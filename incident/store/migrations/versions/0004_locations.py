"""Where probers report from, and when each was last heard."""

import sqlalchemy as sa
from alembic import op

from incident.store.types import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "locations",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("first_heard", UtcDateTime(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.Column("silent_since", UtcDateTime(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locations")),
    )


def downgrade() -> None:
    op.drop_table("locations")
