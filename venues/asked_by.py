"""Who waits for an answer: what a person asks may use a share of a request budget that passes leave alone.

Passes by the clock ask again in a few seconds; a person who is refused `venue_busy` stands before an account
that disagrees, and cannot act.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_A_PERSON: ContextVar[bool] = ContextVar("a person waits for it", default=False)


@contextmanager
def for_a_person() -> Iterator[None]:
    """Let what is asked of a venue in here count as a person's."""
    token = _IS_A_PERSON.set(True)
    try:
        yield
    finally:
        _IS_A_PERSON.reset(token)


def is_for_a_person() -> bool:
    """Tell whether a person waits for what is being asked."""
    return _IS_A_PERSON.get()
