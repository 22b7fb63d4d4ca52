"""The windows of a walk-forward: listed or rolled, and where each lies among the bars after its embargo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.market.catalogue import BarColumns
from engine.research.choice import RunFailed
from venues.types import Record

DAY_NS = 86_400 * 1_000_000_000
MAX_SPLITS = 200


class Split(Record):
    """One pair of windows, bar open times in ns; ends are excluded."""

    name: str
    train_start_ns: int
    train_end_ns: int
    test_start_ns: int
    test_end_ns: int


def read_splits(fields: Mapping[str, Any], bars: BarColumns) -> tuple[Split, ...]:
    """Return the splits that a file lists or rolls. Raises `RunFailed` for one whose windows overlap."""
    splits = _given(fields, bars)
    for split in splits:
        _demand_order(split)
    return splits


def _given(fields: Mapping[str, Any], bars: BarColumns) -> tuple[Split, ...]:
    listed, rolling = fields.get("splits"), fields.get("rolling")
    if (listed is None) == (rolling is None):
        raise _bad("give either splits or rolling")
    try:
        if rolling is not None:
            return _rolled(rolling, bars)
        assert listed is not None
        found = tuple(_split(number, each) for number, each in enumerate(listed, start=1))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"splits: name, train and test with start and end are needed ({error})") from error
    if not 0 < len(found) <= MAX_SPLITS or len({each.name for each in found}) != len(found):
        raise _bad(f"splits: 1 to {MAX_SPLITS}, each with its own name")
    return found


def _split(number: int, given: Mapping[str, Any]) -> Split:
    train, test = given["train"], given["test"]
    return Split(
        name=str(given.get("name", number)),
        train_start_ns=_ns(train["start"]),
        train_end_ns=_ns(train["end"]),
        test_start_ns=_ns(test["start"]),
        test_end_ns=_ns(test["end"]),
    )


def _rolled(given: Mapping[str, Any], bars: BarColumns) -> tuple[Split, ...]:
    """Make windows of days: `train_days`, `test_days`, and `anchored` to train from the start each time."""
    train_ns, test_ns = (int(float(given[name]) * DAY_NS) for name in ("train_days", "test_days"))
    if train_ns <= 0 or test_ns <= 0:
        raise _bad("rolling: train_days and test_days must be above 0")
    first, last = int(bars.ts_ns[0]), int(bars.ts_ns[-1]) + bars.interval_ns
    count = (last - first - train_ns) // test_ns
    if not 0 < count <= MAX_SPLITS:
        raise _bad(f"rolling: the data give {count} splits; 1 to {MAX_SPLITS} are possible")
    return tuple(
        Split(
            name=f"{number + 1:02d}",
            train_start_ns=first if given.get("anchored", False) else first + number * test_ns,
            train_end_ns=first + train_ns + number * test_ns,
            test_start_ns=first + train_ns + number * test_ns,
            test_end_ns=first + train_ns + (number + 1) * test_ns,
        )
        for number in range(count)
    )


def _demand_order(split: Split) -> None:
    if not split.train_start_ns < split.train_end_ns <= split.test_start_ns < split.test_end_ns:
        raise _bad(f"split {split.name}: the test must begin when its training has ended, not before")


def windows(split: Split, bars: BarColumns, embargo_bars: int) -> tuple[tuple[int, int], int, int]:
    """Return the rows of training, and where the test begins and ends, after the embargo."""
    rows = [
        int(np.searchsorted(bars.ts_ns, at, side="left"))
        for at in (split.train_start_ns, split.train_end_ns, split.test_start_ns, split.test_end_ns)
    ]
    begin, end = max(rows[2], rows[1] + embargo_bars), rows[3]
    if rows[0] >= rows[1] or begin >= end:
        word = f"split {split.name}: a window has no bars (after {embargo_bars} embargo bars)"
        raise RunFailed("no_bars", word)
    assert rows[1] + embargo_bars <= begin, "a test never begins before its training and embargo end"
    return (rows[0], rows[1]), begin, end


def _ns(text: object) -> int:
    return int(np.datetime64(str(text).replace(" ", "T").removesuffix("Z"), "ns").astype(np.int64))


def _bad(message: str) -> RunFailed:
    return RunFailed("invalid_request", message)
