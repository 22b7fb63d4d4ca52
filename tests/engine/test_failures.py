"""Every failure of the host or the database has a reason code with a row, and none is called by another's."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from engine.api.launch import EngineNotReady
from engine.bus import BusFailed
from engine.failures import BY_ERRNO, reason_code
from engine.lock import AlreadyRunning
from engine.store import Store, StoreConflict, StoreFailed, StoreUnreadable
from engine.store.failures import BY_SQLITE, StoreError, code_of
from safety.reasons import REASONS, Refusal
from seams.clock import FixedClock
from venues.types import Mode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), "disk_full"),
        (PermissionError(errno.EACCES, "no"), "home_not_writable"),
        (OSError(errno.EROFS, "read-only"), "home_not_writable"),
        (FileNotFoundError(errno.ENOENT, "gone"), "home_damaged"),
        (NotADirectoryError(errno.ENOTDIR, "a file"), "home_damaged"),
        (OSError(errno.EIO, "I/O error"), "host_error"),
        (TimeoutError(), "host_error"),
        (StoreFailed("no"), "database_failed"),
        (StoreConflict("twice"), "database_conflict"),
        (StoreUnreadable("bad"), "database_unreadable"),
        (StoreUnreadable("held", "database_locked"), "database_locked"),
        (AlreadyRunning(1, "an engine"), "already_running"),
        (BusFailed("no server"), "bus_failed"),
        (Refusal("invalid_config"), "invalid_config"),
        (EngineNotReady("engine_not_ready", "late"), "engine_not_ready"),
        (ZeroDivisionError(), "engine_defect"),
        (SystemExit(3), "engine_defect"),
    ],
    ids=str,
)
def test_a_failure_has_its_own_name(error: BaseException, code: str) -> None:
    assert reason_code(error) == code


def test_every_name_a_failure_can_have_is_explained() -> None:
    named = {*BY_ERRNO.values(), *BY_SQLITE.values(), "host_error", "engine_defect"}
    kinds = (StoreError, *StoreError.__subclasses__())
    assert named | {kind.code for kind in kinds} <= set(REASONS)


def _code_of_failed(store: Store, *statements: str) -> str:
    def run() -> None:
        with store.transaction() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with pytest.raises(StoreFailed) as failed:
        run()
    return failed.value.code


def test_what_the_database_says_is_kept_apart(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "paper.db", Mode.PAPER, FixedClock())
    assert _code_of_failed(store, "SELECT * FROM no_such_table") == "database_failed"
    with store.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    fill = "INSERT INTO more VALUES (zeroblob(100000))"
    assert _code_of_failed(store, "CREATE TABLE more (text BLOB)", fill) == "disk_full"
    read_only = ("PRAGMA query_only=1", "UPDATE meta SET epoch = 9")
    assert _code_of_failed(store, *read_only) == "home_not_writable"
    store.close()


def test_a_damaged_and_a_missing_database_keep_the_general_name() -> None:
    assert code_of(sqlite3.DatabaseError("file is not a database")) == ""
    assert code_of(FileNotFoundError(errno.ENOENT, "gone")) == ""
    assert code_of(StoreFailed("I/O error")) == ""
