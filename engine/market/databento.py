"""Databento's bars and trades, DBN or CSV, as the columns that every import starts from.

Prices are whole billionths unless the CSV was made with readable prices (then every one has a point); times
are nanoseconds since 1970 or ISO texts. A trade's time is the exchange's (`ts_event`), as in the vendor's own
bars; records that are no trade (quotes, cancels) and those without a price are left out and counted.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from engine.market.csv_bars import Found, brief
from engine.market.dbn import (
    BAR_FIELDS,
    MBO_FIELDS,
    NO_PRICE,
    PRICE_DECIMALS,
    RTYPE_MBO,
    RTYPE_TRADE,
    RTYPES_BAR,
    TRADE_FIELDS,
    BadDbn,
    open_container,
    records_of,
)
from engine.market.shapes import SYMBOL, TIME, Layout
from engine.market.validation import COLUMNS, PRICES, whole_file
from seams.clock import NS_PER_MS

CSV_MARKS = frozenset(("ts_event", "rtype", "publisher_id", "instrument_id"))
"""Columns that every CSV of theirs has, and nobody else's."""
UNIT = 10**PRICE_DECIMALS
TRADE = ord("T")
INTEGERS = {
    "rtype": pa.uint8(), "publisher_id": pa.uint16(), "instrument_id": pa.uint32(), "size": pa.uint32(),
    "flags": pa.uint8(), "channel_id": pa.uint8(), "depth": pa.uint8(), "order_id": pa.uint64(),
    "volume": pa.uint64(), "ts_in_delta": pa.int32(), "sequence": pa.uint32(),
}  # fmt: skip
NANOSECONDS, LETTERS, MONEY = ("ts_event", "ts_recv"), ("action", "side"), ("price", *PRICES)
NEEDED = frozenset((*NANOSECONDS, *LETTERS, *MONEY, "size", "volume", "order_id", "flags", "instrument_id"))
TYPES = INTEGERS | dict.fromkeys((*NANOSECONDS, *LETTERS, *MONEY, "symbol"), pa.string())


def is_databento_csv(data: bytes) -> bool:
    """Tell by the first line of an unpacked file."""
    return set(_header(data)) >= CSV_MARKS


def read_databento(data: bytes, wanted: Sequence[str] = COLUMNS) -> tuple[Found, Layout, list[str]]:
    """Read bars, or trades where `price` is wanted, from an unpacked DBN or CSV file. Raises `BadData`."""
    is_trades = "price" in wanted
    try:
        if is_databento_csv(data):
            fields = TRADE_FIELDS if is_trades else BAR_FIELDS
            records, symbols = csv_records(data, fields)
            others = 0
        else:
            records, others, symbols = _dbn_records(data, is_trades=is_trades)
    except BadDbn as bad:
        raise whole_file("empty_file" if bad.is_empty else "unreadable_file", bad.text) from bad
    rows = _trades(records) if is_trades else np.arange(len(records))
    left_out = others + len(records) - len(rows)
    if not len(rows):
        raise whole_file("empty_file", f"none of {left_out} records is of the wanted kind")
    notes = [f"{left_out} records of other kinds were left out"] if left_out else []
    found = _found(records[rows], is_trades=is_trades)
    found[SYMBOL] = symbols.take(rows)
    return found, Layout(names={name: name for name in found}, ignored=()), notes


def _dbn_records(data: bytes, *, is_trades: bool) -> tuple[NDArray[Any], int, Any]:
    container = open_container(data)
    if is_trades and len(container.body) > 1 and container.body[1] == RTYPE_MBO:
        records, others = records_of(container.body, (RTYPE_MBO,), MBO_FIELDS)
    elif is_trades:
        records, others = records_of(container.body, (RTYPE_TRADE, 0x01), TRADE_FIELDS)
    else:
        records, others = records_of(container.body, tuple(RTYPES_BAR), BAR_FIELDS)
    numbers, codes = np.unique(records["instrument_id"], return_inverse=True)
    names = pa.array([container.symbol_of(int(number)) for number in numbers])
    return records, others, names.take(codes.astype(np.int64))


def _trades(records: NDArray[Any]) -> NDArray[np.int64]:
    """Return the places of what was traded, in the order of the exchange's time."""
    places = np.flatnonzero((records["action"] == TRADE) & (records["price"] != NO_PRICE))
    return places[np.argsort(records["ts_event"][places], kind="stable")]


def _found(records: NDArray[Any], *, is_trades: bool) -> Found:
    found: Found = {TIME: (records["ts_event"] // NS_PER_MS).astype(np.int64)}
    if is_trades:
        found |= {"price": records["price"] / UNIT, "size": records["size"].astype(np.float64)}
        return found
    found |= {name: records[name] / UNIT for name in PRICES}
    found["volume"] = records["volume"].astype(np.float64)
    return found


def csv_records(data: bytes, fields: Sequence[tuple[str, str]]) -> tuple[NDArray[Any], Any]:
    """Return a CSV file's rows as records of `fields`, and each row's symbol (or instrument number).

    Columns of the wire alone are zero where the file leaves them out. Raises `BadDbn` for a column that is
    missing and for cells that are no such numbers.
    """
    header = _header(data)
    if needed := [name for name, _ in fields if name in NEEDED and name not in header]:
        raise BadDbn(0, f"there is no column {', '.join(needed)}")
    try:
        options = pa_csv.ConvertOptions(column_types=TYPES, strings_can_be_null=True)
        table = pa_csv.read_csv(io.BytesIO(data), convert_options=options).combine_chunks()
        records = np.zeros(table.num_rows, np.dtype(list(fields)))
        for name in (name for name, _ in fields if name in table.column_names):
            records[name] = _values(name, table.column(name))
        has_symbol = "symbol" in table.column_names
        symbols = table.column("symbol" if has_symbol else "instrument_id").cast(pa.string())
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise BadDbn(0, brief(error)) from error
    if not len(records):
        raise BadDbn(0, "there is a header and no row of data", is_empty=True)
    return records, pa.concat_arrays(symbols.chunks)


def _header(data: bytes) -> list[str]:
    return [word.strip() for word in data[:4096].split(b"\n", 1)[0].decode("ascii", "replace").split(",")]


def _values(name: str, column: pa.ChunkedArray[Any]) -> NDArray[Any]:
    if column.null_count and name not in MONEY:
        raise ValueError(f"{name} is empty in {column.null_count} rows")
    if name in NANOSECONDS:
        return _times(column)
    if name in LETTERS:
        return np.array([ord(str(each)[0]) for each in column.to_pylist()], np.uint8)
    return _billionths(column) if name in MONEY else column.to_numpy()


def _times(column: pa.ChunkedArray[Any]) -> NDArray[Any]:
    """Return nanoseconds of whole numbers or of ISO texts."""
    is_number = pc.all(pc.utf8_is_digit(column)).as_py()
    whole = column.cast(pa.int64()) if is_number else column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    return np.asarray(whole.to_numpy())


def _billionths(column: pa.ChunkedArray[Any]) -> NDArray[Any]:
    """Return prices in billionths, exactly; no price (an empty cell) is `NO_PRICE`."""
    has_point = pc.any(pc.match_substring(column, ".")).as_py()
    if has_point:
        unit = pa.scalar(Decimal(UNIT), pa.decimal128(10, 0))
        column = pc.multiply(column.cast(pa.decimal128(19, PRICE_DECIMALS)), unit).cast(pa.decimal128(38, 0))
    whole: Any = pc.fill_null(column.cast(pa.int64()), NO_PRICE)  # type: ignore[type-var]
    return np.asarray(whole.to_numpy())
