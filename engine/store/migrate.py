"""Bring a database to the schema of this version, inside the caller's transaction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from engine.store.failures import StoreUnreadable

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The newest revision in `migrations/versions`; `tests/store/test_migrations.py` checks it."""
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Apply the missing migrations. Raises `StoreUnreadable` for a schema newer than this version."""
    found = revision_of(connection)
    if found == HEAD:
        return
    # Alembic costs 0.1 s to import: paid only when there is something to do.
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(config(connection), "head")
    except CommandError as error:
        raise StoreUnreadable(
            f"the database is at schema {found}, this version knows up to {HEAD}: {error}", "database_newer"
        ) from error


def revision_of(connection: Connection) -> str | None:
    """Return the schema revision of a database, or None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings
