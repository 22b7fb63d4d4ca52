"""Who waits for an answer: what a person asks may use a share of a request budget that passes leave alone.

Passes by the clock ask again in a few seconds; a person who is refused `venue_busy` stands before an account
that disagrees, and cannot act.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Errand:
    """What one person waits for: how much of the budget its questions have spent so far."""

    def __init__(self) -> None:
        self.spent = 0


_ERRAND: ContextVar[Errand | None] = ContextVar("what a person waits for", default=None)


@contextmanager
def for_a_person() -> Iterator[None]:
    """Let what is asked of a venue in here count as a person's."""
    token = _ERRAND.set(Errand())
    try:
        yield
    finally:
        _ERRAND.reset(token)


def is_for_a_person() -> bool:
    """Tell whether a person waits for what is being asked."""
    return _ERRAND.get() is not None


def errand() -> Errand | None:
    """Return what a person waits for here; None where nobody does."""
    return _ERRAND.get()
