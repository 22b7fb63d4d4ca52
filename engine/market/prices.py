"""Stored prices of a symbol by name: the data service's question (QT-20)."""

from __future__ import annotations

from pathlib import Path

from engine.market.catalogue import SetInfo, UnknownSet, list_sets, load
from seams.disk import Disk
from venues.types import Bar, Record

DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000


class Prices(Record):
    """The newest `limit` bars of a window, oldest first; `available` counts all bars in the window."""

    venue: str
    symbol: str
    interval: str
    available: int
    content_sha256: str
    bars: tuple[Bar, ...]


class Ambiguous(ValueError):
    """Several stored sets answer to the name; `code` is bad_parameter."""

    code = "bad_parameter"


def prices(
    home: Path,
    name: str,
    start_ns: int | None = None,
    end_ns: int | None = None,
    limit: int = DEFAULT_LIMIT,
    disk: Disk | None = None,
) -> Prices:
    """Return bars of `SYMBOL` or `VENUE/SYMBOL/INTERVAL` that open in `start_ns <= t <= end_ns`.

    Raises `UnknownSet`, `Ambiguous`, `BadData`; `ValueError` for a limit outside 1..`MAX_LIMIT`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be 1..{MAX_LIMIT}, not {limit}")
    info = _found(list_sets(home, disk), name)
    stored = load(home, info.venue, info.symbol, info.interval, disk)
    start = info.first_ns if start_ns is None else start_ns
    end = info.last_ns if end_ns is None else end_ns
    first, last = (
        int(stored.ts_ns.searchsorted(at, side))  # type: ignore[call-overload]  # a literal type
        for at, side in ((start, "left"), (end, "right"))
    )
    last = max(first, last)
    return Prices(
        venue=info.venue,
        symbol=info.symbol,
        interval=info.interval,
        available=last - first,
        content_sha256=stored.content_sha256,
        bars=tuple(stored.bar(info.symbol, row) for row in range(max(first, last - limit), last)),
    )


def _found(sets: list[SetInfo], name: str) -> SetInfo:
    found = [
        info for info in sets if name in (info.symbol, f"{info.venue}/{info.symbol}/{info.interval}")
    ]  # fmt: skip
    if not found:
        raise UnknownSet(f"no data for {name[:80]!a}; import some with: interlock data import")
    if len(found) > 1:
        shown = ", ".join(f"{info.venue}/{info.symbol}/{info.interval}" for info in found[:8])
        raise Ambiguous(f"{name[:80]!a} is stored as {shown}; name one of them")
    return found[0]
