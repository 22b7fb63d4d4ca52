"""The one writing connection: transactions that nest, and failures turned into the store's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    Select,
    Table,
    bindparam,
    insert,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from engine.store.failures import StoreConflict, StoreFailed, code_of
from engine.store.prepared import Prepared, Statement, carry_out, prepare
from seams import chaos
from venues.types import Record

R = TypeVar("R", bound=Record)
BEGIN = "BEGIN IMMEDIATE"
_NAME = "_name"
"""The parameter that names a row: no column is called so."""


class Link:
    """Owns the connection. Every call is synchronous and short; a write is durable when it returns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.dialect.loaded_dbapi
        self._prepared: dict[object, Prepared] = {}
        self._is_open = False
        self._begins = connection.dialect.name == "sqlite"
        self._raw: Any = None
        """The driver's own connection while a transaction is open: it takes the prepared statements."""
        self._joined = nullcontext(connection)
        self.rollbacks = 0
        """How many transactions left nothing: what was learned of a row before one may not be so any more."""
        self.failures = 0
        self.last_failure = ""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Join the open transaction, or begin one and commit it durably at the end.

        Raises `StoreConflict` where a constraint refuses and `StoreFailed` for anything else; either way
        the whole outermost transaction is rolled back.
        """
        return self._joined if self._is_open else self._begun()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        assert not self._is_open, "a transaction is entered where it is asked for"
        self._is_open, is_kept = True, False
        try:
            chaos.point("store.begin")
            self._begin()
            try:
                yield self._connection
                chaos.point("store.before_commit")
                self._commit()
            except Exception:
                self._roll_back()
                raise
            except BaseException:  # the process ends: a database that fails while it does must not hide that
                with suppress(SQLAlchemyError, self._driver.Error):
                    self._roll_back()
                raise
            chaos.point("store.committed")
        except (IntegrityError, self._driver.IntegrityError) as error:
            cause = error.orig if isinstance(error, IntegrityError) else error
            raise StoreConflict(f"the database refused the row: {cause}") from error
        except (SQLAlchemyError, self._driver.Error) as error:
            raise self._failed(error) from error
        else:
            is_kept = True
        finally:
            self._is_open, self._raw = False, None
            self.rollbacks += not is_kept

    def _begin(self) -> None:
        """Begin on the driver's own connection where it needs telling (SQLite): SQLAlchemy's own way costs
        several times what BEGIN and COMMIT do. Another driver begins with its first statement, through it."""
        self._raw = self._connection.connection.driver_connection
        if self._begins:
            self._raw.execute(BEGIN)
        else:
            self._connection.begin()

    def _commit(self) -> None:
        """Commit where the transaction is known: SQLAlchemy knows of it once a statement went through it."""
        (self._raw if self._connection.get_transaction() is None else self._connection).commit()

    def _roll_back(self) -> None:
        """Leave nothing open on either side: SQLAlchemy tells a driver whose commit failed nothing."""
        if self._connection.get_transaction() is not None:
            self._connection.rollback()
        if self._begins:
            self._raw.rollback()

    def add(self, table: Table, record: Record, *, without: Sequence[str] = ()) -> None:
        """Insert one record; `without` names the columns the database fills itself."""
        with self.transaction():
            self._insert(table, columns_of(record, without))

    def change(self, table: Table, key: str, values: dict[str, object], name: object) -> bool:
        """Write columns of the row whose `key` is `name`; tell whether there is one."""
        names = (*values,)
        prepared = self._prepared.get((table.name, key, names))
        if prepared is None:
            statement = update(table).where(table.c[key] == bindparam(_NAME))
            prepared = prepare(statement, self._connection.dialect, names)
            self._prepared[table.name, key, names] = prepared
        with self.transaction():
            return bool(carry_out(self._raw, prepared, {**values, _NAME: name}).rowcount == 1)

    def put(self, table: Table, key: str, record: Record) -> None:
        """Write one record under its `key`, new or known."""
        values = columns_of(record)
        prepared = self._prepared.get((table.name, key))
        if prepared is None:
            prepared = self._upsert(table, key, (*values,))
            self._prepared[table.name, key] = prepared
        with self.transaction():
            carry_out(self._raw, prepared, values)

    def _upsert(self, table: Table, key: str, names: Sequence[str]) -> Prepared:
        dialect = self._connection.dialect
        adding = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
        after = {name: adding.excluded[name] for name in names if name != key}
        return prepare(adding.on_conflict_do_update(index_elements=[key], set_=after), dialect, names)

    def _insert(self, table: Table, values: dict[str, object]) -> None:
        names = (*values,)
        prepared = self._prepared.get((table.name, names))
        if prepared is None:
            prepared = self._prepared[table.name, names] = prepare(
                insert(table), self._connection.dialect, names
            )
        carry_out(self._raw, prepared, values)

    def rows(
        self, query: Select[*tuple[object, ...]], kind: type[R], values: dict[str, object] | None = None
    ) -> list[R]:
        """Return the rows of a query as records."""
        with self.transaction() as connection:
            found = connection.execute(query, values or {}).mappings().all()
        return [msgspec.convert({str(name): value for name, value in row.items()}, kind) for row in found]

    def row(
        self, query: Select[*tuple[object, ...]], kind: type[R], values: dict[str, object] | None = None
    ) -> R | None:
        """Return the first row of a query as a record, or None."""
        found = self.rows(query.limit(1) if values is None else query, kind, values)
        return found[0] if found else None

    def run(self, statement: Executable) -> CursorResult[object]:
        """Execute one statement and return its result (row count)."""
        with self.transaction() as connection:
            return connection.execute(statement)

    def value(self, query: Select[*tuple[object, ...]]) -> object:
        """Return the first column of the first row, or None."""
        with self.transaction() as connection:
            row = connection.execute(query).first()
            return None if row is None else row[0]

    def ask(self, statement: Statement, values: Mapping[str, object]) -> object:
        """Return the first column of the first row of a statement that is built once, or None."""
        with self.transaction():
            row = carry_out(self._raw, self._kept(statement), values).fetchone()
            return None if row is None else row[0]

    def tell(self, statement: Statement, values: Mapping[str, object]) -> int:
        """Carry out a statement that is built once; return how many rows it changed."""
        with self.transaction():
            return int(carry_out(self._raw, self._kept(statement), values).rowcount)

    def _kept(self, statement: Statement) -> Prepared:
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = prepare(statement, self._connection.dialect)
        return prepared

    def _failed(self, error: Exception) -> StoreFailed:
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
