"""Candles in the order of preference: stored here, held by the stream, then a bounded REST (OC-19).

Every set says where each of its bars came from; what is missing afterwards is said too, and never made up.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.feed.backfill import closed_until
from engine.feed.candles import CandleStore, Series, Source, bars_of, is_closed
from engine.feed.coverage import reaches_back_to
from seams.clock import Clock
from venues.contract import VenueError
from venues.public import CandleVenue
from venues.types import Bar, Record

LOCAL, STREAM, REST = "local", "stream", "rest"
ORDER = (LOCAL, STREAM, REST)


class CandleSet(Record):
    """Closed bars, oldest first. `sources` counts them by where they came from now (local, stream, rest),
    `recorded` those from the store by what had brought them there. `problem` says why nothing was asked."""

    series: Series
    bars: tuple[Bar, ...]
    sources: dict[str, int]
    recorded: dict[str, int]
    missing_bars: int
    problem: str = ""


class CandleSource:
    """One way to a series. `venue` None: REST is not allowed, and what is missing stays missing."""

    def __init__(
        self, store: CandleStore, clock: Clock, venue: CandleVenue | None, most_requests: int = 4
    ) -> None:
        self._store, self._clock, self._venue, self._most = store, clock, venue, most_requests

    async def candles(
        self, series: Series, start_ns: int, end_ns: int, streamed: Sequence[Bar] = ()
    ) -> CandleSet:
        """Return the closed bars that open in `start_ns <= t < end_ns`; `streamed` is what a stream holds.

        Nothing is written: whoever keeps the venue's candles does that. Raises `BadData` for a store that
        cannot be read; a venue that does not answer leaves bars missing and is named in `problem`.
        """
        now_ns, step_ns = self._clock.now_ns(), series.step_ns
        first_ns = -(-start_ns // step_ns) * step_ns
        last_ns = min(-(-end_ns // step_ns) * step_ns, closed_until(series, now_ns))
        rows = self._store.rows(series, first_ns, last_ns)
        found = {bar.open_ns: (bar, LOCAL) for bar in bars_of(rows, series)}
        for bar in streamed:
            if first_ns <= bar.open_ns < last_ns and is_closed(bar, now_ns):
                found.setdefault(bar.open_ns, (bar, STREAM))
        problem = ""
        if self._venue is not None:
            problem = await self._ask(self._venue, series, (first_ns, last_ns), found, now_ns)
        elif len(found) < (last_ns - first_ns) // step_ns:
            problem = "REST is not allowed (feed.allows_rest)"
        told = [found[at_ns] for at_ns in sorted(found)]
        return CandleSet(
            series=series,
            bars=tuple(bar for bar, _ in told),
            sources={name: count for name in ORDER if (count := sum(where == name for _, where in told))},
            recorded={
                source.name.lower(): count
                for source in Source
                if (count := int((rows["source"] == source).sum()))
            },
            missing_bars=max(0, (last_ns - first_ns) // step_ns) - len(told),
            problem=problem,
        )

    async def _ask(
        self,
        venue: CandleVenue,
        series: Series,
        window: tuple[int, int],
        found: dict[int, tuple[Bar, str]],
        now_ns: int,
    ) -> str:
        """Ask for what is missing and within reach, at most so many pages; return why it ended early."""
        step_ns, asked = series.step_ns, 0
        at_ns = max(window[0], reaches_back_to(series, now_ns))
        while at_ns < window[1]:
            if at_ns in found:
                at_ns += step_ns
                continue
            if asked == self._most:
                return f"{asked} questions were asked; more are not allowed at once"
            asked += 1
            page_end_ns = min(at_ns + venue.page_bars * step_ns, window[1])
            try:
                bars = await venue.candles(series.symbol, series.interval, at_ns, page_end_ns)
            except VenueError as error:
                return f"{venue.name} did not answer: {error}"
            for bar in bars:
                if window[0] <= bar.open_ns < window[1] and is_closed(bar, now_ns):
                    found.setdefault(bar.open_ns, (bar, REST))
            at_ns = page_end_ns
        return ""
