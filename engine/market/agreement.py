"""Does a set agree with another source, and would it agree better if its times were the bars' close?

A file cannot say alone which end of a bar its times mean. Against bars of the same market from elsewhere,
the returns tell: under the right reading they move together, one interval off they do so less.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from engine.market.catalogue import BarColumns
from engine.market.quality import Finding, finding
from engine.market.resample import Partial, resample
from seams.clock import iso_z
from venues.types import Record

MIN_COMMON_BARS = 50
MIN_CORRELATION = 0.9
BETTER_BY = 3.0
"""The shifted reading must leave at most a third of the disagreement."""


class Agreement(Record):
    """Correlation of log returns with the other source, as the times stand and moved back one interval."""

    common_bars: int
    first_ns: int
    last_ns: int
    as_open: float
    as_close: float


class NoOverlap(ValueError):
    """The sets have too few bars in common; `code` is windows_disjoint."""

    code = "windows_disjoint"


def agreement(bars: BarColumns, other: BarColumns) -> Agreement:
    """Compare the returns of two sets at the longer of their intervals.

    Raises `NoOverlap`, or `BadInterval` where neither interval is a multiple of the other.
    """
    to_ns = max(bars.interval_ns, other.interval_ns)
    reference = _at(other, to_ns)
    times, as_open = _correlation(_at(bars, to_ns), reference)
    moved = msgspec.structs.replace(bars, ts_ns=bars.ts_ns - bars.interval_ns)
    _, as_close = _correlation(_at(moved, to_ns), reference)
    return Agreement(
        common_bars=len(times),
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        as_open=as_open,
        as_close=as_close,
    )


def agreement_findings(found: Agreement) -> tuple[Finding, ...]:
    """Return the finding that the times are closes, where the returns say so."""
    is_shifted = (
        found.as_close > MIN_CORRELATION and (1 - found.as_close) * BETTER_BY < 1 - found.as_open
    )  # fmt: skip
    if not is_shifted:
        return ()
    detail = f"correlation {found.as_close:.4f} instead of {found.as_open:.4f} over {found.common_bars} bars"
    return (finding("shifted_stamps", [], detail=f"{detail} from {iso_z(found.first_ns)}"),)


def _at(bars: BarColumns, to_ns: int) -> BarColumns:
    return bars if bars.interval_ns == to_ns else resample(bars, to_ns, Partial.KEEP)[0]


def _correlation(bars: BarColumns, other: BarColumns) -> tuple[np.ndarray, float]:
    times, ours, theirs = np.intersect1d(bars.ts_ns, other.ts_ns, assume_unique=True, return_indices=True)
    is_near = np.diff(times) == bars.interval_ns
    left, right = (np.diff(np.log(each))[is_near] for each in (bars.close[ours], other.close[theirs]))
    if len(left) < MIN_COMMON_BARS or not (left.std() and right.std()):
        raise NoOverlap(f"{len(left)} returns in common; at least {MIN_COMMON_BARS} that move are needed")
    found = float(np.corrcoef(left, right)[0, 1])
    assert math.isfinite(found)
    return times, found
