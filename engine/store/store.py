"""The store: opens one database for one mode and hands out its repositories."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from engine.store.decisions import DecisionRows
from engine.store.facts import AlarmRows, FactRows
from engine.store.failures import StoreError, StoreUnreadable, code_of
from engine.store.link import BEGIN, Link
from engine.store.migrate import upgrade
from engine.store.orders import OrderRows
from engine.store.requests import RequestRows
from engine.store.risk import RiskRows
from engine.store.rows import AlarmRecord
from engine.store.sessions import SessionRows
from engine.store.tables import META
from engine.store.tickets import TicketRows
from seams.clock import Clock
from venues.types import Environment, Mode

BUSY_TIMEOUT_MS = 2000


def database_path(folder: Path, mode: Mode) -> Path:
    """Return the file of a mode: each mode has its own, and none is ever opened as another (OC-37)."""
    return folder / f"{mode.value}.db"


SHELF = "alarm_shelf:"


class Store:
    """One open database.

    `store.orders`, `.sessions`, `.tickets`, `.decisions`, `.requests`, `.facts`, `.risk` and
    `.alarm_rows` group its calls; group several in `with store.transaction():` for one durable commit.
    """

    def __init__(self, engine: Engine, connection: Connection, clock: Clock, mode: Mode) -> None:
        self._engine, self._connection, self._clock = engine, connection, clock
        self.mode = mode
        self.link = Link(connection)
        self.orders = OrderRows(self.link)
        self.sessions = SessionRows(self.link)
        self.tickets = TicketRows(self.link)
        self.decisions = DecisionRows(self.link)
        self.requests = RequestRows(self.link)
        self.facts = FactRows(self.link)
        self.alarm_rows = AlarmRows(self.link)
        self.risk = RiskRows(self.link)

    @classmethod
    def open(
        cls,
        path_or_url: Path | str,
        mode: Mode,
        clock: Clock,
        environment: Environment = Environment.SANDBOX,
    ) -> Store:
        """Open (or create) the database of this mode, bring its schema up to date and check it.

        A text with `://` is a SQLAlchemy URL, anything else a SQLite file (made 0600). Raises
        `StoreUnreadable` where the file is corrupt, belongs to another mode or environment, or was
        written by a newer version; the file is then left as it was and `code` says which.
        """
        name, url = _locate(path_or_url)
        engine = _engine(url)
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise StoreUnreadable(f"{name} cannot be opened: {error.orig}", code_of(error.orig)) from error
        store = cls(engine, connection, clock, mode)
        try:
            store._check(name)
            with store.transaction():
                _join(connection)
                upgrade(connection)
                store._claim(name, environment)
        except StoreUnreadable:
            store._abandon()
            raise
        except (StoreError, DBAPIError, sqlite3.Error) as error:
            store._abandon()
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnreadable(f"{name} cannot be read: {error}", code_of(cause)) from error
        return store

    def transaction(self) -> AbstractContextManager[Connection]:
        """Group calls into one durable commit; an exception inside rolls all of them back.

        There is one connection, so nothing may be awaited inside.
        """
        return self.link.transaction()

    def next_epoch(self) -> int:
        """Count one engine start and return its number, from 1 up; durable before it is used."""
        with self.transaction():
            self.link.run(update(META).values(epoch=META.c.epoch + 1))
            return self.epoch()

    def epoch(self) -> int:
        """Return the number of the latest engine start."""
        found = self.link.value(select(META.c.epoch))
        assert isinstance(found, int)
        return found

    def save_alarm(self, alarm: AlarmRecord) -> None:
        """Write one alarm; the alarm desk's keeper."""
        self.alarm_rows.save_alarm(alarm)

    def alarms(self) -> list[AlarmRecord]:
        """Return the alarms as last written."""
        return self.alarm_rows.alarms()

    def keep_shelf(self, alarm_id: str, text: str, at_ns: int) -> None:
        """Write an alarm's shelf down, or forget it where `text` is empty."""
        if text:
            self.facts.set(f"{SHELF}{alarm_id}", text, at_ns)
        else:
            self.facts.remove(f"{SHELF}{alarm_id}")

    def shelves(self) -> dict[str, str]:
        """Return the shelves as last written, by alarm."""
        return {key.removeprefix(SHELF): text for key, text in self.facts.under(SHELF).items()}

    def close(self) -> None:
        """Fold the write-ahead log into the file and close; harmless when closed already."""
        if self._connection.closed:
            return
        if self._engine.dialect.name == "sqlite":
            try:
                _driver(self._connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                self.link.last_failure = str(error)
        self._abandon()

    def abandon(self) -> None:
        """Close without folding anything: what a process that dies leaves behind."""
        self._abandon()

    def _check(self, name: str) -> None:
        """Refuse a damaged or foreign file before anything is written to it."""
        if self._engine.dialect.name == "sqlite":
            try:
                verdict = _driver(self._connection).execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.Error as error:
                said = f"{name} is not a readable database: {error}"
                raise StoreUnreadable(said, code_of(error)) from error
            if verdict != "ok":
                raise StoreUnreadable(f"{name} is damaged: {verdict}; restore it from a copy")
        with self.transaction() as connection:
            tables = set(inspect(connection).get_table_names())
        if tables and "meta" not in tables:
            raise StoreUnreadable(f"{name} is a database of something else; it was not touched")
        if self._engine.dialect.name == "sqlite":
            _driver(self._connection).execute("PRAGMA journal_mode=WAL")

    def _claim(self, name: str, environment: Environment) -> None:
        """Write this database's mode once; ever after, refuse any other."""
        row = self._connection.execute(select(META.c.mode, META.c.environment)).first()
        if row is None:
            values = {"id": 1, "mode": self.mode.value, "environment": environment.value, "epoch": 0}
            self.link.run(insert(META).values({**values, "created_ns": self._clock.now_ns()}))
        elif row.mode != self.mode.value:
            raise StoreUnreadable(f"{name} is a {row.mode} database; it is never opened as {self.mode.value}")
        elif row.environment != environment.value:
            said = f"{name} belongs to {row.environment}; it is never used on {environment}"
            raise StoreUnreadable(f"{said}: name another folder with INTERLOCK_HOME for that")

    def _abandon(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _locate(path_or_url: Path | str) -> tuple[str, str]:
    """Return (name for messages, SQLAlchemy URL); a new file is made 0600 before SQLite sees it."""
    if isinstance(path_or_url, str) and "://" in path_or_url:
        return path_or_url.split("://")[0] + " database", path_or_url
    path = Path(path_or_url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnreadable(f"{path.name} cannot be opened: {error.strerror}", code_of(error)) from error
    return path.name, f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=StaticPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediately)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Transactions are ours (DDL included); a commit is on the disk when it returns."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediately(connection: Connection) -> None:
    """Begin, unless `Link` has: then the statement that comes through SQLAlchemy joins its transaction."""
    driver = _driver(connection)
    if not driver.in_transaction:
        driver.execute(BEGIN)


def _join(connection: Connection) -> None:
    """Let SQLAlchemy know of the open transaction: what asks it for one would begin and commit its own."""
    if not connection.in_transaction():
        connection.begin()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
