"""A file's time column to UTC milliseconds of the bar's open: units and date formats are proved, not assumed.

A whole number is a time in the one unit in which every row lies between 1980 and 2200: those spans do not
overlap, so there is never a choice. A text is read by the first format that reads every row.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.market.validation import (
    CODES,
    FIRST_MS,
    LAST_MS,
    MAX_ROWS_NAMED_PER_CODE,
    BadData,
    Problem,
    whole_file,
)
from seams.clock import NS_PER_MS, iso_z

Times = NDArray[np.int64]


class Stamps(StrEnum):
    """Which end of a bar its time stands for."""

    OPEN = "open"
    CLOSE = "close"


PER_MS = {"s": 0.001, "ms": 1, "us": 1_000, "ns": 1_000_000}
"""How many of a unit are one millisecond."""
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
TEXT_FORMATS = ("%Y-%m-%d %I-%p", "%Y%m%d %H:%M", "%Y%m%d")
"""Tried after ISO 8601; the first is CryptoDataDownload's, the others are LEAN's."""


def declared_unit(name: str) -> str:
    """Return the unit that a column's name states (`ts_ms` is ms), or nothing."""
    ending = name.lower().rpartition("_")[2]
    return ending if "_" in name and ending in PER_MS else ""


def times_of(name: str, values: pa.ChunkedArray[Any] | pa.Array[Any], timezone: str) -> tuple[Times, str]:
    """Return UTC milliseconds of a time column, and a note on how it was read ("" where it is plain).

    Raises `BadData` with the rows that are no time. `timezone` is for texts without a zone.
    """
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return _whole_ms(values, name)
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return of_numbers(name, _integers(name, values))
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _of_texts(name, values.cast(pa.string()), timezone)
    raise whole_file("not_a_time", f"column {name} has type {values.type}", name)


def of_numbers(name: str, values: Times) -> tuple[Times, str]:
    """Return milliseconds of whole numbers in the one unit that fits, or in the one the name states."""
    unit = declared_unit(name) or _unit_of(name, values)
    if unit == "ms":
        return values, ""
    note = f"{name} was read as {UNIT_WORDS[unit]}"
    if unit == "s":
        bounded = np.clip(values, -LAST_MS, LAST_MS)
        return bounded * 1_000, f"{note}: {int(values[0])} is {iso_z(int(bounded[0]) * 10**9)}"
    per_ms = int(PER_MS[unit])
    _demand_whole(name, values % per_ms != 0)
    return values // per_ms, note


def _unit_of(name: str, values: Times) -> str:
    for unit, per_ms in PER_MS.items():
        if values.min() >= FIRST_MS * per_ms and values.max() <= LAST_MS * per_ms:
            return unit
    raise whole_file("mixed_time_units", f"{CODES['mixed_time_units']}; column {name}", name)


def _integers(name: str, values: Any) -> Times:
    if values.null_count:
        _refuse(name, np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False)), "empty")
    numbers = np.asarray(values)
    if not np.issubdtype(numbers.dtype, np.integer):
        is_odd = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**62))
        _refuse(name, np.flatnonzero(is_odd), "not a whole number")
    return numbers.astype(np.int64)


def _of_texts(name: str, values: Any, timezone: str) -> tuple[Times, str]:
    for zone in (None, "UTC"):
        try:
            stamps = values.cast(pa.timestamp("ns", zone))
        except pa.ArrowException:
            continue
        return _placed(name, stamps, timezone, "ISO 8601")
    for text_format in TEXT_FORMATS:
        stamps = pc.strptime(values, format=text_format, unit="s", error_is_null=True)
        if not stamps.null_count:
            return _placed(name, stamps.cast(pa.timestamp("ns")), timezone, text_format)
    raise _unread(name, values)


def _placed(name: str, stamps: Any, timezone: str, how: str) -> tuple[Times, str]:
    """Put texts without a zone into `timezone`."""
    if stamps.null_count:
        _refuse(name, np.flatnonzero(pc.is_null(stamps).to_numpy(zero_copy_only=False)), "empty")
    if stamps.type.tz is not None:
        return _whole_ms(stamps, name)[0], f"{name} was read as {how} with its own zone"
    try:
        stamps = pc.assume_timezone(stamps, timezone)
    except pa.ArrowException as error:
        raise whole_file(
            "not_a_time", f"{name} in zone {timezone[:40]!a}: {str(error)[:120]!a}", name
        ) from error
    return _whole_ms(stamps, name)[0], f"{name} was read as {how} in {timezone}"


def _whole_ms(stamps: Any, name: str) -> tuple[Times, str]:
    if stamps.null_count:
        _refuse(name, np.flatnonzero(pc.is_null(stamps).to_numpy(zero_copy_only=False)), "empty")
    try:
        ns = np.asarray(stamps.cast(pa.timestamp("ns", getattr(stamps.type, "tz", None))).cast(pa.int64()))
    except pa.ArrowException as error:
        raise whole_file("not_a_time", f"column {name}: {str(error)[:120]!a}", name) from error
    _demand_whole(name, ns % NS_PER_MS != 0)
    return ns // NS_PER_MS, f"{name} was read as a {stamps.type}"


def _demand_whole(name: str, is_odd: NDArray[np.bool_]) -> None:
    _refuse(name, np.flatnonzero(is_odd), "finer than a millisecond")


def _unread(name: str, values: Any) -> BadData:
    """Name the rows that the format of most rows does not read."""
    texts = [str(value) for value in values.to_pylist()]
    odd = [row for row, text in enumerate(texts) if not _is_iso(text)]
    if len(odd) == len(texts):
        found = f"column {name} has dates such as {texts[0][:40]!a}"
        return whole_file("not_a_time", f"{CODES['not_a_time']}; {found}", name)
    return _problems(
        name, odd or list(range(len(texts))), [texts[row][:40] for row in odd or range(len(texts))]
    )


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _refuse(name: str, rows: Times, why: str) -> None:
    if len(rows):
        raise _problems(name, rows.tolist(), [why] * len(rows))


def _problems(name: str, rows: list[int], found: list[str]) -> BadData:
    few = list(zip(rows, found, strict=True))[:MAX_ROWS_NAMED_PER_CODE]
    return BadData(
        tuple(
            Problem(
                code="not_a_time", row=row + 1, column=name, message=f"{CODES['not_a_time']}; found {text!a}"
            )
            for row, text in few
        )
    )
