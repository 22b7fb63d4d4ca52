"""Bars from a file of trades: the minutes in which somebody traded, and no others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.market.catalogue import Derivation, SetInfo, info_of, raw_columns, set_path, store
from engine.market.csv_bars import Found
from engine.market.quality import findings_of
from engine.market.reading import read_columns, rows_by_symbol, symbols_found, times_found
from engine.market.resample import bars_of_trades
from engine.market.shapes import SYMBOL, TIME, Shape
from engine.market.validation import (
    FIRST_MS,
    LAST_MS,
    MAX_ROWS_NAMED_PER_CODE,
    BadData,
    Problem,
    interval_ns_of,
)
from seams.clock import NS_PER_MS, Clock
from seams.disk import Disk

WANTED = (TIME, "price", "size")
_NO_SHAPE = Shape()


def import_trades(
    path: Path,
    venue: str,
    symbol: str,
    interval: str,
    home: Path,
    disk: Disk,
    clock: Clock,
    shape: Shape = _NO_SHAPE,
) -> SetInfo:
    """Make bars of a file of one market's trades and store them, or nothing.

    Needed are a time, a price and a size for each trade, oldest first; trades of one millisecond keep the
    file's order. In a file of many symbols `symbol` chooses one. The first and last bar hold only what the
    file holds of them. Raises `BadData` with rows, `UnsafeName` or `ValueError` for names and interval,
    `OSError` where the store cannot be written.
    """
    set_path(home, venue, symbol, interval)
    data = disk.read(path)
    found, layout, _ = read_columns(path.name, data, shape, WANTED)
    found = _of_symbol(found, symbol)
    times, _ = times_found(found, layout, shape)
    price, size = (np.asarray(found[name], dtype=np.float64) for name in WANTED[1:])
    _demand_sound(times, price, size)
    bars = bars_of_trades(times * NS_PER_MS, price, size, interval_ns_of(interval))
    source_sha256 = hashlib.sha256(data).hexdigest()
    rule = f"first, highest, lowest, last price and sum of sizes of {len(times)} trades"
    info = info_of(
        bars,
        venue=venue,
        symbol=symbol,
        interval=interval,
        source_name=path.name,
        source_sha256=source_sha256,
        imported_ns=clock.now_ns(),
        derived=Derivation(
            from_interval="trades", from_sha256=source_sha256, rule=rule, with_holes=0, dropped=0
        ),
        findings=findings_of(raw_columns(bars), bars.interval_ns),
    )
    store(home, bars, info, disk)
    return info


def _of_symbol(found: Found, symbol: str) -> Found:
    """Return the rows of one market; a file of one takes any name. Raises `BadData`."""
    if SYMBOL not in found:
        return found
    _, rows = rows_by_symbol(*symbols_found(found), symbol)[0]
    return found if rows is None else {name: column.take(rows) for name, column in found.items()}


def _demand_sound(
    ts_ms: NDArray[np.int64], price: NDArray[np.float64], size: NDArray[np.float64]
) -> None:  # fmt: skip
    wrong = (
        ("timestamp_out_of_range", TIME, (ts_ms < FIRST_MS) | (ts_ms > LAST_MS)),
        ("out_of_order", TIME, np.concatenate(([False], ts_ms[1:] < ts_ms[:-1]))),
        ("non_positive_price", "price", ~(np.isfinite(price) & (price > 0))),
        ("volume_negative", "size", ~(np.isfinite(size) & (size >= 0))),
    )
    problems = tuple(
        Problem(code=code, row=int(at) + 1, column=column, message=f"a trade's {column} is not possible here")
        for code, column, mask in wrong
        for at in np.flatnonzero(mask)[:MAX_ROWS_NAMED_PER_CODE]
    )
    if problems:
        raise BadData(problems)
