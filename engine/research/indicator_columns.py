"""Indicators of a data set as columns, by the compiled steps that strategies and the kernel use (OC-24)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

import native.indicators as classes
from engine.research.choice import RunFailed
from native.indicator_table import INDICATORS, IndicatorForm
from seams.clock import NS_PER_S
from venues.types import Record

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

Format = Literal["csv", "parquet", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "jsonl")
COLUMNS = ("open", "high", "low", "close", "volume")
_SPEC = re.compile(r"(?P<name>\w+)\s*(\((?P<given>[^()]*)\))?\s*(@\s*(?P<column>\w+))?\s*$")
CHUNK_BARS = 1 << 16

Progress = Callable[[int, int], None]


class Wanted(Record):
    """One indicator as asked for: its arguments in order, and the column it is of (empty: its own inputs)."""

    name: str
    arguments: dict[str, int | float]
    column: str = ""

    @property
    def form(self) -> IndicatorForm:
        return INDICATORS[self.name]

    @property
    def columns(self) -> tuple[str, ...]:
        """What its outputs are called: `ema_20`, `macd_12_26_9_signal`, `sma_20_volume`."""
        parts = [self.form.c_name, *(f"{value:g}" for value in self.arguments.values())]
        stem = "_".join([*parts, self.column] if self.column else parts)
        return tuple(stem if output == "value" else f"{stem}_{output}" for output in self.form.outputs)


def wanted(text: str, interval_ns: int) -> Wanted:
    """Read `EMA(20)`, `MACD(fast=12, slow=26)` or `SMA(20)@volume`; names in any case.

    An interval that is not named is the data's. Raises `RunFailed` with invalid_request.
    """
    match = _SPEC.match(text.strip())
    by_name = {name.lower(): name for name in INDICATORS}
    if match is None or match["name"].lower() not in by_name:
        known = ", ".join(INDICATORS)
        raise RunFailed("invalid_request", f"{text[:60]!r} is no indicator; write EMA(20). There are {known}")
    form = INDICATORS[by_name[match["name"].lower()]]
    column = match["column"] or ""
    if column and (column not in COLUMNS or form.inputs != ("close",)):
        raise RunFailed("invalid_request", f"{form.name} cannot be of {column[:20]!r}")
    arguments = _arguments(form, match["given"] or "", interval_ns)
    return Wanted(name=form.name, arguments=arguments, column="" if column == "close" else column)


def _arguments(form: IndicatorForm, given: str, interval_ns: int) -> dict[str, int | float]:
    names = [name for name, _ in form.arguments]
    found: dict[str, str] = {}
    for place, part in enumerate(part.strip() for part in given.split(",") if part.strip()):
        name, separator, value = part.partition("=")
        key = name.strip() if separator else names[place] if place < len(names) else ""
        if key not in names or key in found:
            raise RunFailed(
                "invalid_request", f"{form.name} takes {', '.join(names)}, each once, not {part[:40]!r}"
            )
        found[key] = value if separator else part
    arguments: dict[str, int | float] = {}
    for name, default in form.arguments:
        if default is None and name == "interval_s":
            default = interval_ns / NS_PER_S
        if name not in found and default is None:
            raise RunFailed("invalid_request", f"{form.name} needs its {name}")
        try:
            number = float(found.get(name, default or 0))
        except ValueError:
            wrong = f"{form.name}: {name}={found[name][:20]!r} is no number"
            raise RunFailed("invalid_request", wrong) from None
        if form.is_whole(name) and not number.is_integer():
            raise RunFailed("invalid_request", f"{form.name}: {name}={number:g} must be a whole number")
        arguments[name] = int(number) if form.is_whole(name) else number
    return arguments


def indicator_table(
    bars: BarColumns, asked: Sequence[Wanted], on_progress: Progress | None = None
) -> pa.Table:
    """Return times, prices and every output of every indicator; a value before its warm-up is null.

    Columns: `ts_ns` (int64, UTC open), `open` to `volume`, then the outputs in the order asked. Raises
    `RunFailed` with invalid_request for arguments that make no sense, or one column asked for twice.
    """
    names = ["ts_ns", *COLUMNS, *(name for each in asked for name in each.columns)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise RunFailed("invalid_request", f"asked for twice: {', '.join(twice)}")
    arrays = [pa.array(bars.ts_ns), *(pa.array(getattr(bars, name)) for name in COLUMNS)]
    for done, each in enumerate(asked):
        values, warm = outputs_of(bars, each)
        is_early = np.arange(len(bars)) < warm
        arrays += [pa.array(values[:, place], mask=is_early) for place in range(values.shape[1])]
        if on_progress is not None:
            on_progress((done + 1) * len(bars), len(asked) * len(bars))
    return pa.table(arrays, names=names)


def outputs_of(bars: BarColumns, asked: Wanted) -> tuple[NDArray[np.float64], int]:
    """Return (bars, outputs) of one indicator, and how many bars come before its first ready value."""
    form = asked.form
    try:
        indicator = getattr(classes, form.name)(**asked.arguments)
    except ValueError as error:
        raise RunFailed("invalid_request", str(error)) from error
    inputs = (asked.column,) if asked.column else form.inputs
    update, more = indicator.update, form.outputs[1:]
    found = np.empty((len(bars), len(form.outputs)))
    for first in range(0, len(bars), CHUNK_BARS):
        part = slice(first, first + CHUNK_BARS)
        columns = [getattr(bars, name)[part].tolist() for name in inputs]
        if more:
            rows: list[Any] = [
                (update(*row), *(getattr(indicator, name) for name in more))
                for row in zip(*columns, strict=True)
            ]
            found[part] = rows
        else:
            found[part, 0] = [update(*row) for row in zip(*columns, strict=True)]
    return found, indicator.warmup_bars - 1


def written(table: pa.Table, form: Format) -> bytes:
    """Return a table as the bytes of a file: CSV (null is empty), Parquet, or one JSON object a line."""
    data = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, data)
    elif form == "csv":
        data.write(",".join(table.column_names).encode() + b"\n")
        pa_csv.write_csv(table, data, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    else:
        import msgspec

        encoder = msgspec.json.Encoder()
        data.write(encoder.encode_lines(table.to_pylist()))
    return data.getvalue()
