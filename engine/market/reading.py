"""Bytes of a file of bars to numpy columns with UTC open times; hostile content never crashes it."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.market.csv_bars import Found, brief, cell_problem, read_csv
from engine.market.json_bars import read_json
from engine.market.shapes import SYMBOL, TIME, Layout, Shape, layout_of
from engine.market.stamps import Stamps, times_of
from engine.market.validation import COLUMNS, MAX_ROWS_NAMED_PER_CODE, BadData, whole_file
from seams.clock import NS_PER_MS
from venues.types import Record

MAX_BYTES = 4 << 30
_ARROW_MAGIC, _GZIP_MAGIC = b"ARROW1", b"\x1f\x8b"

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
    if not data:
        raise whole_file("empty_file", "the file has no byte")
    lower = name.lower()
    if lower.endswith((".parquet", ".pq", ".feather", ".arrow")):
        return read_parquet(pa.BufferReader(data), shape, interval_ns)
    if lower.endswith(".gz"):
        lower, data = lower.removesuffix(".gz"), _gunzip(data)
        if not data:
            raise whole_file("empty_file", "the packed file has no byte")
    elif not lower.endswith((".csv", ".txt", ".json")):
        raise whole_file(
            "unreadable_file", "the name must end in .csv, .json, .parquet or .feather (.gz allowed)"
        )
    read = read_json if lower.endswith(".json") else read_csv
    return _table(*read(data, shape), shape, interval_ns)


def read_parquet(source: pa.NativeFile | str, shape: Shape = Shape(), interval_ns: int = 0) -> Table:
    """Read the needed columns of a Parquet or Feather file. Raises `BadData`."""
    try:
        file = pa.memory_map(source) if isinstance(source, str) else source
        is_feather = file.read(len(_ARROW_MAGIC)) == _ARROW_MAGIC
        file.seek(0)
        layout, table = (_feather if is_feather else _parquet)(file, shape)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise whole_file("unreadable_file", brief(error)) from error
    if table.num_rows == 0:
        raise whole_file("empty_file", "the file has no row of data")
    found: Found = {ours: table.column(name) for ours, name in layout.names.items()}
    for ours in found.keys() - {TIME, SYMBOL}:
        found[ours] = _parquet_column(ours, found[ours])
    return _table(found, layout, [], shape, interval_ns)


def _parquet(file: pa.NativeFile, shape: Shape) -> tuple[Layout, pa.Table]:
    whole = pq.ParquetFile(file)
    layout = layout_of(whole.schema_arrow.names, shape)
    return layout, whole.read(columns=list(layout.names.values()))


def _feather(file: pa.NativeFile, shape: Shape) -> tuple[Layout, pa.Table]:
    whole = ipc.open_file(file)
    layout = layout_of(whole.schema.names, shape)
    return layout, whole.read_all().select(list(layout.names.values()))


def _table(found: Found, layout: Layout, notes: list[str], shape: Shape, interval_ns: int) -> Table:
    """Give the columns their final form: milliseconds of open times, floats, symbols as codes."""
    raw = found[TIME]
    column = pa.array(raw) if isinstance(raw, np.ndarray) else raw
    times, note = times_of(layout.names[TIME], column, shape.timezone)
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
        names, codes = _symbols(found[SYMBOL])
    return Table(
        columns=columns,
        ignored=layout.ignored,
        notes=(*notes, *([note] if note else [])),
        symbol_names=names,
        symbol_codes=codes,
    )


def _symbols(column: Any) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if column.null_count:
        rows = np.flatnonzero(pc.is_null(column).to_numpy())[:MAX_ROWS_NAMED_PER_CODE]
        raise BadData(tuple(cell_problem("unknown_symbol", int(row) + 1, SYMBOL, "null") for row in rows))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    encoded: Any = pc.dictionary_encode(pa.concat_arrays([chunk.cast(pa.string()) for chunk in chunks]))
    names = tuple(str(name) for name in encoded.dictionary.to_pylist())
    return names, np.asarray(encoded.indices).astype(np.int64)


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
