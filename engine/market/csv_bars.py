"""Lines of text to columns: the fast reader first, cell by cell where a row must be named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from engine.market.shapes import (
    IGNORED,
    SYMBOL,
    TIME,
    Layout,
    Shape,
    headerless,
    is_data,
    is_header,
    layout_of,
)
from engine.market.validation import CODES, COLUMNS, MAX_ROWS_NAMED_PER_CODE, BadData, Problem, whole_file

MAX_HEADER_CELLS = 1_000
MAX_JUNK_LINES = 5
_HEAD_BYTES = 1 << 16
_SAMPLE_ROWS = 200

Found = dict[str, Any]
"""Our column name -> float64 or int64 array, or an Arrow array of texts (time, symbol)."""


def read_csv(data: bytes, shape: Shape, wanted: Sequence[str] = COLUMNS) -> tuple[Found, Layout, list[str]]:
    """Read a CSV file's columns, its layout and notes. Raises `BadData`."""
    lines = _first_lines(data)
    header, skipped, notes = _header(lines, shape, wanted)
    layout = layout_of(header, shape, wanted)
    places = {ours: header.index(name) for ours, name in layout.names.items()}
    sample = next((cells for cells in lines[skipped:] if cells), [])
    is_text = _is_text_time(sample, places[TIME])
    found = _read_fast(data, len(header), skipped, places, is_text)
    if found is None:
        rows = _data_rows(data, skipped)
        found = columns_of_cells(rows, len(header), places, is_text_time=is_text)
    return found, layout, notes


def columns_of_cells(
    rows: Iterable[Sequence[str]], width: int, places: Mapping[str, int], *, is_text_time: bool
) -> Found:
    """Read cells one by one, naming the rows at fault. Raises `BadData`."""
    texts = {SYMBOL} | ({TIME} if is_text_time else set())
    values: dict[str, list[Any]] = {name: [] for name in places}
    problems: list[Problem] = []
    for row, cells in enumerate(rows, start=1):
        if len(cells) != width:
            problems.append(cell_problem("wrong_column_count", row, "", f"{len(cells)} cells"))
        else:
            for name, place in places.items():
                cell = cells[place]
                value = cell if name in texts else _number(cell, is_integer=name == TIME)
                if value is None:
                    problems.append(cell_problem("not_a_number", row, name, cell))
                else:
                    values[name].append(value)
        if len(problems) >= MAX_ROWS_NAMED_PER_CODE:
            break
    if problems:
        raise BadData(tuple(problems))
    if not values[TIME]:
        raise whole_file("empty_file", "there is a header and no row of data")
    kinds = {TIME: np.int64}
    return {
        name: pa.array(_clean(each)) if name in texts else np.array(each, dtype=kinds.get(name, np.float64))
        for name, each in values.items()
    }


def cell_problem(code: str, row: int, column: str, found: str) -> Problem:
    """Return what is wrong with one cell; the foreign text is short and its control characters escaped."""
    return Problem(code=code, row=row, column=column, message=f"{CODES[code]}; found {found[:40]!a}")


def _header(lines: list[list[str]], shape: Shape, wanted: Sequence[str]) -> tuple[list[str], int, list[str]]:
    """Return the column names, how many lines stand before the first row of data, and notes."""
    if not any(lines[:1]) and not shape.columns:
        raise whole_file("empty_file", "the first line is empty; it must name the columns")
    if max(len(cells) for cells in lines) > MAX_HEADER_CELLS:
        raise whole_file("unreadable_file", f"more than {MAX_HEADER_CELLS} columns")
    if shape.columns:
        return _stated_header(lines, shape, wanted)
    for at, cells in enumerate(lines[: MAX_JUNK_LINES + 1]):
        if is_header(cells, wanted):
            return [cell.strip() for cell in cells], at + 1, _junk_note(lines[:at])
        if is_data(cells, wanted) and at and len(lines[at - 1]) == len(cells):
            return [cell.strip() for cell in lines[at - 1]], at, _junk_note(lines[: at - 1])
        if is_data(cells, wanted):
            same = [row for row in lines[at : at + _SAMPLE_ROWS] if is_data(row, wanted)]
            raise headerless(same, wanted)
    return [cell.strip() for cell in lines[0]], 1, []


def _stated_header(
    lines: list[list[str]], shape: Shape, wanted: Sequence[str]
) -> tuple[list[str], int, list[str]]:
    """Use `--columns`; lines before the first row of numbers are skipped."""
    at = next((at for at, cells in enumerate(lines[: MAX_JUNK_LINES + 1]) if is_data(cells, wanted)), None)
    if at is None:
        raise whole_file("empty_file", f"none of the first {MAX_JUNK_LINES} lines is a row of numbers")
    if len(lines[at]) != len(shape.columns):
        message = f"--columns names {len(shape.columns)} columns and the first row has {len(lines[at])} cells"
        raise whole_file("missing_column", message)
    header = [name if name != IGNORED else f"{IGNORED}{at}" for at, name in enumerate(shape.columns)]
    return header, at, _junk_note(lines[:at])


def _junk_note(lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"line skipped before the data: {','.join(cells)[:60]!a}" for cells in lines]


def _first_lines(data: bytes) -> list[list[str]]:
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    whole = head if len(data) <= _HEAD_BYTES else head[:-1] or head
    try:
        return [next(csv.reader([line.strip("\r")]), []) for line in whole] or [[]]
    except csv.Error as error:
        raise whole_file("unreadable_file", brief(error)) from error


def _is_text_time(cells: Sequence[str], place: int) -> bool:
    text = cells[place].strip() if place < len(cells) else ""
    return any(mark in text for mark in "-:/") and not text.startswith("-")


def _read_fast(
    data: bytes, width: int, skipped: int, places: Mapping[str, int], is_text_time: bool
) -> Found | None:
    """Read with Arrow; None where it refuses anything."""
    types: dict[str, pa.DataType] = {}
    for name, place in places.items():
        is_text = name == SYMBOL or (name == TIME and is_text_time)
        types[str(place)] = pa.string() if is_text else pa.int64() if name == TIME else pa.float64()
    options = pa_csv.ConvertOptions(
        include_columns=list(types), column_types=types, null_values=[], strings_can_be_null=False
    )
    names = [str(place) for place in range(width)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),  # type: ignore[arg-type]
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=skipped),
            convert_options=options,
        )
    except (pa.ArrowException, ValueError):
        return None
    found = {name: table.column(str(place)) for name, place in places.items()}
    if any(column.null_count for column in found.values()):
        return None
    if table.num_rows == 0:
        raise whole_file("empty_file", "there is a header and no row of data")
    return {
        name: column if column.type == pa.string() else np.ascontiguousarray(column.to_numpy())
        for name, column in found.items()
    }


def _data_rows(data: bytes, skipped: int) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline="")
    try:
        for _ in range(skipped):
            text.readline()
        yield from (cells for cells in csv.reader(text) if cells)
    except csv.Error as error:
        raise whole_file("unreadable_file", brief(error)) from error


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


def _clean(texts: list[str]) -> list[str]:
    return [text.encode("utf-8", "replace").decode() for text in texts]


def brief(error: BaseException) -> str:
    """Return an error's text, short and with control characters escaped."""
    return ascii(str(error)[:200])[1:-1]
