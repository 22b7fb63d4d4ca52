"""The migrations make exactly the tables that the code declares (OC-38)."""

from __future__ import annotations

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from engine.store import Store
from engine.store.migrate import HEAD, config, revision_of
from engine.store.tables import METADATA


def test_migrations_and_tables_agree(store: Store) -> None:
    with store.transaction() as connection:
        assert revision_of(connection) == HEAD
        command.check(config(connection))
        assert ScriptDirectory.from_config(config(connection)).get_current_head() == HEAD


def test_required_tables_exist(store: Store) -> None:
    with store.transaction() as connection:
        found = set(inspect(connection).get_table_names())
    assert found == {*METADATA.tables, "alembic_version"}
    assert {"trades", "signals", "decision_events", "audit_events", "intents", "orders", "fills"} <= found


def test_no_amount_is_kept_as_a_float(store: Store) -> None:
    with store.transaction() as connection:
        types = {
            (table, column["name"]): str(column["type"])
            for table in METADATA.tables
            for column in inspect(connection).get_columns(table)
        }
    floats = {name for name, kind in types.items() if kind in ("FLOAT", "NUMERIC", "REAL")}
    assert floats == {("signals", "confidence"), ("trades", "confidence")}
