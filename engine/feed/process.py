"""The feed as a process: `python -m engine.feed.process --home HOME --venue VENUE`.

It hears one venue's public market, keeps its candles, tells an engine's bus whenever there is one, and
answers on a socket of its own. It holds no key and no order; an engine that dies takes nothing of it along.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from engine.api.endpoint import live_endpoint, read_credential
from engine.api.home import HomePaths
from engine.api.nats import NatsNet
from engine.failures import reason_code
from engine.feed.backfill import Backfill
from engine.feed.board import FeedBoard
from engine.feed.candles import CandleStore, Merge, Series, Source
from engine.feed.closing import ClosingBars
from engine.feed.messages import FeedHealth
from engine.feed.opening import OPENERS, FeedLimits, configured_feed, feed_lock
from engine.feed.outbox import Connect, Outbox
from engine.feed.questions import Desk, Socket
from engine.market.validation import BadData
from safety.beat import BeatPage, BeatState
from safety.hardening import close_memory
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from seams.disk import Disk, RealDisk
from seams.net import Net, NetDown
from venues.public import Candle, PublicEvent, PublicVenue

KEEP_S = 0.5
FILL_EVERY_S = 5.0
TAIL_EVERY_NS = 60 * NS_PER_S
"""A series is asked about at most so often, and not more often than it makes bars."""


class FeedProcess:
    """One venue's feed put together; everything from outside is handed in."""

    def __init__(
        self,
        venue: PublicVenue,
        store: CandleStore,
        home: Path,
        disk: Disk,
        clock: Clock,
        limits: FeedLimits,
        connect: Connect,
        pid: int,
        beat: BeatPage,
    ) -> None:
        self.venue, self._store, self._clock, self._limits = venue, store, clock, limits
        self._pid, self._beat = pid, beat
        self._boot_ns = clock.now_ns()
        self.board = FeedBoard(clock, venue.symbols, limits.top_ns)
        self.closing = ClosingBars()
        self.outbox = Outbox(venue.name, self._boot_ns, clock, connect)
        self.backfill = Backfill(venue, store, home, disk, clock)
        self.series = [
            Series(venue=venue.name, symbol=symbol, interval=interval)
            for symbol in venue.symbols
            for interval in venue.intervals
        ]
        self._asked_ns: dict[Series, int] = {}
        self._filled: set[Series] = set()
        self._doubtful: set[Series] = set()
        """Series in which the stream may have left something out."""
        self._newest_ns: dict[Series, int] = {}
        self.kept = Merge()
        self._problems: dict[tuple[str, Series], str] = {}
        """(keep or fill, series) -> what could not be stored or asked for, until it went well again."""

    async def run(self, stop: asyncio.Event) -> None:
        """Hear, keep and tell until `stop`; then end in order."""
        self.venue.start(self._take, self._whole)
        loop = asyncio.get_running_loop()
        work = [loop.create_task(self.outbox.run(), name="feed outbox")]
        work.append(loop.create_task(self._keep(), name="feed candles"))
        if self._limits.allows_rest:
            work.append(loop.create_task(self._fill(), name="feed back-fill"))
        for task in work:
            task.add_done_callback(lambda _: stop.set())
        try:
            await stop.wait()
            for task in work:
                if task.done():
                    task.result()  # a part that ended by itself is a defect: say which
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self.venue.close()
            self._beat.write(BeatState.STOPPED, self._clock.monotonic_ns(), self._pid)

    def health(self) -> FeedHealth:
        """Say how this process is."""
        return FeedHealth(
            venue=self.venue.name,
            pid=self._pid,
            boot_ns=self._boot_ns,
            at_ns=self._clock.now_ns(),
            is_whole=self.outbox.is_whole,
            is_on_bus=self.outbox.is_on_bus,
            events=self.board.events,
            pushes=self.outbox.pushes,
            dropped=self.outbox.dropped,
            breaks=self.venue.breaks,
            mids_age_ms=self.board.age_ms("mids"),
            candle_age_ms=self.board.age_ms("candle"),
            stale=self.board.stale(),
            symbols=self.board.health(),
            candles=self.kept,
            filled=len(self._filled),
            series=len(self.series),
            problem=next(iter(self._problems.values()), "") or self._stale_words(),
        )

    def _stale_words(self) -> str:
        ages = (
            ("mids", self.board.age_ms("mids"), self._limits.mids_ns),
            ("candles", self.board.age_ms("candle"), self._limits.candles_ns),
        )
        late = [what for what, age_ms, limit_ns in ages if (age_ms or 0) * NS_PER_MS > limit_ns]
        return f"{' and '.join(late)} make no progress" if late else ""

    def _take(self, event: PublicEvent) -> None:
        self.board.take(event)
        if isinstance(event, Candle):
            self.closing.take(event)
        self.outbox.put(event)

    def _whole(self, is_whole: bool) -> None:
        self.outbox.is_whole = is_whole
        if not is_whole:
            self.closing.broke()
            self._doubtful |= set(self.series)

    async def _keep(self) -> None:
        """Store what has closed, say what is stale, and beat after each whole turn."""
        while True:
            self.outbox.stale = self.board.stale()
            for (interval, symbol), bars in self.closing.due(self._clock.now_ns()).items():
                series = Series(venue=self.venue.name, symbol=symbol, interval=interval)
                try:
                    done = self._store.add(series, bars, Source.STREAM, self._clock.now_ns())
                except OSError as error:  # a full disk: kept in memory, tried again
                    self.closing.back(interval, bars)
                    self._problems["keep", series] = clean(f"{series.name} is not stored: {error}", 200)
                except BadData as error:
                    self._problems["keep", series] = clean(f"{series.name}: {error}", 200)
                else:
                    self._problems.pop(("keep", series), None)
                    self.kept = self.kept.plus(done)
                    for bar in bars:
                        if (
                            bar.open_ns
                            != self._newest_ns.get(series, bar.open_ns - series.step_ns) + series.step_ns
                        ):
                            self._doubtful.add(series)
                        self._newest_ns[series] = bar.open_ns
                        self.outbox.put(Candle(interval=interval, bar=bar, is_closed=True))
                await self._clock.sleep(0)  # quotes go on between two series
            self._beat.write(BeatState.RUNNING, self._clock.monotonic_ns(), self._pid)
            await self._clock.sleep(KEEP_S)

    async def _fill(self) -> None:
        """Ask for what the stream did not bring: all of it once, then what is behind."""
        while True:
            for series in self.series:
                if not self._is_due(series):
                    continue
                self._asked_ns[series] = self._clock.monotonic_ns()
                try:
                    await self._fill_one(series)
                    self._problems.pop(("fill", series), None)
                except (Refusal, BadData, OSError) as error:
                    self._problems["fill", series] = clean(f"{series.name}: {error}", 200)
                await self._clock.sleep(0)
            await self._clock.sleep(FILL_EVERY_S)

    async def _fill_one(self, series: Series) -> None:
        newest_ns = self._store.newest_ns(series)
        self._doubtful.discard(series)
        # The past before the first bar is asked for once in a life of this process.
        is_known = series in self._filled and newest_ns is not None
        from_ns = newest_ns if is_known else None
        found = await self.backfill.fill(series, from_ns, most_requests=self._limits.rest_requests)
        self.kept = self.kept.plus(found.merge)
        if found.is_whole:
            self._filled.add(series)

    def _is_due(self, series: Series) -> bool:
        if series not in self._filled and series not in self._asked_ns:
            return True
        since_ns = self._clock.monotonic_ns() - self._asked_ns.get(series, 0)
        if since_ns < max(TAIL_EVERY_NS, series.step_ns // 4):
            return False
        if series not in self._filled or series in self._doubtful or ("fill", series) in self._problems:
            return True
        behind_ns = self._clock.now_ns() - (self._store.newest_ns(series) or 0)
        return behind_ns > 2 * series.step_ns + TAIL_EVERY_NS


def bus_of(paths: HomePaths, venue: str) -> Connect:
    """Return how a feed finds the bus of its home's engine: a new one as soon as an engine starts one."""
    epoch = 0

    async def connect(net: Net | None) -> Net | None:
        nonlocal epoch
        endpoint = live_endpoint(paths)
        if net is not None and (endpoint is None or endpoint.epoch != epoch):
            await net.close()
            net = None
        if net is not None or endpoint is None:
            return net
        try:
            credential = read_credential(paths.run / "feed.creds")
            found = await NatsNet.connect(
                endpoint.url, credential.user, credential.password, f"feed {venue}", timeout_s=1.0
            )
        except (OSError, NetDown, msgspec.MsgspecError):
            return None
        epoch = endpoint.epoch
        return found

    return connect


async def run_feed(home: Path, environ: dict[str, str], venue: str) -> None:
    """Run one venue's feed until SIGTERM. Raises `AlreadyRunning`, `Refusal`, `ConfigError` or `OSError`."""
    clock, disk, paths = SystemClock(), RealDisk(), HomePaths(home)
    for folder in (paths.run, paths.safety):
        disk.make_folder(folder)
    lock = feed_lock(home, venue)
    lock.acquire()
    try:
        public, limits = configured_feed(home, environ, venue, clock)
        store = CandleStore(home, disk)
        connect, beat = bus_of(paths, venue), BeatPage.shared(paths.safety / f"feed-{venue}.beat")
        feed = FeedProcess(public, store, home, disk, clock, limits, connect, os.getpid(), beat)
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        socket = Socket(Desk(venue, feed.board, store, feed.health))
        await socket.open(paths.run, venue)
        sys.stdout.write(f"feed ready: {venue}, pid {os.getpid()}\n")
        sys.stdout.flush()
        try:
            await feed.run(stop)
        finally:
            await socket.close()
    finally:
        lock.release()


def main() -> int:
    """Run the feed of one venue. Exit 0 after an orderly stop, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="engine.feed.process", description="The Interlock feed.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--venue", choices=sorted(OPENERS), required=True)
    given = parser.parse_args()
    os.umask(0o077)
    close_memory()
    try:
        asyncio.run(run_feed(given.home.resolve(), dict(os.environ), given.venue))
    except Exception as error:
        code = reason_code(error)
        words = str(error).removeprefix(f"{code}: ") or type(error).__name__
        sys.stderr.write(f"feed will not start: {clean(f'{code}: {words}', 600)}\n")
        if os.environ.get("INTERLOCK_TRACEBACK"):
            raise
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
