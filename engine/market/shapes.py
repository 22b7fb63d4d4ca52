"""Which column of a file is which: names as exchanges and vendors write them, and files without names.

A name that could mean two things is never guessed: `--columns` states the order, `--volume` the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from engine.market.stamps import Stamps
from engine.market.validation import CODES, COLUMNS, PRICES, BadData, Problem, whole_file
from venues.types import Record

TIME, SYMBOL, IGNORED = "ts_ms", "symbol", "-"

ALIASES: dict[str, tuple[str, ...]] = {
    TIME: (
        *("ts_ms", "ts_ns", "ts_us", "ts_s", "unix_ms", "unix_s", "open_time", "opentime", "unix"),
        *("timestamp", "timestamp_utc", "time_utc", "fundingtime", "time", "ts", "t", "datetime", "date"),
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol"),
    SYMBOL: ("symbol", "s", "coin", "pair", "ticker"),
    "rate": ("funding_rate", "fundingrate", "rate"),
    "price": ("price", "px", "p"),
    "size": ("size", "amount", "quantity", "qty", "sz", "q", "volume"),
}
"""Our name -> the names that mean it, the most certain first; case does not matter."""

DEFAULT_ORDER = ("ts_ms", *PRICES, "volume")


class Shape(Record):
    """What the caller says about a file: nothing is needed for a file that says it itself.

    `columns` names the columns by position, `-` for one to ignore. `volume` names the volume column where
    a file has several, or `none` for a file without. `timezone` is for dates that name no zone.
    """

    columns: tuple[str, ...] = ()
    volume: str = ""
    stamps: Stamps = Stamps.OPEN
    timezone: str = "UTC"


class Layout(Record):
    """Where each of our columns is in a file: our name -> the file's name; and the names left over."""

    names: dict[str, str]
    ignored: tuple[str, ...]


def layout_of(header: Sequence[str], shape: Shape, wanted: Sequence[str] = COLUMNS) -> Layout:
    """Find the wanted columns, and a symbol, among a file's names.

    Raises `BadData` with one problem for each column that is missing or named twice.
    """
    by_name: dict[str, list[str]] = {}
    for name in header:
        by_name.setdefault(name.strip().casefold(), []).append(name)
    names: dict[str, str] = {}
    wrong: list[str] = []
    for ours in (*wanted, SYMBOL):
        asked = (shape.volume.casefold(),) if ours == "volume" and shape.volume else ALIASES[ours]
        found = next((_same(alias, by_name[alias]) for alias in asked if alias in by_name), [])
        if len(found) == 1:
            names[ours] = found[0]
        elif found or (ours in wanted and not (ours == "volume" and shape.volume == "none")):
            wrong.append(ours)
    if wrong:
        raise _missing(wrong, header)
    return Layout(names=names, ignored=tuple(name for name in header if name not in names.values()))


def _same(alias: str, found: list[str]) -> list[str]:
    """Where case alone tells two columns apart (Hyperliquid's `t` and `T`), take the one written as here."""
    exact = [name for name in found if name.strip() == alias]
    return exact if len(exact) == 1 else found


def is_header(cells: Sequence[str], wanted: Sequence[str] = COLUMNS) -> bool:
    """Tell whether a line names what is wanted; the volume may be missing."""
    words = {cell.strip().casefold() for cell in cells}
    return all(words & set(ALIASES[ours]) for ours in wanted if ours != "volume")


def is_data(cells: Sequence[str], wanted: Sequence[str] = COLUMNS) -> bool:
    """Tell whether a line looks like a row: four numbers, or as many as are wanted (a time may be a date)."""
    return sum(_is_number(cell) for cell in cells) >= min(4, len(wanted))


def headerless(rows: Sequence[Sequence[str]], wanted: Sequence[str] = COLUMNS) -> BadData:
    """Refuse a file without names; for bars, say which orders the prices themselves allow."""
    message = CODES["missing_header"]
    width = min(len(cells) for cells in rows)
    prices = [cells[1:5] for cells in rows if all(_is_number(cell) for cell in cells[1:5])]
    if tuple(wanted) == COLUMNS and width >= len(DEFAULT_ORDER) and prices:
        orders = possible_orders(np.array(prices, dtype=np.float64))
        rest = ",".join(["volume", *[IGNORED] * (width - len(DEFAULT_ORDER))])
        shown = " or ".join(f"--columns time,{','.join(order)},{rest}" for order in orders[:3])
        message += f"; with open first, the prices of {len(prices)} rows allow: {shown or 'no order'}"
    return whole_file("missing_header", message)


def possible_orders(prices: NDArray[np.float64]) -> list[tuple[str, ...]]:
    """Return the orders of four columns under which low <= open, close <= high in every row; open first."""
    found = []
    for order in permutations(PRICES[1:]):
        by_name = dict(zip(order, prices[:, 1:].T, strict=True))
        body_low = np.minimum(prices[:, 0], by_name["close"])
        body_high = np.maximum(prices[:, 0], by_name["close"])
        if (by_name["low"] <= body_low).all() and (body_high <= by_name["high"]).all():
            found.append(("open", *order))
    return found


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _missing(wrong: Sequence[str], header: Sequence[str]) -> BadData:
    seen = ", ".join(ascii(name[:40]) for name in header[:12])
    message = f"{CODES['missing_column']}; found: {seen}"
    return BadData(
        tuple(Problem(code="missing_column", row=0, column=name, message=message) for name in wrong)
    )
