"""What journeys measure: by five minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "measured",
        sa.Column("journey", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("highest", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("journey", "name", "slot", name=op.f("pk_measured")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("measured")
