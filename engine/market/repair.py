"""What an import may change when it is asked to: the order of rows, repeated rows, an unfinished last bar.

No repair invents, averages or corrects a price.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.market.quality import duplicates_of, is_newest_first
from engine.market.validation import CODES, MAX_ROWS_NAMED_PER_CODE, BadData, Columns, Problem
from seams.clock import NS_PER_MS, iso_z


class Repair(StrEnum):
    """SORT puts rows in time order; DEDUPE keeps the first of identical rows; DROP_LAST leaves out the
    newest bar, which may have been recorded before its end."""

    SORT = "sort"
    DEDUPE = "dedupe"
    DROP_LAST = "drop-last"


def repaired(
    columns: Columns, repairs: frozenset[Repair]
) -> tuple[Columns, NDArray[np.int64], tuple[str, ...]]:
    """Return the columns, the original row (from 0) of each row kept, and what was done.

    Raises `BadData` for DEDUPE where rows of one time differ.
    """
    rows = np.arange(len(columns["ts_ms"]))
    done: list[str] = []
    if Repair.DEDUPE in repairs:
        rows = _unique(columns, rows, done)
    if Repair.SORT in repairs:
        rows = _sorted(columns, rows, done)
    if Repair.DROP_LAST in repairs and len(rows) > 1:
        newest = int(np.argmax(np.asarray(columns["ts_ms"])[rows]))
        done.append(f"the bar of {iso_z(int(columns['ts_ms'][rows[newest]]) * NS_PER_MS)} was left out")
        rows = np.delete(rows, newest)
    return {name: values[rows] for name, values in columns.items()} if done else columns, rows, tuple(done)


def _unique(columns: Columns, rows: NDArray[np.int64], done: list[str]) -> NDArray[np.int64]:
    identical, conflicting = duplicates_of(columns)
    if len(conflicting):
        raise BadData(
            tuple(
                Problem(
                    code="conflicting_duplicate",
                    row=int(row) + 1,
                    column="ts_ms",
                    message=CODES["conflicting_duplicate"],
                )
                for row in conflicting[:MAX_ROWS_NAMED_PER_CODE]
            )
        )
    if len(identical):
        done.append(f"{len(identical)} repeated rows were left out")
    return np.delete(rows, identical)


def _sorted(columns: Columns, rows: NDArray[np.int64], done: list[str]) -> NDArray[np.int64]:
    times = np.asarray(columns["ts_ms"]).astype(np.int64)[rows]
    backwards = int((times[1:] < times[:-1]).sum())
    if not backwards:
        return rows
    how = "rows ran newest first" if is_newest_first(times) else "rows were out of order"
    done.append(f"{how}; they were put in time order ({backwards} stood below a newer one)")
    return rows[np.argsort(times, kind="stable")]
