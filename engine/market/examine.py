"""Judge a file or a stored set: findings, and agreement with another source; nothing is changed."""

from __future__ import annotations

from pathlib import Path

from engine.market.agreement import Agreement, agreement, agreement_findings
from engine.market.catalogue import BarColumns, columns_of, coverage, load, raw_columns
from engine.market.quality import Finding, Severity, findings_of
from engine.market.reading import Table, read_table, rows_by_symbol
from engine.market.shapes import Shape
from engine.market.validation import Columns, check, interval_ns_of
from seams.disk import Disk, RealDisk
from venues.types import Record

Series = tuple[str, str, str]
"""Venue, symbol, interval."""


class Examination(Record):
    """What was found in `source`. `is_fit` tells that no finding is an error; `content_sha256` is empty
    where the file could not be stored as it is. `repairs` were made when a stored set was imported."""

    source: str
    interval: str
    rows: int
    is_fit: bool
    content_sha256: str
    findings: tuple[Finding, ...]
    agreement: Agreement | None
    notes: tuple[str, ...]
    repairs: tuple[str, ...]


def examine_file(
    path: Path,
    interval: str,
    symbol: str,
    shape: Shape,
    home: Path,
    against: Series | None,
    disk: Disk | None = None,
) -> Examination:
    """Judge a file of bars, also one that would not be imported.

    Raises `BadData` where it cannot be read at all, `ValueError` for the interval, `OSError`, and for
    `against` what `load` and `agreement` raise.
    """
    disk = disk or RealDisk()
    interval_ns = interval_ns_of(interval)
    table = read_table(path.name, disk.read(path), shape, interval_ns)
    columns = _of_symbol(table, symbol)
    is_clean = not check(columns, interval_ns)[0]
    bars = columns_of(columns, interval_ns) if is_clean else None
    return _examination(
        path.name,
        interval,
        columns,
        bars,
        _other(home, against, disk) if bars is not None else None,
        (*table.notes, *(f"column {name[:40]!a} was ignored" for name in table.ignored[:20])),
        (),
    )


def examine_set(
    home: Path, series: Series, against: Series | None, disk: Disk | None = None
) -> Examination:  # fmt: skip
    """Judge a stored set. Raises `UnknownSet`, `BadData`, and what `agreement` raises."""
    info = coverage(home, *series, disk)
    bars = load(home, *series, disk)
    source = "/".join(series)
    return _examination(
        source, info.interval, raw_columns(bars), bars, _other(home, against, disk), (), info.repairs
    )


def _examination(
    source: str,
    interval: str,
    columns: Columns,
    bars: BarColumns | None,
    other: BarColumns | None,
    notes: tuple[str, ...],
    repairs: tuple[str, ...],
) -> Examination:
    findings = findings_of(columns, interval_ns_of(interval))
    found = agreement(bars, other) if bars is not None and other is not None else None
    if found is not None:
        findings = (*agreement_findings(found), *findings)
    return Examination(
        source=source,
        interval=interval,
        rows=len(columns["ts_ms"]),
        is_fit=all(each.severity is not Severity.ERROR for each in findings),
        content_sha256=bars.content_sha256 if bars is not None else "",
        findings=findings,
        agreement=found,
        notes=notes,
        repairs=repairs,
    )


def _other(home: Path, against: Series | None, disk: Disk | None) -> BarColumns | None:
    return load(home, *against, disk) if against is not None else None


def _of_symbol(table: Table, symbol: str) -> Columns:
    """Return one symbol's rows of a table of many; row numbers then count within the symbol."""
    ((_, rows),) = rows_by_symbol(table.symbol_names, table.symbol_codes, symbol)
    return table.columns if rows is None else {name: each[rows] for name, each in table.columns.items()}
