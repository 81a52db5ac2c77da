"""Who is muted and why: silences, and on each alert what holds it back."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
