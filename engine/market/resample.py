"""Bars of a longer interval from bars or trades of a shorter one, by the exchanges' own rule.

A bucket is aligned to UTC (weeks to Monday): open is the first price, high the highest, low the lowest,
close the last, volume the sum. A bar with zero volume and one single price is a placeholder that repeats
the last trade of an earlier bar; exchanges build a longer bar from trades alone, so a placeholder counts
only in a bucket that has nothing else (in a set without any volume, every bar counts). Buckets without
any bar are not invented.

Prices come out exactly as exchanges publish them. A volume is a sum of floats: it equals the published
one to a few parts in 1e16, unless the source itself disagrees between its intervals.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.market.catalogue import BarColumns, sealed
from engine.market.validation import MAX_GAPS_LISTED, phase_ns
from venues.types import Record

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Partial(StrEnum):
    """What happens to buckets that the bars do not fill.

    KEEP keeps every bucket with a bar. DROP drops the first and the last one where the bars do not reach
    its edge, and keeps holes. WHOLE drops every bucket that misses a bar.
    """

    KEEP = "keep"
    DROP = "drop"
    WHOLE = "whole"


class HoledBucket(Record):
    """A kept bucket that misses bars: its open time and how many."""

    open_ns: int
    missing_bars: int


class ResampleReport(Record):
    """What resampling did, in buckets of the longer interval, unless the name says bars.

    `complete + with_holes` are kept. A hole may be a pause of trading or a loss of data: the bars cannot
    tell. `missing_bars` counts the holes of kept buckets; `holes` names the largest.
    """

    from_interval_ns: int
    to_interval_ns: int
    partial: Partial
    bars_in: int
    complete: int
    with_holes: int
    missing_bars: int
    dropped_edges: int
    dropped_holed: int
    placeholder_bars: int
    holes: tuple[HoledBucket, ...]


class BadInterval(ValueError):
    """The longer interval is not a whole multiple of the shorter one; `code` is bad_parameter."""

    code = "bad_parameter"


def resample(
    bars: BarColumns, to_ns: int, partial: Partial = Partial.DROP
) -> tuple[BarColumns, ResampleReport]:
    """Make bars of `to_ns` nanoseconds; the result may be empty. Raises `BadInterval`."""
    step_ns = bars.interval_ns
    if to_ns <= step_ns or to_ns % step_ns or phase_ns(to_ns) % step_ns:
        raise BadInterval(f"{to_ns // 10**9} s is not a whole multiple of {step_ns // 10**9} s")
    times, firsts, counts = _buckets(bars.ts_ns, to_ns)
    missing = to_ns // step_ns - counts
    kept, edges, holed = _kept(bars.ts_ns, times, missing, step_ns, to_ns, partial)
    is_counted = _counted(bars, firsts, counts)
    made = _aggregate(bars, is_counted & np.repeat(kept, counts), to_ns)
    holes = np.flatnonzero(kept & (missing > 0))
    report = ResampleReport(
        from_interval_ns=step_ns,
        to_interval_ns=to_ns,
        partial=partial,
        bars_in=len(bars),
        complete=int((kept & (missing == 0)).sum()),
        with_holes=len(holes),
        missing_bars=int(missing[holes].sum()),
        dropped_edges=edges,
        dropped_holed=holed,
        placeholder_bars=len(bars) - int(is_counted.sum()),
        holes=tuple(
            HoledBucket(open_ns=int(times[at]), missing_bars=int(missing[at]))
            for at in holes[np.argsort(-missing[holes], kind="stable")][:MAX_GAPS_LISTED]
        ),
    )
    assert len(made) == report.complete + report.with_holes
    return made, report


def bars_of_trades(ts_ns: Times, price: Floats, size: Floats, interval_ns: int) -> BarColumns:
    """Make bars of trades in time order; trades of one instant keep the order they are given in.

    Intervals without a trade have no bar. The first and last bar may lack trades outside the span.
    """
    assert len(ts_ns) == len(price) == len(size) and interval_ns > 0
    assert (ts_ns[1:] >= ts_ns[:-1]).all()
    columns = {"open": price, "high": price, "low": price, "close": price, "volume": size}
    return _columns_of_groups(ts_ns, columns, interval_ns)


def _buckets(ts_ns: Times, to_ns: int) -> tuple[Times, Times, Times]:
    """Return the buckets' open times, the row of each first bar, and how many bars each has."""
    phase = phase_ns(to_ns)
    opens = (ts_ns - phase) // to_ns * to_ns + phase
    if not len(opens):
        return opens, opens, opens
    firsts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    counts = np.diff(np.append(firsts, len(opens)))
    return opens[firsts], firsts, counts


def _kept(
    ts_ns: Times, times: Times, missing: Times, step_ns: int, to_ns: int, partial: Partial
) -> tuple[Mask, int, int]:
    """Return which buckets stay, and how many were dropped as edges and for holes."""
    kept = np.ones(len(times), dtype=np.bool_)
    if partial is Partial.KEEP or not len(times):
        return kept, 0, 0
    if partial is Partial.WHOLE:
        kept = missing == 0
        return kept, 0, int((~kept).sum())
    kept[0] &= bool(ts_ns[0] == times[0])
    kept[-1] &= bool(ts_ns[-1] + step_ns == times[-1] + to_ns)
    return kept, int((~kept).sum()), 0


def _counted(bars: BarColumns, firsts: Times, counts: Times) -> Mask:
    """Return which bars count: all but placeholders in buckets that have a traded bar."""
    is_traded = ~((bars.volume == 0) & (bars.high == bars.low))
    if is_traded.all() or not bars.volume.any():
        return np.ones(len(bars), dtype=np.bool_)
    has_trade: Mask = np.logical_or.reduceat(is_traded, firsts)
    counted: Mask = is_traded | ~np.repeat(has_trade, counts)
    return counted


def _aggregate(bars: BarColumns, rows: Mask, to_ns: int) -> BarColumns:
    names = ("open", "high", "low", "close", "volume")
    if rows.all():
        return _columns_of_groups(bars.ts_ns, {name: getattr(bars, name) for name in names}, to_ns)
    return _columns_of_groups(bars.ts_ns[rows], {name: getattr(bars, name)[rows] for name in names}, to_ns)


def _columns_of_groups(ts_ns: Times, columns: dict[str, Floats], to_ns: int) -> BarColumns:
    times, firsts, counts = _buckets(ts_ns, to_ns)
    if not len(times):
        return sealed({"ts_ns": times, **columns}, to_ns)
    return sealed(
        {
            "ts_ns": times,
            "open": columns["open"][firsts],
            "high": np.maximum.reduceat(columns["high"], firsts),
            "low": np.minimum.reduceat(columns["low"], firsts),
            "close": columns["close"][firsts + counts - 1],
            "volume": np.add.reduceat(columns["volume"], firsts),
        },
        to_ns,
    )
