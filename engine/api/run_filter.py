"""Which runs of a list are shown: every condition that is given must hold."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.run_views import RunRow
from seams.clock import iso_z
from venues.types import Record

STATUSES = ("success", "no_trades")
"""What a listed run ended as: one that failed publishes nothing."""
TRUSTS = ("passed", "failed", "not_checked")
FIELDS = ("run_id", "mode", "strategy", "ticker", "interval", "created_at", "status", "trust")
"""Where words are looked for: what a list shows of a run."""


class RunFilter(Record):
    """Conditions on runs; an empty one holds. Case never counts; `since_ns` is UTC nanoseconds.

    `words` must each occur somewhere in what a list shows, as in the console's `/`.
    """

    strategy: str = ""
    symbol: str = ""
    mode: str = ""
    status: str = ""
    trust: str = ""
    since_ns: int = 0
    words: tuple[str, ...] = ()


def kept(rows: Sequence[RunRow], wanted: RunFilter) -> tuple[RunRow, ...]:
    """Return the rows for which every condition holds, in their order.

    Raises `ValueError` for a status or trust that no run can have: a misspelt one would show an empty list.
    """
    for name, given, known in (("status", wanted.status, STATUSES), ("trust", wanted.trust, TRUSTS)):
        if given and given.lower() not in known:
            raise ValueError(f"no run has the {name} {given!r}: it is one of {', '.join(known)}")
    equal = (
        ("strategy", wanted.strategy), ("ticker", wanted.symbol), ("mode", wanted.mode),
        ("status", wanted.status), ("trust", wanted.trust),
    )  # fmt: skip
    since = iso_z(wanted.since_ns) if wanted.since_ns else ""
    words = [word.lower() for given in wanted.words for word in given.split()]
    return tuple(
        row
        for row in rows
        if all(not given or getattr(row, field).lower() == given.lower() for field, given in equal)
        and row.created_at >= since
        and _has_all(row, words)
    )


def _has_all(row: RunRow, words: Sequence[str]) -> bool:
    text = " ".join(getattr(row, field) for field in FIELDS).lower()
    return all(word in text for word in words)
