"""Bring a file of bars into the catalogue: all of it, or nothing and every reason with its row."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.market.catalogue import SetInfo, UnknownSet, columns_of, coverage, info_of, set_path, store
from engine.market.reading import Table, read_table
from engine.market.validation import ROW_MEANING, BadData, Gaps, Problem, check, interval_ns_of, whole_file
from seams.clock import Clock
from seams.disk import Disk
from venues.types import Record


class ImportReport(Record):
    """What an import did. `exit_category` is `ok` or `data`; with `data` nothing was written.

    `problems` names the first rows of each code; `counts` has all. Gaps are facts, not errors.
    """

    is_imported: bool
    exit_category: str
    venue: str
    symbol: str
    interval: str
    source_name: str
    source_sha256: str
    rows: int
    first_ns: int | None
    last_ns: int | None
    content_sha256: str
    replaced_sha256: str
    gaps: Gaps
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]
    row_meaning: str = ROW_MEANING


def import_bars(
    path: Path, venue: str, symbol: str, interval: str, home: Path, disk: Disk, clock: Clock
) -> ImportReport:
    """Validate a CSV, CSV.gz or Parquet file of bars and store it under `home`.

    Columns: ts_ms (open time, UTC epoch milliseconds), open, high, low, close, volume, in any order.
    Raises `UnsafeName` or `ValueError` for the names and the interval, and `OSError` where the store
    cannot be written; problems of the file are in the report.
    """
    set_path(home, venue, symbol, interval)
    interval_ns = interval_ns_of(interval)
    blank = _blank(path.name, venue, symbol, interval)
    try:
        data = _read(path, disk)
        blank["source_sha256"] = hashlib.sha256(data).hexdigest()
        table = read_table(path.name, data)
        problems, counts = check(table.columns, interval_ns)
    except BadData as bad:
        return _refused(blank, bad.problems, _counted(bad.problems), 0)
    if problems:
        return _refused(blank, problems, counts, len(table.columns["ts_ms"]))
    bars = columns_of(table.columns, interval_ns)
    info = info_of(
        bars,
        venue=venue,
        symbol=symbol,
        interval=interval,
        source_name=path.name,
        source_sha256=blank["source_sha256"],
        imported_ns=clock.now_ns(),
    )
    replaced = _stored_sha256(home, info, disk)
    store(home, bars, info, disk)
    return _done(info, replaced, table)


def _read(path: Path, disk: Disk) -> bytes:
    try:
        return disk.read(path)
    except OSError as error:
        raise whole_file("unreadable_file", error.strerror or type(error).__name__) from error


def _blank(source_name: str, venue: str, symbol: str, interval: str) -> dict[str, str]:
    return {
        "venue": venue,
        "symbol": symbol,
        "interval": interval,
        "source_name": source_name,
        "source_sha256": "",
    }


def _refused(
    blank: dict[str, str], problems: tuple[Problem, ...], counts: dict[str, int], rows: int
) -> ImportReport:
    return ImportReport(
        **blank,
        is_imported=False,
        exit_category=BadData.exit_category,
        rows=rows,
        first_ns=None,
        last_ns=None,
        content_sha256="",
        replaced_sha256="",
        gaps=Gaps(count=0, missing_bars=0, largest=()),
        problems=problems,
        counts=counts,
        notes=(),
    )


def _done(info: SetInfo, replaced_sha256: str, table: Table) -> ImportReport:
    notes = [f"column {name[:40]!a} was ignored" for name in table.ignored[:20]]
    if replaced_sha256:
        notes.append("an older set of the same name was replaced")
    return ImportReport(
        is_imported=True,
        exit_category="ok",
        venue=info.venue,
        symbol=info.symbol,
        interval=info.interval,
        source_name=info.source_name,
        source_sha256=info.source_sha256,
        rows=info.rows,
        first_ns=info.first_ns,
        last_ns=info.last_ns,
        content_sha256=info.content_sha256,
        replaced_sha256=replaced_sha256,
        gaps=info.gaps,
        problems=(),
        counts={},
        notes=tuple(notes),
    )


def _stored_sha256(home: Path, info: SetInfo, disk: Disk) -> str:
    try:
        return coverage(home, info.venue, info.symbol, info.interval, disk).content_sha256
    except UnknownSet:
        return ""


def _counted(problems: tuple[Problem, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for problem in problems:
        counts[problem.code] = counts.get(problem.code, 0) + 1
    return counts
