"""What commands may ask of the feed: what candles are kept, a back-fill, the process and how it is.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import SystemClock
from seams.disk import RealDisk

if TYPE_CHECKING:
    from engine.feed.backfill import Filled
    from engine.feed.coverage import Coverage


def candle_coverage(home: Path, venue: str = "", symbol: str = "", interval: str = "") -> list[Coverage]:
    """Return what is kept of every series, or of those named. Raises `BadData`."""
    from engine.feed.candles import CandleStore
    from engine.feed.coverage import coverage

    disk, now_ns = RealDisk(), SystemClock().now_ns()
    store = CandleStore(home, disk)
    return [
        coverage(store, home, disk, series, now_ns)
        for series in store.series(venue)
        if symbol in ("", series.symbol) and interval in ("", series.interval)
    ]


async def backfill_candles(
    home: Path,
    venue: str,
    symbol: str,
    interval: str,
    from_ns: int | None,
    on_progress: Callable[[str, int, int], None],
) -> list[Filled]:
    """Fetch what is missing of every series of a venue, or of those named; `on_progress` hears the series
    and (done, total) pages.

    Raises `Refusal` (venue_unreachable, invalid_config), `AlreadyRunning` where a feed keeps them filled,
    `BadData`, or `LookupError` where the venue's feed has no such symbol or interval.
    """
    from engine.feed.backfill import Backfill
    from engine.feed.candles import CandleStore, Series
    from engine.feed.opening import configured_feed, feed_lock

    clock, disk = SystemClock(), RealDisk()
    public, limits = configured_feed(home, dict(os.environ), venue, clock)
    wanted = [
        Series(venue=venue, symbol=each, interval=step)
        for each in public.symbols
        for step in public.intervals
        if symbol in ("", each) and interval in ("", step)
    ]
    if not wanted:
        known = f"symbols {', '.join(public.symbols)}; intervals {', '.join(public.intervals)}"
        raise LookupError(f"{venue} has no {symbol or 'symbol'} {interval}; {known}")
    lock = feed_lock(home, venue)
    lock.acquire()
    try:
        backfill = Backfill(public, CandleStore(home, disk), home, disk, clock)
        found = []
        for series in wanted:
            told = partial(on_progress, series.name)
            bound = limits.rest_requests
            found.append(await backfill.fill(series, from_ns, most_requests=bound, on_progress=told))
        return found
    finally:
        lock.release()
        await public.close()
