"""What alembic runs: the caller hands over a connection, already in a transaction."""

from alembic import context

from incident.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
