"""What a feed process says: pushes on the bus, and its health to whoever asks."""

from __future__ import annotations

from engine.feed.candles import Merge
from venues.public import PublicEvent
from venues.types import Record

SUBJECT = "ilk.feed"
HEARTBEAT_S = 0.5
ABSENT_S = 2.0
"""A feed of which nothing was heard for so long is not there."""


class Push(Record):
    """Some events of one venue, in order. `seq` rises by one with each push of one process (`boot_ns`).

    A jump of `seq` means that events are missing. `stale` names the symbols that make no progress.
    """

    venue: str
    boot_ns: int
    seq: int
    at_ns: int
    is_whole: bool
    stale: tuple[str, ...]
    events: tuple[PublicEvent, ...]


class SymbolHealth(Record):
    """One symbol: its best prices, and how long ago the venue's own time went on (ms; None: never)."""

    symbol: str
    bid: float | None
    ask: float | None
    top_age_ms: int | None
    book_age_ms: int | None
    trades: int
    is_stale: bool


class FeedHealth(Record):
    """A feed process. `is_whole`: every subscription stands; `is_on_bus`: an engine's bus hears it."""

    venue: str
    pid: int
    boot_ns: int
    at_ns: int
    is_whole: bool
    is_on_bus: bool
    events: int
    pushes: int
    dropped: int
    breaks: int
    mids_age_ms: int | None
    candle_age_ms: int | None
    stale: tuple[str, ...]
    symbols: tuple[SymbolHealth, ...]
    candles: Merge
    filled: int
    series: int
    problem: str


def subject_of(venue: str) -> str:
    """Return the subject of a venue's pushes."""
    return f"{SUBJECT}.{venue}"
