"""Shared bars for the market tests; what is not here is skipped with a line that says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.market.catalogue import BarColumns, columns_of, load_file, sealed
from engine.market.reading import Table
from engine.market.validation import COLUMNS, interval_ns_of

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"


def shared(name: str) -> Path:
    """Return a file of the shared data, or skip the test."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared data not here: {name} (set INTERLOCK_SHARED)")
    return path


def shared_bars(name: str, interval: str) -> BarColumns:
    """Read a shared file of bars."""
    return load_file(shared(name), interval)


def bars_of(table: Table, interval: str = "1m") -> BarColumns:
    """Make a set of a table that was read."""
    return columns_of(table.columns, interval_ns_of(interval))


def symbol_of(path: Path, symbol: str, interval: str) -> BarColumns:
    """Read one symbol of a long table, by another way than the importer's."""
    table = pq.read_table(path)
    rows = table.filter(pc.equal(table.column("symbol"), symbol))
    return columns_of({name: np.asarray(rows.column(name)) for name in COLUMNS}, interval_ns_of(interval))


def cut(bars: BarColumns, start_ns: int, end_ns: int) -> BarColumns:
    """Return the bars that open in `start_ns <= t < end_ns`, with a content hash of their own."""
    first, last = (int(at) for at in np.searchsorted(bars.ts_ns, (start_ns, end_ns), side="left"))
    if (first, last) == (0, len(bars)):
        return bars
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    return sealed({name: getattr(bars, name)[first:last] for name in names}, bars.interval_ns)
