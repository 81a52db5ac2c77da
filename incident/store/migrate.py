"""Brings the tables up to date: at start, and by `shopwatch db migrate`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from incident.errors import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    return found


def revision(connection: Connection) -> str | None:
    """That of the tables; None where there are none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The revision that this version of the program works with."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def migrate(connection: Connection) -> tuple[str | None, str]:
    """From the revision that the tables have to the newest, in the caller's transaction. Returns both.

    Raises StoreUnavailable for a database of a newer version: what that has written would be misread.
    """
    before, after = revision(connection), newest()
    if before == after:
        return before, after
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if before is not None and before not in known:
        raise StoreUnavailable(
            f"this database is of a newer Shopwatch (its revision is {before}, this version knows up to {after}): "
            "install that version, or go back to a backup"
        )
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    if before is not None:
        from incident.store.incidents import rebuild

        rebuild(connection)  # the older version may have folded less out of the same events
    return before, after
