"""What commands may ask of the feed: what candles are kept, a back-fill, the process and how it is.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import SystemClock
from seams.disk import RealDisk

if TYPE_CHECKING:
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
