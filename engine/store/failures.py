"""What can go wrong with the database, by what the caller can do about it."""

from __future__ import annotations

import errno
import sqlite3

BY_SQLITE: dict[int, str] = {
    sqlite3.SQLITE_BUSY: "database_locked",
    sqlite3.SQLITE_LOCKED: "database_locked",
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_READONLY: "home_not_writable",
}
BY_ERRNO: dict[int, str] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "home_not_writable",
}


class StoreError(Exception):
    """Base of every failure of the store; `code` is a reason code."""

    code = "database_failed"

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).code


class StoreUnreadable(StoreError):
    """The database cannot be opened: corrupt, foreign, of another mode, locked, or of a newer version.

    The file is left as it was; do not start with an empty one in its place.
    """

    code = "database_unreadable"


class StoreFailed(StoreError):
    """A write or read failed: disk full, read-only, or an I/O error. Nothing may be sent on its strength."""


class StoreConflict(StoreError):
    """A constraint refused the row: a second order for one intent, a reused identifier, a bad word."""

    code = "database_conflict"


def code_of(cause: BaseException | None) -> str:
    """Return the reason code that the driver's or the host's own word stands for; empty where neither
    says more than that it failed."""
    if isinstance(cause, StoreError):
        return "" if cause.code == StoreError.code else cause.code
    if isinstance(cause, OSError):
        return BY_ERRNO.get(cause.errno or 0, "")
    primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return BY_SQLITE.get(primary, "")
