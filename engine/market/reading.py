"""Bytes of a CSV, CSV.gz or Parquet file to six numpy columns; hostile content never crashes it."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.market.validation import (
    CODES,
    COLUMNS,
    MAX_ROWS_NAMED_PER_CODE,
    BadData,
    Problem,
    whole_file,
)
from venues.types import Record

MAX_BYTES = 4 << 30
MAX_HEADER_CELLS = 1_000


class Table(Record):
    """Columns by the names of `COLUMNS`, and the names of the columns that were ignored."""

    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]]
    ignored: tuple[str, ...]


def read_table(name: str, data: bytes) -> Table:
    """Read a file's bytes by its name's ending. Raises `BadData`."""
    if not data:
        raise whole_file("empty_file", "the file has no byte")
    lower = name.lower()
    if lower.endswith((".parquet", ".pq")):
        return read_parquet(pa.BufferReader(data))
    if lower.endswith((".csv.gz", ".gz")):
        return _read_csv(_gunzip(data))
    if lower.endswith((".csv", ".txt")):
        return _read_csv(data)
    raise whole_file("unreadable_file", "the name must end in .csv, .csv.gz or .parquet")


def read_parquet(source: pa.NativeFile | str) -> Table:
    """Read the needed columns of a Parquet file. Raises `BadData`."""
    try:
        file = pq.ParquetFile(source)
        names = list(file.schema_arrow.names)
        _demand_columns(names)
        table = file.read(columns=list(COLUMNS))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise whole_file("unreadable_file", _brief(error)) from error
    if table.num_rows == 0:
        raise whole_file("empty_file", "the file has no row of data")
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    for name in COLUMNS:
        columns[name] = _parquet_column(name, table.column(name))
    return Table(columns=columns, ignored=tuple(each for each in names if each not in COLUMNS))


def _parquet_column(name: str, column: pa.ChunkedArray[Any]) -> NDArray[np.float64] | NDArray[np.int64]:
    wanted = pa.int64() if name == "ts_ms" else pa.float64()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise whole_file("not_a_number", f"column {name} has type {column.type}, not a number", name)
    if column.null_count:
        rows = np.flatnonzero(pc.is_null(column).to_numpy())
        raise BadData(tuple(_cell_problem("not_a_number", int(row) + 1, name, "null") for row in _few(rows)))
    try:
        cast = column.cast(wanted) if column.type != wanted else column
    except pa.ArrowException as error:
        raise whole_file("not_a_number", f"column {name}: {_brief(error)}", name) from error
    return np.ascontiguousarray(cast.to_numpy())


def _read_csv(data: bytes) -> Table:
    header = _header(data)
    _demand_columns(header)
    ignored = tuple(each for each in header if each not in COLUMNS)
    options = pa_csv.ConvertOptions(
        include_columns=list(COLUMNS),
        column_types={name: pa.int64() if name == "ts_ms" else pa.float64() for name in COLUMNS},
        null_values=[],
        strings_can_be_null=False,
    )
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),  # type: ignore[arg-type]
            read_options=pa_csv.ReadOptions(column_names=header, skip_rows=1),
            convert_options=options,
        )
        has_nulls = any(table.column(name).null_count for name in COLUMNS)
    except (pa.ArrowException, ValueError):
        return _read_csv_by_cell(data, header, ignored)
    if has_nulls:
        return _read_csv_by_cell(data, header, ignored)
    if table.num_rows == 0:
        raise whole_file("empty_file", "there is a header and no row of data")
    return Table(
        columns={name: np.ascontiguousarray(table.column(name).to_numpy()) for name in COLUMNS},
        ignored=ignored,
    )


def _read_csv_by_cell(data: bytes, header: Sequence[str], ignored: tuple[str, ...]) -> Table:
    """Read what the fast reader refused: to name the rows at fault, or because a cell is unusual."""
    places = [(name, header.index(name)) for name in COLUMNS]
    values: dict[str, list[float]] = {name: [] for name in COLUMNS}
    problems: list[Problem] = []
    for row, cells in enumerate(_data_rows(data), start=1):
        if len(cells) != len(header):
            message = f"{len(cells)} cells"
            problems.append(_cell_problem("wrong_column_count", row, "", message))
        else:
            for name, place in places:
                value = _number(cells[place], is_integer=name == "ts_ms")
                if value is None:
                    problems.append(_cell_problem("not_a_number", row, name, cells[place]))
                else:
                    values[name].append(value)
        if len(problems) >= MAX_ROWS_NAMED_PER_CODE:
            break
    if problems:
        raise BadData(tuple(problems))
    if not values["ts_ms"]:
        raise whole_file("empty_file", "there is a header and no row of data")
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {
        name: np.array(values[name], dtype=np.float64) for name in COLUMNS[1:]
    }
    columns["ts_ms"] = np.array(values["ts_ms"], dtype=np.int64)
    return Table(columns=columns, ignored=ignored)


def _data_rows(data: bytes) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline="")
    try:
        rows = csv.reader(text)
        next(rows, None)
        yield from (cells for cells in rows if cells)
    except csv.Error as error:
        raise whole_file("unreadable_file", _brief(error)) from error


def _header(data: bytes) -> list[str]:
    line = data[: 1 << 16].split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    try:
        cells = next(csv.reader([line]), [])
    except csv.Error as error:
        raise whole_file("unreadable_file", _brief(error)) from error
    if not cells:
        raise whole_file("empty_file", "the first line is empty; it must name the columns")
    if len(cells) > MAX_HEADER_CELLS:
        raise whole_file("unreadable_file", f"more than {MAX_HEADER_CELLS} columns")
    return [cell.strip() for cell in cells]


def _demand_columns(names: Sequence[str]) -> None:
    wrong = [name for name in COLUMNS if list(names).count(name) != 1]
    if wrong:
        seen = ", ".join(_shown(name) for name in names[:12])
        raise BadData(
            tuple(
                Problem(
                    code="missing_column",
                    row=0,
                    column=name,
                    message=f"{CODES['missing_column']}; found: {seen}",
                )
                for name in wrong
            )
        )


def _number(cell: str, *, is_integer: bool) -> float | None:
    text = cell.strip()
    if not text.isascii() or "_" in text:
        return None
    try:
        if is_integer:
            value = int(text) if text.lstrip("+-").isdigit() and len(text) < 20 else float(text)
            return int(value) if value == value // 1 and abs(value) < 2**62 else None
        number = float(text)
    except (ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None


def _gunzip(data: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(data, MAX_BYTES - size + 1)
        except zlib.error as error:
            raise whole_file("unreadable_file", f"gzip: {_brief(error)}") from error
        size += len(part)
        if size > MAX_BYTES:
            raise whole_file("unreadable_file", f"larger than {MAX_BYTES} bytes when unpacked")
        if not inflater.eof:
            raise whole_file("unreadable_file", "gzip: the file is cut short")
        parts.append(part)
        data = inflater.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _cell_problem(code: str, row: int, column: str, found: str) -> Problem:
    return Problem(code=code, row=row, column=column, message=f"{CODES[code]}; found {_shown(found)}")


def _few(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[:MAX_ROWS_NAMED_PER_CODE]


def _shown(text: str) -> str:
    """Return foreign text short and with control characters escaped."""
    return ascii(text[:40])


def _brief(error: BaseException) -> str:
    return ascii(str(error)[:200])[1:-1]
