"""On which journeys a location has a say where several have to agree."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("locations", sa.Column("agrees_on", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("locations", "agrees_on")
