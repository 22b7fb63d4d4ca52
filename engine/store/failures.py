"""What can go wrong with the database, by what the caller can do about it."""

from __future__ import annotations


class StoreError(Exception):
    """Base of every failure of the store; `code` is a reason code."""

    code = "store_error"


class StoreUnreadable(StoreError):
    """The database cannot be opened: corrupt, foreign, of another mode, or written by a newer version.

    The file is left as it was; do not start with an empty one in its place.
    """

    code = "database_unreadable"


class StoreFailed(StoreError):
    """A write or read failed: disk full, read-only, or an I/O error. Nothing may be sent on its strength."""

    code = "store_failed"


class StoreConflict(StoreError):
    """A constraint refused the row: a second order for one intent, a reused identifier, a bad word."""

    code = "store_conflict"
