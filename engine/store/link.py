"""The one writing connection: transactions that nest, and failures turned into the store's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, CursorResult, Executable, Select, Table, insert
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from engine.store.failures import StoreConflict, StoreFailed, code_of
from seams import chaos
from venues.types import Record

R = TypeVar("R", bound=Record)


class Link:
    """Owns the connection. Every call is synchronous and short; a write is durable when it returns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._depth = 0
        self.failures = 0
        self.last_failure = ""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Join the open transaction, or begin one and commit it durably at the end.

        Raises `StoreConflict` where a constraint refuses and `StoreFailed` for anything else; either way
        the whole outermost transaction is rolled back.
        """
        if self._depth:
            yield self._connection
            return
        self._depth = 1
        try:
            chaos.point("store.begin")
            with self._connection.begin():
                yield self._connection
                chaos.point("store.before_commit")
            chaos.point("store.committed")
        except IntegrityError as error:
            raise StoreConflict(f"the database refused the row: {error.orig}") from error
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        finally:
            self._depth = 0

    def add(self, table: Table, record: Record, *, without: Sequence[str] = ()) -> None:
        """Insert one record; `without` names the columns the database fills itself."""
        with self.transaction() as connection:
            connection.execute(insert(table), columns_of(record, without))

    def add_all(self, table: Table, records: Sequence[Record], *, without: Sequence[str] = ()) -> None:
        """Insert many records in one statement."""
        if records:
            with self.transaction() as connection:
                connection.execute(insert(table), [columns_of(record, without) for record in records])

    def rows(self, query: Select[*tuple[object, ...]], kind: type[R]) -> list[R]:
        """Return the rows of a query as records."""
        with self.transaction() as connection:
            found = connection.execute(query).mappings().all()
        return [msgspec.convert({str(name): value for name, value in row.items()}, kind) for row in found]

    def row(self, query: Select[*tuple[object, ...]], kind: type[R]) -> R | None:
        """Return the first row of a query as a record, or None."""
        found = self.rows(query.limit(1), kind)
        return found[0] if found else None

    def run(self, statement: Executable, values: dict[str, object] | None = None) -> CursorResult[object]:
        """Execute one statement and return its result (row count)."""
        with self.transaction() as connection:
            return connection.execute(statement, values or {})

    def value(self, query: Select[*tuple[object, ...]], values: dict[str, object] | None = None) -> object:
        """Return the first column of the first row, or None."""
        with self.transaction() as connection:
            row = connection.execute(query, values or {}).first()
            return None if row is None else row[0]

    def _failed(self, error: SQLAlchemyError) -> StoreFailed:
        cause = error.orig if isinstance(error, DBAPIError) else error
        self.failures += 1
        self.last_failure = str(cause)
        return StoreFailed(f"the database failed: {cause}", code_of(cause))


def columns_of(record: Record, without: Sequence[str] = ()) -> dict[str, object]:
    """Return a record as column values; enums as their words, decimals untouched."""
    values: dict[str, object] = msgspec.to_builtins(record, builtin_types=(Decimal,))
    for name in without:
        del values[name]
    return values
