"""Funding of perpetual futures: stored rates, and the payments that fall into a window of bars.

Sign: a positive rate is paid by longs to shorts. A payment changes cash by
`-signed size * mark price * rate`, at the venue's time and before anything else of that moment.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from engine.market.catalogue import BarColumns
from seams.clock import NS_PER_S, iso_z
from venues.types import Record

SIGN = "a positive rate is paid by longs to shorts"
SNAP_NS = 60 * NS_PER_S
"""Venues stamp a payment some milliseconds after its hour; closer than this it belongs to the hour."""
HOUR_NS = 3_600 * NS_PER_S
MAX_ABS_RATE = 0.1
"""A rate beyond ten percent for one payment is a wrong unit (percent, or yearly), not a rate."""
MARK_ASSUMPTION = "mark price = close of the last bar that ended at or before the payment"
DTYPE = np.dtype([("ts_ns", "<i8"), ("rate", "<f8"), ("mark", "<f8")])
"""One payment, as the simulated exchange takes it."""

Times = NDArray[np.int64]
Rates = NDArray[np.float64]


class FundingInfo(Record):
    """A stored funding series. `intervals_h` are the hours between payments that occur at least twice, most
    frequent first; `missing` counts the payments that the neighbours' interval leaves out;
    `largest_delay_ms` is the furthest that a recorded time stood from its hour. Times are UTC ns."""

    venue: str
    symbol: str
    rows: int
    first_ns: int
    last_ns: int
    intervals_h: tuple[int, ...]
    missing: int
    largest_delay_ms: int
    sign: str
    content_sha256: str
    source_name: str
    source_sha256: str
    imported_ns: int


class FundingWindow(Record):
    """Payments inside a window, for the simulated exchange: a `DTYPE` array in time order.

    `assumption` says where mark prices came from. `from_marks` payments have the venue's own mark price.
    `missing` counts payments that the series lacks inside the window.
    """

    payments: NDArray[np.void]
    from_marks: int
    missing: int
    assumption: str
    content_sha256: str


class FundingIncomplete(ValueError):
    """The stored funding does not cover the window; `code` is funding_missing."""

    code = "funding_missing"


def snapped(ts_ns: Times) -> tuple[Times, int]:
    """Return times on their hour where they are within a minute of it, and the largest distance in ms.

    A payment that the venue made later keeps its recorded time: that is when cash moved.
    """
    hours = (ts_ns + HOUR_NS // 2) // HOUR_NS * HOUR_NS
    distance = np.abs(ts_ns - hours)
    return np.where(distance <= SNAP_NS, hours, ts_ns), int(distance.max()) // 10**6


def intervals_of(ts_ns: Times) -> tuple[int, ...]:
    """Return the whole hours between payments that occur at least twice, most frequent first."""
    steps = _hours_between(ts_ns)
    hours, counts = np.unique(steps, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(int(hours[at]) for at in order if counts[at] > 1 or len(steps) == 1)


def missing_in(ts_ns: Times) -> Times:
    """Return how many payments are left out after each one but the last.

    A step that both neighbours' shorter step divides is a hole; where the step changes for good (a venue
    that goes from eight hours to one) nothing is missing.
    """
    steps = _hours_between(ts_ns)
    if not len(steps):
        return steps
    before = np.concatenate((steps[:1], steps[:-1]))
    after = np.concatenate((steps[1:], steps[-1:]))
    usual = np.maximum(before, after)
    return np.where((steps > usual) & (steps % usual == 0), steps // usual - 1, 0)


def sha256_of(ts_ns: Times, rates: Rates) -> str:
    """Return the content hash: sha256 over the little-endian bytes of the times, then of the rates."""
    digest = hashlib.sha256(np.ascontiguousarray(ts_ns, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(rates, dtype="<f8").tobytes())
    return digest.hexdigest()


def window(
    ts_ns: Times, rates: Rates, bars: BarColumns, marks: BarColumns | None = None, max_missing: int = 0
) -> FundingWindow:
    """Return the payments from the first bar's open to the last bar's close, with their mark prices.

    A mark is the open of the bar of `marks` that begins at the payment, else `MARK_ASSUMPTION` holds (for
    a payment at the very start: the first bar's open). Raises `FundingIncomplete` where the series lacks
    more than `max_missing` payments of the window, at its ends or inside.
    """
    assert len(ts_ns) == len(rates) and len(ts_ns) and len(bars)
    start, end = int(bars.ts_ns[0]), int(bars.ts_ns[-1]) + bars.interval_ns
    first, last = (int(at) for at in np.searchsorted(ts_ns, (start, end), side="left"))
    missing = int(missing_in(ts_ns)[max(0, first - 1) : last].sum()) + _missing_at_ends(ts_ns, start, end)
    if missing > max_missing:
        raise FundingIncomplete(
            f"{missing} payments are missing from {iso_z(start)} to {iso_z(end)}; "
            f"stored are {iso_z(int(ts_ns[0]))} to {iso_z(int(ts_ns[-1]))}"
        )
    payments = np.zeros(last - first, DTYPE)
    payments["ts_ns"], payments["rate"] = ts_ns[first:last], rates[first:last]
    payments["mark"], from_marks = _marks(payments["ts_ns"], bars, marks)
    return FundingWindow(
        payments=payments,
        from_marks=from_marks,
        missing=missing,
        assumption="" if from_marks == len(payments) else MARK_ASSUMPTION,
        content_sha256=hashlib.sha256(payments.tobytes()).hexdigest(),
    )


def _hours_between(ts_ns: Times) -> Times:
    """Whole hours; late payments count as of the hour they are nearest to."""
    hours = (ts_ns + HOUR_NS // 2) // HOUR_NS
    return np.diff(hours)


def _missing_at_ends(ts_ns: Times, start: int, end: int) -> int:
    """Count payments due before the first stored one and after the last, at the longest known interval."""
    step = max(intervals_of(ts_ns) or (8,)) * HOUR_NS
    return max(0, (int(ts_ns[0]) - start) // step) + max(0, (end - 1 - int(ts_ns[-1])) // step)


def _marks(times: Times, bars: BarColumns, marks: BarColumns | None) -> tuple[Rates, int]:
    """Return a mark price for each payment, and how many are the venue's own."""
    row = np.searchsorted(bars.ts_ns + bars.interval_ns, times, side="right") - 1
    found = np.where(row >= 0, bars.close[np.maximum(row, 0)], bars.open[0])
    if marks is None or not len(marks):
        return found, 0
    at = np.minimum(np.searchsorted(marks.ts_ns, times), len(marks) - 1)
    is_own = marks.ts_ns[at] == times
    return np.where(is_own, marks.open[at], found), int(is_own.sum())
