"""Bytes of a file of bars to numpy columns with UTC open times; hostile content never crashes it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.market.csv_bars import Found, brief, cell_problem, read_csv
from engine.market.databento import is_databento_csv, read_databento
from engine.market.json_bars import read_json
from engine.market.shapes import SYMBOL, TIME, Layout, Shape, layout_of
from engine.market.stamps import Stamps, times_of
from engine.market.validation import CODES, COLUMNS, MAX_ROWS_NAMED_PER_CODE, BadData, whole_file
from seams.clock import NS_PER_MS
from venues.types import Record

MAX_BYTES = 4 << 30
MAX_SYMBOLS = 10_000
ALL_SYMBOLS = "*"
_ARROW_MAGIC = b"ARROW1"
ARROW_ENDINGS = (".parquet", ".pq", ".feather", ".arrow")

Columns = dict[str, NDArray[np.float64] | NDArray[np.int64]]


class Table(Record):
    """Columns by the names of `COLUMNS`, the names of those ignored, and how the file was understood.

    In a table of several markets, `symbol_codes[row]` is the place of the row's symbol in `symbol_names`.
    """

    columns: Columns
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = ()
    symbol_names: tuple[str, ...] = ()
    symbol_codes: NDArray[np.int64] | None = None


def read_table(name: str, data: bytes, shape: Shape = Shape(), interval_ns: int = 0) -> Table:
    """Read a file's bytes by its name's ending. Raises `BadData`.

    With `shape.stamps` CLOSE, times move back by `interval_ns` to the bars' open.
    """
    return _table(*read_columns(name, data, shape), shape, interval_ns)


def read_columns(
    name: str, data: bytes, shape: Shape, wanted: Sequence[str] = COLUMNS
) -> tuple[Found, Layout, list[str]]:
    """Read the wanted columns of any file as they stand, its layout and notes. Raises `BadData`."""
    if not data:
        raise whole_file("empty_file", "the file has no byte")
    lower = name.lower()
    if lower.endswith(ARROW_ENDINGS):
        return _read_arrow(pa.BufferReader(data), shape, wanted)
    for ending, unpack in UNPACK.items():
        if lower.endswith(ending):
            lower, data = lower.removesuffix(ending), unpack(data)
            if not data:
                raise whole_file("empty_file", "the packed file has no byte")
    if lower.endswith(".dbn") or (lower.endswith(".csv") and is_databento_csv(data)):
        return read_databento(data, wanted)
    if not lower.endswith((".csv", ".txt", ".json")):
        raise whole_file(
            "unreadable_file",
            "the name must end in .csv, .json, .dbn, .parquet or .feather (.gz and .zst allowed)",
        )
    return (read_json if lower.endswith(".json") else read_csv)(data, shape, wanted)


def read_parquet(source: pa.NativeFile | str, shape: Shape = Shape(), interval_ns: int = 0) -> Table:
    """Read the bars of a Parquet or Feather file. Raises `BadData`."""
    return _table(*_read_arrow(source, shape, COLUMNS), shape, interval_ns)


def _read_arrow(
    source: pa.NativeFile | str, shape: Shape, wanted: Sequence[str]
) -> tuple[Found, Layout, list[str]]:
    try:
        file = pa.memory_map(source) if isinstance(source, str) else source
        is_feather = file.read(len(_ARROW_MAGIC)) == _ARROW_MAGIC
        file.seek(0)
        layout, table = (_feather if is_feather else _parquet)(file, shape, wanted)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise whole_file("unreadable_file", brief(error)) from error
    if table.num_rows == 0:
        raise whole_file("empty_file", "the file has no row of data")
    found: Found = {ours: table.column(name) for ours, name in layout.names.items()}
    for ours in found.keys() - {TIME, SYMBOL}:
        found[ours] = _parquet_column(ours, found[ours])
    return found, layout, []


def _parquet(file: pa.NativeFile, shape: Shape, wanted: Sequence[str]) -> tuple[Layout, pa.Table]:
    whole = pq.ParquetFile(file)
    layout = layout_of(whole.schema_arrow.names, shape, wanted)
    return layout, whole.read(columns=list(layout.names.values()))


def _feather(file: pa.NativeFile, shape: Shape, wanted: Sequence[str]) -> tuple[Layout, pa.Table]:
    whole = ipc.open_file(file)
    layout = layout_of(whole.schema.names, shape, wanted)
    return layout, whole.read_all().select(list(layout.names.values()))


def _table(found: Found, layout: Layout, notes: list[str], shape: Shape, interval_ns: int) -> Table:
    """Give the columns their final form: milliseconds of open times, floats, symbols as codes."""
    times, note = times_found(found, layout, shape)
    if shape.stamps is Stamps.CLOSE:
        assert interval_ns > 0
        times = times - interval_ns // NS_PER_MS
        notes = [*notes, "times were the bars' close; they were moved back by one interval"]
    columns: Columns = {name: found[name] for name in COLUMNS if name in found and name != TIME}
    columns[TIME] = np.ascontiguousarray(times)
    if "volume" not in found:
        columns["volume"] = np.zeros(len(times))
        notes = [*notes, "the file has no volume; it is zero"]
    names: tuple[str, ...] = ()
    codes = None
    if SYMBOL in found:
        names, codes = symbols_found(found)
    return Table(
        columns=columns,
        ignored=layout.ignored,
        notes=(*notes, *([note] if note else [])),
        symbol_names=names,
        symbol_codes=codes,
    )


def times_found(found: Found, layout: Layout, shape: Shape) -> tuple[NDArray[np.int64], str]:
    """Return the UTC milliseconds of a file's times, and a note on how they were read. Raises `BadData`."""
    raw = found[TIME]
    column = pa.array(raw) if isinstance(raw, np.ndarray) else raw
    return times_of(layout.names[TIME], column, shape.timezone)


def symbols_found(found: Found) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the symbols of a file, and for each row the place of its symbol. Raises `BadData`."""
    column: Any = found[SYMBOL]
    if column.null_count:
        rows = np.flatnonzero(pc.is_null(column).to_numpy())[:MAX_ROWS_NAMED_PER_CODE]
        raise BadData(tuple(cell_problem("unknown_symbol", int(row) + 1, SYMBOL, "null") for row in rows))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    encoded: Any = pc.dictionary_encode(pa.concat_arrays([chunk.cast(pa.string()) for chunk in chunks]))
    names = tuple(str(name) for name in encoded.dictionary.to_pylist())
    return names, np.asarray(encoded.indices).astype(np.int64)


def rows_by_symbol(
    names: Sequence[str], codes: NDArray[np.int64] | None, symbol: str
) -> list[tuple[str, NDArray[np.int64] | None]]:
    """Return (symbol to store, its rows or None for all): the one asked for, or every one for `*`.

    A file of one market takes the name that is asked for. Raises `BadData`.
    """
    if symbol != ALL_SYMBOLS and len(names) <= 1:
        return [(symbol, None)]
    if codes is None or len(names) > MAX_SYMBOLS:
        raise whole_file("many_symbols", "the file has no column of symbols to take the names from", SYMBOL)
    if symbol == ALL_SYMBOLS:
        return [(name, np.flatnonzero(codes == place)) for place, name in enumerate(names)]
    if symbol not in names:
        shown = ", ".join(name[:20] for name in names[:8])
        message = f"{CODES['many_symbols']}; {len(names)} symbols, such as {shown!a}"
        raise whole_file("many_symbols", message, SYMBOL)
    return [(symbol, np.flatnonzero(codes == names.index(symbol)))]


def _parquet_column(name: str, column: pa.ChunkedArray[Any]) -> NDArray[np.float64]:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise whole_file("not_a_number", f"column {name} has type {column.type}, not a number", name)
    if column.null_count:
        rows = np.flatnonzero(pc.is_null(column).to_numpy())[:MAX_ROWS_NAMED_PER_CODE]
        raise BadData(tuple(cell_problem("not_a_number", int(row) + 1, name, "null") for row in rows))
    try:
        cast = column.cast(pa.float64()) if column.type != pa.float64() else column
    except pa.ArrowException as error:
        raise whole_file("not_a_number", f"column {name}: {brief(error)}", name) from error
    return np.ascontiguousarray(cast.to_numpy())


def _gunzip(data: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(data, MAX_BYTES - size + 1)
        except zlib.error as error:
            raise whole_file("unreadable_file", f"gzip: {brief(error)}") from error
        size += len(part)
        if size > MAX_BYTES:
            raise whole_file("unreadable_file", f"larger than {MAX_BYTES} bytes when unpacked")
        if not inflater.eof:
            raise whole_file("unreadable_file", "gzip: the file is cut short")
        parts.append(part)
        data = inflater.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _unzstd(data: bytes) -> bytes:
    try:
        with pa.input_stream(io.BytesIO(data), compression="zstd") as stream:
            found = bytes(stream.read(MAX_BYTES + 1))
    except (pa.ArrowException, OSError) as error:
        raise whole_file("unreadable_file", f"zstd: {brief(error)}") from error
    if len(found) > MAX_BYTES:
        raise whole_file("unreadable_file", f"larger than {MAX_BYTES} bytes when unpacked")
    return found


UNPACK = {".gz": _gunzip, ".zst": _unzstd}
"""File ending -> how such a file is unpacked. Raises `BadData`."""
