"""What commands may ask of the feed: what candles are kept, a back-fill, the process and how it is.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.endpoint import is_alive
from engine.api.home import HomePaths
from engine.api.launch import ROOT, tail
from seams.clock import NS_PER_S, SystemClock
from seams.disk import RealDisk

if TYPE_CHECKING:
    from engine.feed.backfill import Filled
    from engine.feed.coverage import Coverage
    from engine.feed.messages import FeedHealth
    from engine.feed.source import CandleSet
    from venues.public import PublicVenue

READY_S, STOP_S, POLL_S = 45.0, 8.0, 0.05


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
        raise _no_series(venue, symbol, interval, public)
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


class FeedNotReady(Exception):
    """No feed came up. `code` is the reason that it gave, else `feed_not_ready`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def feed_health(home: Path, venue: str) -> FeedHealth | None:
    """Return how a venue's feed is, from itself; None where none answers."""
    import msgspec

    from engine.feed.messages import FeedHealth
    from engine.feed.questions import Silent, ask

    try:
        said = await ask(HomePaths(home).run, venue, "health")
    except (Silent, LookupError):
        return None
    return msgspec.convert(said, FeedHealth)


def feed_pid(home: Path, venue: str) -> int:
    """Return the process that holds a venue's feed (or back-fills it), 0 where none does."""
    from engine.lock import holder

    return holder(HomePaths(home).run / f"feed-{venue}.lock")


async def start_feed(home: Path, venue: str) -> FeedHealth:
    """Start a venue's feed in the background and wait until it answers, or return the one that runs.

    Raises `FeedNotReady`; nothing stays behind.
    """
    running = await feed_health(home, venue)
    if running is not None:
        return running
    process = _spawn(home, venue)
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + round(READY_S * NS_PER_S)
    while process.poll() is None and clock.monotonic_ns() < deadline_ns:
        found = await feed_health(home, venue)
        if found is not None and found.pid == process.pid:
            return found
        await clock.sleep(POLL_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    lines = tail(_log(home, venue), 4)
    said = re.search(r"feed will not start: (\w+): (.*)$", "\n".join(lines), re.MULTILINE)
    if said is not None:
        raise FeedNotReady(said[1], said[2])
    raise FeedNotReady("feed_not_ready", f"the feed did not come up; its log ends: {' | '.join(lines)}")


async def stop_feed(home: Path, venue: str) -> bool:
    """End a venue's feed in order; False where none runs."""
    found = await feed_health(home, venue)
    pid = feed_pid(home, venue) if found is None else found.pid
    if pid <= 0:
        return False
    clock = SystemClock()
    os.kill(pid, signal.SIGTERM)
    deadline_ns = clock.monotonic_ns() + round(STOP_S * NS_PER_S)
    while is_alive(pid) and feed_pid(home, venue) == pid and clock.monotonic_ns() < deadline_ns:
        await clock.sleep(POLL_S)
    return True


def run_feed(home: Path, venue: str) -> None:
    """Run a venue's feed in this process until it is interrupted; see `engine.feed.process.run_feed`."""
    import asyncio

    from engine.feed.process import run_feed as run
    from safety.hardening import close_memory

    os.umask(0o077)
    close_memory()
    asyncio.run(run(home, dict(os.environ), venue))


def _log(home: Path, venue: str) -> Path:
    return HomePaths(home).run / f"feed-{venue}.log"


def _spawn(home: Path, venue: str) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, its words going to its log (0600). Raises `OSError`."""
    RealDisk().make_folder(HomePaths(home).run)
    command = [sys.executable, "-P", "-m", "engine.feed.process", "--home", str(home), "--venue", venue]
    with _log(home, venue).open("ab") as log:
        _log(home, venue).chmod(0o600)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


async def feed_candles(home: Path, venue: str, symbol: str, interval: str, limit: int) -> CandleSet:
    """Return the newest `limit` closed candles: stored ones first, then what the venue may be asked for.

    Raises `LookupError` for a symbol or interval that the venue's feed has not, `Refusal`, `BadData`.
    """
    from engine.feed.candles import CandleStore, Series
    from engine.feed.opening import configured_feed
    from engine.feed.source import CandleSource

    clock = SystemClock()
    public, limits = configured_feed(home, dict(os.environ), venue, clock)
    try:
        if symbol not in public.symbols or interval not in public.intervals:
            raise _no_series(venue, symbol, interval, public)
        series = Series(venue=venue, symbol=symbol, interval=interval)
        source = CandleSource(CandleStore(home, RealDisk()), clock, public if limits.allows_rest else None)
        now_ns = clock.now_ns()
        start_ns = (now_ns // series.step_ns - limit) * series.step_ns
        return await source.candles(series, start_ns, now_ns)
    finally:
        await public.close()


def _no_series(venue: str, symbol: str, interval: str, public: PublicVenue) -> LookupError:
    """Say that a venue's feed has not these candles, and what it has."""
    from safety.spelling import unlisted

    if symbol and symbol not in public.symbols:
        return LookupError(unlisted(symbol, venue, public.symbols))
    return LookupError(f"{venue} has no candles of {interval}; it has {', '.join(public.intervals)}")
