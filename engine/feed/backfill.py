"""Fetches what a series misses from its venue, in pages, and verifies a hole before it is called a gap.

What is asked for: the venue's past before the first bar, holes that are still open, and what has closed
since the last bar. Each page is asked with a bar of margin on both sides: only an answer that names both
neighbours of a hole, and nothing between them, says that the venue knows nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from engine.feed.candles import GRACE_NS, CandleStore, Merge, Series, Source, is_closed
from engine.feed.coverage import (
    ANSWERS_NEEDED,
    ASK_AGAIN_NS,
    HoleState,
    cap_of,
    holes_of,
    note_empty,
    reaches_back_to,
    read_asked,
)
from safety.reasons import Refusal
from seams.clock import NS_PER_S, Clock
from seams.disk import Disk
from venues.contract import Busy, OutcomeUnknown, Retryable, VenueError
from venues.public import CandleVenue
from venues.types import Bar, Record

PAUSE_S = 1.0
"""At least so long between two questions (OC-21)."""
TRIES = 4
BUSY_S, MOST_WAITS = 5.0, 24
"""How long to wait, and how often, where our own count of the venue's budget has no room."""
MOST_REQUESTS = 200
"""So many questions one call may ask; what is left is found open by the next."""
Progress = Callable[[int, int], None]
Stretch = tuple[int, int]


class Filled(Record):
    """What one back-fill did. `is_whole` is False where it ended before everything was asked."""

    series: str
    requests: int
    merge: Merge
    is_whole: bool


class Backfill:
    """Back-fills of one venue into one store; the caller holds the venue's lock."""

    def __init__(self, venue: CandleVenue, store: CandleStore, home: Path, disk: Disk, clock: Clock) -> None:
        self._venue, self._store, self._home = venue, store, home
        self._disk, self._clock = disk, clock
        self.requests = 0
        self._asked_ns = 0

    async def fill(
        self,
        series: Series,
        from_ns: int | None = None,
        *,
        most_requests: int = MOST_REQUESTS,
        on_progress: Progress | None = None,
    ) -> Filled:
        """Fetch what is missing from `from_ns` (None: as far back as the venue answers) until now.

        Raises `BadData` for bars that are none, `OSError`, and `Refusal` (venue_unreachable) where the
        venue does not answer; what came before stays stored.
        """
        done, first_requests = Merge(), self.requests
        head_ns = self._head(series, from_ns)
        for round_number in range(ANSWERS_NEEDED + 1):
            stretches = self._wanted(series, head_ns if round_number == 0 else None)
            if round_number and stretches:
                await self._clock.sleep(ASK_AGAIN_NS / NS_PER_S)
            # What is left after the first round are holes: their answers are short, whatever they span.
            page_bars = self._venue.page_bars if round_number == 0 else cap_of(series.venue)
            pages = _pages(stretches, page_bars * series.step_ns)
            for place, page in enumerate(pages):
                if self.requests - first_requests >= most_requests:
                    return self._told(series, first_requests, done, is_whole=False)
                done = done.plus(await self._page(series, page))
                if on_progress is not None:
                    on_progress(place + 1, len(pages))
            if not pages:
                break
        return self._told(series, first_requests, done, is_whole=True)

    def _head(self, series: Series, from_ns: int | None) -> int:
        reach_ns = reaches_back_to(series, self._clock.now_ns())
        step_ns = series.step_ns
        return reach_ns if from_ns is None else max(reach_ns, -(-from_ns // step_ns) * step_ns)

    def _wanted(self, series: Series, head_ns: int | None) -> list[Stretch]:
        """Return what to ask for, oldest first; `head_ns` is where the past begins, None once asked."""
        now_ns, step_ns = self._clock.now_ns(), series.step_ns
        end_ns, reach_ns = closed_until(series, now_ns), reaches_back_to(series, now_ns)
        rows = self._store.rows(series, reach_ns - step_ns)
        times = rows["ts_ns"]
        if not len(times):
            return [(head_ns, end_ns)] if head_ns is not None and head_ns < end_ns else []
        found: list[Stretch] = []
        if head_ns is not None and head_ns < int(times[0]):
            found.append((head_ns, int(times[0])))
        for hole in holes_of(rows, series, read_asked(self._home, self._disk, series), now_ns):
            if hole.state is HoleState.OPEN and hole.end_ns > reach_ns:
                found.append((max(hole.first_ns, reach_ns), hole.end_ns))
        tail_ns = max(int(times[-1]) + step_ns, reach_ns)
        if head_ns is not None and tail_ns < end_ns:
            found.append((tail_ns, end_ns))
        return found

    async def _page(self, series: Series, page: Stretch) -> Merge:
        """Ask for one page and store what came; remember the holes that its answer proves."""
        step_ns = series.step_ns
        bars = await self._ask(series, (page[0] - step_ns, page[1] + step_ns))
        now_ns = self._clock.now_ns()
        closed = [bar for bar in bars if is_closed(bar, now_ns)]
        done = self._store.add(series, closed, Source.REST, now_ns)
        named = sorted(bar.open_ns for bar in closed)
        empty = [(before + step_ns, after) for before, after in pairwise(named) if after - before > step_ns]
        if empty:
            note_empty(self._home, self._disk, series, empty, now_ns)
        return done

    async def _ask(self, series: Series, stretch: Stretch) -> Sequence[Bar]:
        """Ask, at least `PAUSE_S` after the last question; again where nothing is lost by it."""
        left, waits = TRIES, MOST_WAITS
        while True:
            wait_s = PAUSE_S - (self._clock.monotonic_ns() - self._asked_ns) / NS_PER_S
            if self._asked_ns and wait_s > 0:
                await self._clock.sleep(wait_s)
            self._asked_ns = self._clock.monotonic_ns()
            self.requests += 1
            try:
                return await self._venue.candles(series.symbol, series.interval, *stretch)
            except Busy as error:
                waits -= 1
                if not waits:
                    raise Refusal("venue_unreachable", f"{series.name}: {error}") from error
                await self._clock.sleep(BUSY_S)
            except (Retryable, OutcomeUnknown) as error:  # a question: asking again changes nothing
                left -= 1
                if not left:
                    raise Refusal("venue_unreachable", f"{series.name}: {error}") from error
                await self._clock.sleep(PAUSE_S * (TRIES - left))
            except VenueError as error:
                raise Refusal("venue_unreachable", f"{series.name}: {error}") from error

    def _told(self, series: Series, first_requests: int, done: Merge, *, is_whole: bool) -> Filled:
        requests = self.requests - first_requests
        return Filled(series=series.name, requests=requests, merge=done, is_whole=is_whole)


def closed_until(series: Series, now_ns: int) -> int:
    """Return the open time of the first bar that is not closed, with its grace, by now."""
    return (now_ns - GRACE_NS) // series.step_ns * series.step_ns


def _pages(stretches: Sequence[Stretch], page_ns: int) -> list[Stretch]:
    """Cut into pages of at most `page_ns`, and join neighbours that one page can answer together."""
    found: list[Stretch] = []
    for start_ns, end_ns in stretches:
        if found and end_ns - found[-1][0] <= page_ns:
            found[-1] = (found[-1][0], end_ns)
            continue
        for at_ns in range(start_ns, end_ns, page_ns):
            found.append((at_ns, min(at_ns + page_ns, end_ns)))
    return found
