"""What a reader of prices should know about a set before believing it: findings with rows, times and advice.

Errors make a file unfit for import; warnings and notes are facts about a set that is kept. Nothing here
changes data. Prices are judged in logarithms, so that a fall to a half weighs as much as a rise to double.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.validation import CODES, COLUMNS, MAX_GAPS_LISTED, PRICES, Columns, check
from seams.clock import NS_PER_MS, iso_z
from venues.types import Record

MAX_ROWS_LISTED = 20
OUTLIER_MADS = 20.0
"""A return this many robust standard deviations from the median is named."""
FLASH_LOG = float(np.log(1.5))
"""A price this far from both neighbours' closes, and back within a bar, is a flash print."""
STALE_BARS = 30
"""As many bars on one price without volume, or without any movement, are named."""
DEAD_BARS = 168
"""As many motionless bars to the end of a set mean a market that died (a week of hours)."""
SESSION_GAP_BARS = 10
SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is one (Rousseeuw 1993)."""

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


class Severity(StrEnum):
    """ERROR refuses an import; WARNING asks for a look; NOTE is a fact."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Span(Record):
    """Bars in a row: the open times of the first and last, UTC ns, and how many."""

    first_ns: int
    last_ns: int
    bars: int


class Finding(Record):
    """One kind of peculiarity. `rows` are the first data rows concerned (see `ROW_MEANING`), the most
    severe first for prices; `count` is complete; `spans` are the longest."""

    code: str
    severity: Severity
    count: int
    rows: tuple[int, ...]
    spans: tuple[Span, ...]
    message: str
    correction: str


class _Kind(NamedTuple):
    severity: Severity
    message: str
    correction: str


KINDS: dict[str, _Kind] = {
    "gap": _Kind(
        Severity.NOTE,
        "bars are missing; a venue that omits minutes without a trade leaves the same picture",
        "compare with the venue; import the missing span where trading went on",
    ),
    "duplicate_identical": _Kind(
        Severity.ERROR, "rows are repeated word for word", "import with --repair dedupe"
    ),
    "conflicting_duplicate": _Kind(
        Severity.ERROR, CODES["conflicting_duplicate"], "fetch these bars again; no repair chooses for you"
    ),
    "out_of_order": _Kind(
        Severity.ERROR, "a row is older than the one above it", "import with --repair sort"
    ),
    "zero_volume": _Kind(
        Severity.NOTE,
        "bars without any trade repeat an older price",
        "do not count on filling an order in such a bar",
    ),
    "flash_print": _Kind(
        Severity.WARNING,
        "a price far from both neighbours that is gone one bar later: a bad print, or one nobody could trade",
        "look at the bar; a stop or a low of the day that depends on it means nothing",
    ),
    "return_outlier": _Kind(
        Severity.NOTE,
        f"returns beyond {OUTLIER_MADS:g} robust standard deviations",
        "look whether the market or the data moved (a split, another instrument, a change of quote)",
    ),
    "stale_run": _Kind(
        Severity.WARNING,
        "the price stands still for long; the feed or the market had stopped",
        "leave the span out of a back-test, or do not trade in it",
    ),
    "dead_tail": _Kind(
        Severity.WARNING,
        "the set ends in a standstill: the market was halted or delisted",
        "end the test where the tail begins, and keep the market in the universe until then",
    ),
    "close_stamps": _Kind(
        Severity.WARNING,
        "after pauses the first bar comes one interval late: the times may be the bars' close",
        "compare with another source (--against); import with --stamps close if it is so",
    ),
    "shifted_stamps": _Kind(
        Severity.ERROR,
        "moved back by one interval, the bars agree better with the other source: the times are closes",
        "import with --stamps close",
    ),
}
"""Code -> severity, meaning, advice; the codes of `validation.CODES` are errors with their own meaning."""


def findings_of(columns: Columns, interval_ns: int) -> tuple[Finding, ...]:
    """Examine equal-length columns (`ts_ms` open times in any order); errors first, then by code."""
    found = _rule_findings(columns, interval_ns)
    rows = _usable_rows(columns)
    if len(rows):
        is_whole = len(rows) == len(columns["ts_ms"]) and bool((rows[1:] > rows[:-1]).all())
        bars = {name: columns[name] if is_whole else columns[name][rows] for name in COLUMNS}
        found += _bar_findings(bars, rows, interval_ns)
    ranks = list(Severity)
    return tuple(sorted(found, key=lambda each: (ranks.index(each.severity), each.code)))


def finding(
    code: str, rows: Sequence[int] | Rows, *, spans: Sequence[Span] = (), count: int = -1, detail: str = ""
) -> Finding:
    """Make a finding of a known kind; `rows` are data rows from 1."""
    kind = KINDS[code]
    return Finding(
        code=code,
        severity=kind.severity,
        count=len(rows) if count < 0 else count,
        rows=tuple(int(row) for row in rows[:MAX_ROWS_LISTED]),
        spans=tuple(spans[:MAX_GAPS_LISTED]),
        message=f"{kind.message}; {detail}" if detail else kind.message,
        correction=kind.correction,
    )


def _rule_findings(columns: Columns, interval_ns: int) -> list[Finding]:
    """Findings of the import's own rules; order and duplicates are told apart further."""
    problems, counts = check(columns, interval_ns)
    found = []
    for code, count in counts.items():
        if code in ("duplicate_timestamp", "out_of_order"):
            continue
        named = [problem for problem in problems if problem.code == code]
        found.append(
            Finding(
                code=code,
                severity=Severity.ERROR,
                count=count,
                rows=tuple(problem.row for problem in named[:MAX_ROWS_LISTED]),
                spans=(),
                message=named[0].message,
                correction="correct the rows at their source and import again",
            )
        )
    return found + _order_findings(columns)


def _order_findings(columns: Columns) -> list[Finding]:
    ts_ms = np.asarray(columns["ts_ms"]).astype(np.int64, copy=False)
    backwards = np.flatnonzero(ts_ms[1:] < ts_ms[:-1]) + 1
    found = []
    if len(backwards):
        detail = "the file runs newest first" if is_newest_first(ts_ms) else ""
        found.append(finding("out_of_order", backwards + 1, detail=detail))
    identical, conflicting = duplicates_of(columns)
    if len(identical):
        found.append(finding("duplicate_identical", identical + 1))
    if len(conflicting):
        found.append(finding("conflicting_duplicate", conflicting + 1))
    return found


def is_newest_first(ts_ms: NDArray[np.int64]) -> bool:
    """Tell whether nearly every row is older than the one above."""
    return int((ts_ms[1:] < ts_ms[:-1]).sum()) * 10 > 9 * (len(ts_ms) - 1)


def duplicates_of(columns: Columns) -> tuple[Rows, Rows]:
    """Return the rows (from 0) that repeat an earlier row's time: identical ones, and conflicting ones."""
    ts_ms = np.asarray(columns["ts_ms"]).astype(np.int64, copy=False)
    if (ts_ms[1:] > ts_ms[:-1]).all():
        return np.array([], np.int64), np.array([], np.int64)
    order = np.argsort(ts_ms, kind="stable")
    times = ts_ms[order]
    is_first = np.concatenate(([True], times[1:] != times[:-1]))
    first_of = order[np.maximum.accumulate(np.where(is_first, np.arange(len(times)), 0))]
    later, first = order[~is_first], first_of[~is_first]
    is_same = np.ones(len(later), np.bool_)
    for name in COLUMNS[1:]:
        is_same &= columns[name][later] == columns[name][first]
    return np.sort(later[is_same]), np.sort(later[~is_same])


def _usable_rows(columns: Columns) -> Rows:
    """Return rows in time order, one for each time, with finite positive prices."""
    is_usable = np.isfinite(columns["volume"])
    for name in PRICES:
        is_usable &= np.isfinite(columns[name]) & (columns[name] > 0)
    rows = np.arange(len(is_usable)) if is_usable.all() else np.flatnonzero(is_usable)
    times = np.asarray(columns["ts_ms"])[rows]
    return rows if (times[1:] > times[:-1]).all() else rows[np.unique(times, return_index=True)[1]]


def _bar_findings(bars: Columns, rows: Rows, interval_ns: int) -> list[Finding]:
    ts_ns = np.asarray(bars["ts_ms"]).astype(np.int64) * NS_PER_MS
    found: list[Finding] = []
    for judge in JUDGES:
        each = judge(bars, ts_ns, rows + 1, interval_ns)
        found += [each] if each is not None else []
    return found


def _gaps(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    missing = np.diff(ts_ns) // interval_ns - 1
    at = np.flatnonzero(missing > 0)
    if not len(at):
        return None
    widest = at[np.argsort(-missing[at], kind="stable")]
    spans = [
        Span(
            first_ns=int(ts_ns[i]) + interval_ns,
            last_ns=int(ts_ns[i + 1]) - interval_ns,
            bars=int(missing[i]),
        )
        for i in widest[:MAX_GAPS_LISTED]
    ]
    detail = f"{int(missing[at].sum())} bars in {len(at)} gaps"
    return finding("gap", rows[at + 1], spans=spans, detail=detail)


def _zero_volume(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    empty = np.flatnonzero(bars["volume"] == 0)
    if not len(empty):
        return None
    return finding("zero_volume", rows[empty], detail=f"{len(empty) / len(rows):.2%} of the bars")


def _returns(bars: Columns, ts_ns: Rows, interval_ns: int) -> tuple[NDArray[np.float64], Mask]:
    """Return log returns of closes, and which are between neighbouring bars."""
    returns = np.diff(np.log(bars["close"]))
    return returns, np.diff(ts_ns) == interval_ns


def _outliers(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    returns, is_near = _returns(bars, ts_ns, interval_ns)
    moving = returns[is_near & (returns != 0)]
    if len(moving) < 100:
        return None
    centre = float(np.median(moving))
    sigma = SIGMA_OF_MAD * float(np.median(np.abs(moving - centre)))
    far = np.abs(returns - centre)
    at = np.flatnonzero(is_near & (far > OUTLIER_MADS * sigma))
    if not len(at):
        return None
    worst = at[np.argsort(-far[at], kind="stable")]
    top = int(worst[0])
    detail = f"the largest is {np.expm1(returns[top]):+.2%} at {iso_z(int(ts_ns[top + 1]))}"
    return finding("return_outlier", rows[worst + 1], detail=detail)


def _flash_prints(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    """A bar's extreme is a flash print when it is far from the close before and from the next close."""
    if len(rows) < 3:
        return None
    closes = np.log(bars["close"])
    before, after = closes[:-2], closes[2:]
    deepest = np.zeros(len(before))
    for name in PRICES:
        price = np.log(bars[name][1:-1])
        is_same_side = (price > before) == (price > after)
        depth = np.where(is_same_side, np.minimum(np.abs(price - before), np.abs(price - after)), 0.0)
        deepest = np.maximum(deepest, depth)
    at = np.flatnonzero(deepest > FLASH_LOG) + 1
    if not len(at):
        return None
    worst = at[np.argsort(-deepest[at - 1], kind="stable")]
    top = int(worst[0])
    shown = " ".join(f"{name} {float(bars[name][top]):g}" for name in PRICES)
    return finding("flash_print", rows[worst], detail=f"the worst is {shown} at {iso_z(int(ts_ns[top]))}")


def _still_runs(bars: Columns) -> list[tuple[int, int]]:
    """Return (first, last) places of runs without any movement, the longest first."""
    is_still = np.zeros(len(bars["close"]) + 1, np.bool_)
    is_flat = bars["high"] == bars["low"]
    is_still[1:-1] = is_flat[1:] & is_flat[:-1] & (bars["close"][1:] == bars["close"][:-1])
    edges = np.flatnonzero(np.diff(is_still.astype(np.int8)))
    runs = [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
    return sorted(runs, key=lambda run: run[0] - run[1])


def _stale_runs(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    end = len(rows) - 1
    runs = [
        (first, last)
        for first, last in _still_runs(bars)
        if last - first + 1 >= STALE_BARS and not (last == end and last - first + 1 >= DEAD_BARS)
    ]
    if not runs:
        return None
    spans = [_span(ts_ns, first, last) for first, last in runs]
    return finding("stale_run", rows[[first for first, _ in runs]], spans=spans)


def _dead_tail(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    begin = dead_tail(bars)
    if begin is None:
        return None
    span = _span(ts_ns, begin, len(rows) - 1)
    return finding("dead_tail", rows[begin : begin + 1], spans=[span], detail=f"since {iso_z(span.first_ns)}")


def dead_tail(bars: Columns) -> int | None:
    """Return the row (from 0) where a standstill of at least `DEAD_BARS` bars to the end begins."""
    is_moving = (bars["high"] != bars["low"]) | (bars["close"] != bars["close"][-1])
    moved = np.flatnonzero(is_moving)
    begin = int(moved[-1]) + 1 if len(moved) else 0
    return begin if len(is_moving) - begin >= DEAD_BARS else None


def _close_stamps(bars: Columns, ts_ns: Rows, rows: Rows, interval_ns: int) -> Finding | None:
    """Sessions open on the hour: where the first bar after every pause is one interval past it, the times
    are closes."""
    hour_ns = 3_600 * 10**9
    if interval_ns >= hour_ns // 2:
        return None
    after = np.flatnonzero(np.diff(ts_ns) > SESSION_GAP_BARS * interval_ns) + 1
    firsts = np.concatenate(([0], after))
    phases = ts_ns[firsts] % hour_ns
    late, punctual = int((phases == interval_ns).sum()), int((phases == 0).sum())
    if late < 3 or late <= 3 * punctual or late * 2 < len(firsts):
        return None
    return finding(
        "close_stamps", rows[firsts[phases == interval_ns]], detail=f"{late} of {len(firsts)} pauses"
    )


def _span(ts_ns: Rows, first: int, last: int) -> Span:
    return Span(first_ns=int(ts_ns[first]), last_ns=int(ts_ns[last]), bars=last - first + 1)


Judge = Callable[[Columns, Rows, Rows, int], Finding | None]
JUDGES: tuple[Judge, ...] = (
    _gaps,
    _zero_volume,
    _outliers,
    _flash_prints,
    _stale_runs,
    _dead_tail,
    _close_stamps,
)
