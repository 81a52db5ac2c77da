"""The database: SQLite by default, PostgreSQL where a URL says so. One code path, SQLAlchemy Core."""
