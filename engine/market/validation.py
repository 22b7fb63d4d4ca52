"""What a set of bars must satisfy, as vectorised rules with stable codes and row numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Record

ROW_MEANING = (
    "row 1 is the first row of data, after the header (line 2 of a CSV file without quoted line breaks)"
)
MAX_ROWS_NAMED_PER_CODE = 20
MAX_GAPS_LISTED = 10
PRICES = ("open", "high", "low", "close")
COLUMNS = ("ts_ms", *PRICES, "volume")

FIRST_MS, LAST_MS = (
    315_532_800_000,
    7_258_118_400_000,
)  # 1980 .. 2200: seconds and microseconds fall outside
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WEEK_PHASE_NS = 4 * 86_400 * NS_PER_S  # the epoch was a Thursday; weeks start on Monday

Columns = Mapping[str, NDArray[np.float64] | NDArray[np.int64]]
Mask = NDArray[np.bool_]

CODES: dict[str, str] = {
    "not_a_number": "a cell is empty, not a number, infinite or not an integer where one is needed",
    "negative_price": "a price is below zero",
    "non_positive_price": "a price is zero",
    "high_below_low": "high is below low",
    "open_outside_range": "open is outside low..high",
    "close_outside_range": "close is outside low..high",
    "volume_negative": "volume is below zero",
    "timestamp_out_of_range": "ts_ms is not in 1980..2200 (is it in milliseconds?)",
    "out_of_order": "ts_ms is before the row above",
    "duplicate_timestamp": "ts_ms equals the row above",
    "misaligned_timestamp": "ts_ms is not a multiple of the interval (it must be the bar's open time, UTC)",
    "wrong_column_count": "the row has more or fewer cells than the header",
    "missing_column": "a required column is missing, or a header names it twice",
    "missing_header": "the file names no columns; give them in order with --columns",
    "not_a_time": "a time is not a whole number and not a date of a known format",
    "mixed_time_units": "the times are not all s, ms, us or ns since 1970 within the years 1980..2200",
    "conflicting_duplicate": "two rows of the same time say different things; neither can be trusted",
    "unknown_symbol": "the file has no row of this symbol",
    "many_symbols": "the file has rows of many symbols; name one, or import all with VENUE/*/INTERVAL",
    "unsafe_symbol": "a symbol of the file cannot be a file name",
    "unreadable_file": "the file cannot be read as CSV, JSON, Parquet or Feather",
    "empty_file": "the file has no row of data",
}


class Problem(Record):
    """One reason against a file; `row` is 0 where the whole file is meant (see `ROW_MEANING`)."""

    code: str
    row: int
    column: str
    message: str


class GapSpan(Record):
    """A hole between two rows: the open times around it, UTC nanoseconds."""

    after_ns: int
    before_ns: int
    missing_bars: int


class Gaps(Record):
    """All holes of a set: how many, how many bars they miss, and the largest, largest first."""

    count: int
    missing_bars: int
    largest: tuple[GapSpan, ...]


class BadData(Exception):
    """A file or stored set cannot be used; `problems` says why. Exit category `data`."""

    exit_category = "data"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems and all(problem.code in CODES for problem in problems)
        super().__init__("; ".join(f"{p.code} at row {p.row}: {p.message}" for p in problems[:3]))
        self.problems = problems


def interval_ns_of(interval: str) -> int:
    """Read an interval such as `1m`, `15m`, `1h`, `1d`; raises `ValueError`."""
    match = re.fullmatch(r"([1-9]\d{0,3})([smhdw])", interval)
    if match is None:
        raise ValueError(
            f"interval must be a number and s, m, h, d or w, such as 1m or 4h; got {interval[:20]!r}"
        )
    return int(match[1]) * _UNIT_S[match[2]] * NS_PER_S


def whole_file(code: str, message: str, column: str = "") -> BadData:
    """Return the refusal of a whole file."""
    return BadData((Problem(code=code, row=0, column=column, message=message),))


def check(columns: Columns, interval_ns: int) -> tuple[tuple[Problem, ...], dict[str, int]]:
    """Judge equal-length columns by every rule; return named problems in row order, and counts by code.

    At most `MAX_ROWS_NAMED_PER_CODE` rows are named for each code; the counts are complete.
    """
    assert interval_ns > 0
    assert len({len(columns[name]) for name in COLUMNS}) == 1
    problems: list[Problem] = []
    counts: dict[str, int] = {}
    if _is_clean(columns, interval_ns):
        return (), counts
    for code, column, mask in _masks(columns, interval_ns):
        if not mask.any():
            continue
        rows = np.flatnonzero(mask)
        room = max(0, MAX_ROWS_NAMED_PER_CODE - counts.get(code, 0))
        counts[code] = counts.get(code, 0) + len(rows)
        problems += [_problem(code, column, int(row), columns) for row in rows[:room]]
    problems.sort(key=lambda problem: (problem.row, problem.code, problem.column))
    return tuple(problems), counts


def gaps_of(ts_ns: NDArray[np.int64], interval_ns: int) -> Gaps:
    """Find the holes in rising open times."""
    steps = np.diff(ts_ns)
    at = np.flatnonzero(steps > interval_ns)
    missing = steps[at] // interval_ns - 1
    largest = at[np.argsort(-missing, kind="stable")][:MAX_GAPS_LISTED]
    return Gaps(
        count=len(at),
        missing_bars=int(missing.sum()),
        largest=tuple(
            GapSpan(
                after_ns=int(ts_ns[i]),
                before_ns=int(ts_ns[i + 1]),
                missing_bars=int(steps[i] // interval_ns - 1),
            )
            for i in largest
        ),
    )


def _is_clean(columns: Columns, interval_ns: int) -> bool:
    """Tell quickly that no rule is broken: the rules' negations in few passes, NaN failing each."""
    opened, high, low, close = (columns[name] for name in PRICES)
    volume, ts_ms = columns["volume"], columns["ts_ms"].astype(np.int64, copy=False)
    if not (len(ts_ms) and ts_ms[0] >= FIRST_MS and ts_ms[-1] <= LAST_MS and (ts_ms[1:] > ts_ms[:-1]).all()):
        return False
    if not (low.min() > 0 and high.max() < np.inf and volume.min() >= 0 and volume.max() < np.inf):
        return False
    bodies = (np.minimum(opened, close) >= low).all() and (np.maximum(opened, close) <= high).all()
    step_ms, rest = divmod(interval_ns, NS_PER_MS)
    phase_ms = phase_ns(interval_ns) // NS_PER_MS
    return bool(bodies and rest == 0 and ((ts_ms - phase_ms) % step_ms == 0).all())


def _masks(columns: Columns, interval_ns: int) -> list[tuple[str, str, Mask]]:
    """Return (code, column, rows that break the rule); comparisons with NaN are False by design."""
    opened, high, low, close = (_finite_or_nan(columns[name]) for name in PRICES)
    masks: list[tuple[str, str, Mask]] = []
    for name in (*PRICES, "volume"):
        masks.append(("not_a_number", name, ~np.isfinite(columns[name])))
    for name in PRICES:
        masks.append(("negative_price", name, _finite_or_nan(columns[name]) < 0))
        masks.append(("non_positive_price", name, columns[name] == 0))
    masks.append(("high_below_low", "high", high < low))
    masks.append(("open_outside_range", "open", ((opened < low) | (opened > high)) & (low <= high)))
    masks.append(("close_outside_range", "close", ((close < low) | (close > high)) & (low <= high)))
    masks.append(("volume_negative", "volume", _finite_or_nan(columns["volume"]) < 0))
    return masks + _time_masks(columns["ts_ms"].astype(np.int64, copy=False), interval_ns)


def _finite_or_nan(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """An infinite cell breaks one rule, `not_a_number`, and no comparison."""
    return np.where(np.isfinite(values), values, np.nan)


def _time_masks(ts_ms: NDArray[np.int64], interval_ns: int) -> list[tuple[str, str, Mask]]:
    is_outside = (ts_ms < FIRST_MS) | (ts_ms > LAST_MS)
    into_ns = (np.where(is_outside, 0, ts_ms) * NS_PER_MS - phase_ns(interval_ns)) % interval_ns
    return [
        ("timestamp_out_of_range", "ts_ms", is_outside),
        ("out_of_order", "ts_ms", _against_row_above(ts_ms, np.less)),
        ("duplicate_timestamp", "ts_ms", _against_row_above(ts_ms, np.equal)),
        ("misaligned_timestamp", "ts_ms", (into_ns != 0) & ~is_outside),
    ]


def phase_ns(interval_ns: int) -> int:
    """Return how far the interval's grid is shifted from the epoch: weeks start on Monday."""
    return _WEEK_PHASE_NS if interval_ns % (_UNIT_S["w"] * NS_PER_S) == 0 else 0


def _against_row_above(ts_ms: NDArray[np.int64], compare: Callable[..., Mask]) -> Mask:
    mask = np.zeros(len(ts_ms), dtype=np.bool_)
    mask[1:] = compare(ts_ms[1:], ts_ms[:-1])
    return mask


def _problem(code: str, column: str, index: int, columns: Columns) -> Problem:
    found = columns[column][index]
    return Problem(code=code, row=index + 1, column=column, message=f"{CODES[code]}; {column} is {found}")
