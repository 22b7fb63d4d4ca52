"""What a series of candles holds and what it misses, and whether the venue itself was asked about each hole.

A hole is an interval with a bar before and a bar after it. It becomes a verified gap only when the venue,
asked twice with a pause, named both neighbours and nothing between them. What lies further back than the
venue's cap can no longer be asked.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np

from engine.feed.candles import CandleStore, Rows, Series, Source, folder_of
from engine.market.backfill import CAP_BARS, DEFAULT_CAP_BARS
from seams.clock import NS_PER_S
from seams.disk import Disk
from venues.types import Record

ASKED_FILE = "asked.json"
ANSWERS_NEEDED = 2
ASK_AGAIN_NS = 10 * NS_PER_S
"""Two answers count as two only so far apart."""
MAX_HOLES = 1_000
"""So many holes are listed, the newest; all are counted."""


class HoleState(StrEnum):
    OPEN = "open"
    """Not, or not often enough, asked about."""
    VERIFIED = "verified"
    """The venue knows no bar there either."""
    OUT_OF_REACH = "out_of_reach"
    """Older than what the venue still answers."""


class Hole(Record):
    """Bars that are missing between two that are there: `first_ns <= t < end_ns` are their open times."""

    first_ns: int
    end_ns: int
    missing_bars: int
    state: HoleState
    answers: int


class Asked(Record):
    """The venue knew no bar that opens in `first_ns <= t < end_ns`: so many times, lastly at `at_ns`."""

    first_ns: int
    end_ns: int
    answers: int
    at_ns: int


class Coverage(Record):
    """One series as of `as_of_ns`. `behind_bars` closed bars follow the newest; the venue answers back to
    `reaches_back_to_ns`, `beyond_cap_bars` of ours are older than that."""

    venue: str
    symbol: str
    interval: str
    bars: int
    first_ns: int
    last_ns: int
    sources: dict[str, int]
    missing_bars: int
    open_holes: int
    verified_gaps: int
    out_of_reach: int
    holes: tuple[Hole, ...]
    cap_bars: int
    beyond_cap_bars: int
    reaches_back_to_ns: int
    behind_bars: int
    as_of_ns: int


def coverage(store: CandleStore, home: Path, disk: Disk, series: Series, now_ns: int) -> Coverage:
    """Judge one series that has bars. Raises `BadData`."""
    rows = store.rows(series)
    holes = holes_of(rows, series, read_asked(home, disk, series), now_ns)
    times, step_ns = rows["ts_ns"], series.step_ns
    reach_ns = reaches_back_to(series, now_ns)
    count = {state: sum(hole.state is state for hole in holes) for state in HoleState}
    return Coverage(
        venue=series.venue,
        symbol=series.symbol,
        interval=series.interval,
        bars=len(times),
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        sources={
            source.name.lower(): int((rows["source"] == source).sum())
            for source in Source
            if (rows["source"] == source).any()
        },
        missing_bars=sum(hole.missing_bars for hole in holes),
        open_holes=count[HoleState.OPEN],
        verified_gaps=count[HoleState.VERIFIED],
        out_of_reach=count[HoleState.OUT_OF_REACH],
        holes=tuple(holes[-MAX_HOLES:]),
        cap_bars=cap_of(series.venue),
        beyond_cap_bars=int(np.searchsorted(times, reach_ns)),
        reaches_back_to_ns=reach_ns,
        behind_bars=max(0, now_ns // step_ns - int(times[-1]) // step_ns - 1),
        as_of_ns=now_ns,
    )


def cap_of(venue: str) -> int:
    """Return how many of its newest bars a venue answers."""
    return CAP_BARS.get(venue, DEFAULT_CAP_BARS)


def reaches_back_to(series: Series, now_ns: int) -> int:
    """Return the open time of the oldest bar that the venue still answers."""
    return (now_ns // series.step_ns - cap_of(series.venue) + 1) * series.step_ns


def holes_of(rows: Rows, series: Series, asked: tuple[Asked, ...], now_ns: int) -> list[Hole]:
    """Return every hole between the bars, oldest first."""
    times, step_ns = rows["ts_ns"].astype(np.int64), series.step_ns
    reach_ns = reaches_back_to(series, now_ns)
    found = []
    for place in np.flatnonzero(np.diff(times) > step_ns):
        first_ns, end_ns = int(times[place]) + step_ns, int(times[place + 1])
        answers = max(
            (each.answers for each in asked if each.first_ns <= first_ns and end_ns <= each.end_ns), default=0
        )
        if answers >= ANSWERS_NEEDED:
            state = HoleState.VERIFIED
        else:
            state = HoleState.OUT_OF_REACH if end_ns <= reach_ns else HoleState.OPEN
        missing = (end_ns - first_ns) // step_ns
        found.append(
            Hole(first_ns=first_ns, end_ns=end_ns, missing_bars=missing, state=state, answers=answers)
        )
    return found


def read_asked(home: Path, disk: Disk, series: Series) -> tuple[Asked, ...]:
    """Return what the venue was asked about; a file that cannot be read says nothing was."""
    try:
        data = disk.read(folder_of(home, series) / ASKED_FILE)
        return msgspec.json.decode(data, type=tuple[Asked, ...])
    except (FileNotFoundError, msgspec.MsgspecError):
        return ()


def note_empty(home: Path, disk: Disk, series: Series, empty: list[tuple[int, int]], now_ns: int) -> None:
    """Remember that the venue, asked now, knew no bar in these stretches (`first_ns <= t < end_ns`)."""
    before = read_asked(home, disk, series)
    kept = {(each.first_ns, each.end_ns): each for each in before}
    for first_ns, end_ns in empty:
        known = kept.get((first_ns, end_ns))
        if known is not None and now_ns - known.at_ns < ASK_AGAIN_NS:
            continue
        answers = 1 if known is None else min(known.answers + 1, ANSWERS_NEEDED)
        kept[first_ns, end_ns] = Asked(first_ns=first_ns, end_ns=end_ns, answers=answers, at_ns=now_ns)
    after = tuple(sorted(kept.values(), key=lambda each: (each.first_ns, each.end_ns)))
    if after != before:
        path = folder_of(home, series) / ASKED_FILE
        disk.make_folder(path.parent)
        disk.write_atomic(path, msgspec.json.format(msgspec.json.encode(after), indent=1))
