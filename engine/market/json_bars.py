"""Candles as exchanges answer them in JSON, to rows of text cells that the cell reader judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.market.csv_bars import Found, brief, columns_of_cells
from engine.market.shapes import SYMBOL, TIME, Layout, Shape, headerless, is_data, layout_of
from engine.market.validation import COLUMNS, whole_file

BINANCE_KLINE = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades"),
    *("taker_base_volume", "taker_quote_volume", "unused"),
)
KRAKEN_OHLC = ("unix_s", "open", "high", "low", "close", "vwap", "volume", "trades")
_SAMPLE_ROWS = 200


def read_json(data: bytes, shape: Shape, wanted: Sequence[str] = COLUMNS) -> tuple[Found, Layout, list[str]]:
    """Read candles of Binance, Kraken, Hyperliquid, or a plain list of rows. Raises `BadData`."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise whole_file("unreadable_file", f"JSON: {brief(error)}") from error
    rows, header, notes = _rows(body, shape, wanted)
    layout = layout_of(header, shape, wanted)
    places = {ours: header.index(name) for ours, name in layout.names.items()}
    is_text_time = bool(rows) and any(mark in rows[0][places[TIME]] for mark in "-:/")
    found = columns_of_cells(rows, len(header), places, is_text_time=is_text_time)
    return found, layout, notes


def _rows(body: Any, shape: Shape, wanted: Sequence[str]) -> tuple[list[list[str]], list[str], list[str]]:
    """Return rows of cells, the column names and notes."""
    if isinstance(body, Mapping) and isinstance(body.get("result"), Mapping):
        return _kraken(body)
    listed = body.get("candles") if isinstance(body, Mapping) else body
    if not isinstance(listed, list) or not listed:
        raise whole_file("unreadable_file", "the JSON is no list of candles")
    if all(isinstance(row, Mapping) for row in listed):
        return _named(listed)
    if all(isinstance(row, list) for row in listed):
        cells = [[_text(value) for value in row] for row in listed]
        return cells, _names_of(cells, shape, wanted), []
    raise whole_file("unreadable_file", "the JSON is no list of candles")


def _named(listed: Sequence[Mapping[str, Any]]) -> tuple[list[list[str]], list[str], list[str]]:
    header = list(listed[0])
    rows = [[_text(row.get(name)) for name in header] for row in listed]
    return rows, header, []


def _names_of(cells: list[list[str]], shape: Shape, wanted: Sequence[str]) -> list[str]:
    """Return the names of unnamed columns: stated, or Binance's where its close time proves it."""
    width = len(cells[0])
    if shape.columns:
        if width != len(shape.columns):
            raise whole_file(
                "missing_column", f"--columns names {len(shape.columns)} columns, rows have {width}"
            )
        return [name if name != "-" else f"-{at}" for at, name in enumerate(shape.columns)]
    if width == len(BINANCE_KLINE) and all(_is_binance(row) for row in cells):
        return list(BINANCE_KLINE)
    sample = [row for row in cells[:_SAMPLE_ROWS] if is_data(row, wanted)]
    raise headerless(sample, wanted) if sample else whole_file("missing_header", "the rows hold no numbers")


def _is_binance(row: list[str]) -> bool:
    """A kline closes one millisecond before the next begins."""
    opened, closed = row[0], row[6]
    return opened.isdigit() and closed.isdigit() and (int(closed) + 1 - int(opened)) % 1_000 == 0


def _kraken(body: Mapping[str, Any]) -> tuple[list[list[str]], list[str], list[str]]:
    """Read Kraken's OHLC answer; `last` is the newest finished bar, a later one was still open."""
    result = body["result"]
    pairs = [name for name, rows in result.items() if name != "last" and isinstance(rows, list)]
    if body.get("error") or len(pairs) != 1:
        raise whole_file("unreadable_file", "the Kraken answer has an error or not exactly one pair")
    last, notes = result.get("last"), []
    rows = [[_text(value) for value in row] for row in result[pairs[0]] if isinstance(row, list)]
    if isinstance(last, int) and rows and rows[-1][0].isdigit() and int(rows[-1][0]) > last:
        rows.pop()
        notes.append("the last bar was still open when it was recorded; it was left out")
    if not rows:
        raise whole_file("empty_file", "the answer has no finished bar")
    header = [*KRAKEN_OHLC, SYMBOL]
    return [[*row, pairs[0]] for row in rows], header, notes


def _text(value: Any) -> str:
    """Write a JSON value as a cell; floats keep every digit."""
    return value if isinstance(value, str) else "" if value is None else str(value)
