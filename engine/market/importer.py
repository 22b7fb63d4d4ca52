"""Bring a file of bars into the catalogue: all of it, or nothing and every reason with its row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.market.catalogue import (
    BarColumns,
    SetInfo,
    UnknownSet,
    UnsafeName,
    columns_of,
    coverage,
    info_of,
    set_path,
    store_all,
)
from engine.market.quality import Finding, findings_of
from engine.market.reading import ALL_SYMBOLS, read_table, rows_by_symbol
from engine.market.repair import Repair, repaired
from engine.market.shapes import Shape
from engine.market.validation import (
    ROW_MEANING,
    BadData,
    Columns,
    Gaps,
    Problem,
    check,
    interval_ns_of,
    whole_file,
)
from seams.clock import Clock
from seams.disk import Disk
from venues.types import Record

_NO_SHAPE = Shape()
Progress = Callable[[int, int], None]


class ImportReport(Record):
    """What an import did for one symbol. `exit_category` is `ok` or `data`; with `data` nothing was written.

    `problems` names the first rows of each code; `counts` has all. Gaps are facts, not errors. `repairs`
    says what was changed on request, `notes` how the file was understood, `findings` what to know of it.
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
    repairs: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    row_meaning: str = ROW_MEANING


class _Part(Record):
    """One symbol's rows of a file, judged; `problems` is empty where they can be stored."""

    symbol: str
    rows: int
    bars: BarColumns | None
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    repairs: tuple[str, ...]
    findings: tuple[Finding, ...]


def import_file(
    path: Path,
    venue: str,
    symbol: str,
    interval: str,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    shape: Shape = _NO_SHAPE,
    repairs: frozenset[Repair] = frozenset(),
    on_progress: Progress | None = None,
) -> tuple[ImportReport, ...]:
    """Validate a CSV, JSON, Parquet or Feather file of bars and store it under `home`, or nothing of it.

    `symbol` is stored as given; in a file of many symbols it chooses one, and `*` takes all under their own
    names; `on_progress(done, total)` counts the symbols judged. Needed are a time, open, high, low, close and
    volume under any usual name (`shapes.ALIASES`). Returns a report for each symbol; where any is refused,
    none is stored and all say so. Raises `UnsafeName` or `ValueError` for names and interval, and `OSError`
    where the store cannot be written.
    """
    set_path(home, venue, symbol if symbol != ALL_SYMBOLS else "ALL", interval)
    interval_ns = interval_ns_of(interval)
    blank = _blank(path.name, venue, symbol, interval)
    try:
        data = _read(path, disk)
        blank["source_sha256"] = hashlib.sha256(data).hexdigest()
        table = read_table(path.name, data, shape, interval_ns)
        chosen = rows_by_symbol(table.symbol_names, table.symbol_codes, symbol)
        _demand_safe([name for name, _ in chosen], home, venue, interval)
    except BadData as bad:
        return (_refused(blank, bad.problems, _counted(bad.problems), 0),)
    parts: list[_Part] = []
    for name, rows in chosen:
        parts.append(_judged(table.columns, name, rows, interval_ns, repairs))
        if on_progress is not None:
            on_progress(len(parts), len(chosen))
    notes = (*table.notes, *(f"column {name[:40]!a} was ignored" for name in table.ignored[:20]))
    if any(part.problems for part in parts):
        return tuple(_refused_part(blank, part, notes) for part in parts if part.problems)
    stored: list[tuple[BarColumns, SetInfo]] = []
    for part in parts:
        assert part.bars is not None
        info = info_of(
            part.bars,
            venue=venue,
            symbol=part.symbol,
            interval=interval,
            source_name=path.name,
            source_sha256=blank["source_sha256"],
            imported_ns=clock.now_ns(),
            repairs=part.repairs,
            findings=part.findings,
        )
        stored.append((part.bars, info))
    replaced = [_stored_sha256(home, info, disk) for _, info in stored]
    store_all(home, stored, disk)
    return tuple(
        _done(info, older, notes) for (_, info), older in zip(stored, replaced, strict=True)
    )  # fmt: skip


def _read(path: Path, disk: Disk) -> bytes:
    try:
        return disk.read(path)
    except OSError as error:
        raise whole_file("unreadable_file", error.strerror or type(error).__name__) from error


def _demand_safe(names: Sequence[str], home: Path, venue: str, interval: str) -> None:
    for name in names:
        try:
            set_path(home, venue, name, interval)
        except UnsafeName as error:
            raise whole_file("unsafe_symbol", str(error), "symbol") from error


def _judged(
    columns: Columns,
    symbol: str,
    rows: NDArray[np.int64] | None,
    interval_ns: int,
    repairs: frozenset[Repair],
) -> _Part:
    """Repair what was asked for, then judge; rows in problems are rows of the file."""
    if rows is not None:
        columns = {name: values[rows] for name, values in columns.items()}
    whole = np.arange(len(columns["ts_ms"])) if rows is None else rows
    try:
        columns, kept, done = repaired(columns, repairs)
    except BadData as bad:
        problems = _in_file(bad.problems, whole)
        return _part(symbol, len(whole), None, problems, _counted(problems), (), ())
    problems, counts = check(columns, interval_ns)
    problems = _in_file(problems, whole[kept])
    if problems:
        return _part(symbol, len(kept), None, problems, counts, done, ())
    bars = columns_of(columns, interval_ns)
    return _part(symbol, len(kept), bars, (), {}, done, findings_of(columns, interval_ns))


def _part(
    symbol: str,
    rows: int,
    bars: BarColumns | None,
    problems: tuple[Problem, ...],
    counts: dict[str, int],
    repairs: tuple[str, ...],
    findings: tuple[Finding, ...],
) -> _Part:
    return _Part(
        symbol=symbol,
        rows=rows,
        bars=bars,
        problems=problems,
        counts=counts,
        repairs=repairs,
        findings=findings,
    )


def _in_file(problems: Sequence[Problem], rows: NDArray[np.int64]) -> tuple[Problem, ...]:
    """Return the problems with rows counted in the file instead of in the part."""
    return tuple(
        msgspec.structs.replace(problem, row=int(rows[problem.row - 1]) + 1) if problem.row else problem  # type: ignore[type-var]
        for problem in problems
    )


def _blank(source_name: str, venue: str, symbol: str, interval: str) -> dict[str, str]:
    return {
        "venue": venue,
        "symbol": symbol,
        "interval": interval,
        "source_name": source_name,
        "source_sha256": "",
    }


def _refused_part(blank: dict[str, str], part: _Part, notes: tuple[str, ...]) -> ImportReport:
    refused = _refused({**blank, "symbol": part.symbol}, part.problems, part.counts, part.rows)
    return msgspec.structs.replace(refused, notes=notes, repairs=part.repairs)  # type: ignore[type-var]


def _refused(
    blank: dict[str, str], problems: tuple[Problem, ...], counts: dict[str, int], rows: int
) -> ImportReport:
    return ImportReport(
        venue=blank["venue"],
        symbol=blank["symbol"],
        interval=blank["interval"],
        source_name=blank["source_name"],
        source_sha256=blank["source_sha256"],
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


def _done(info: SetInfo, replaced_sha256: str, notes: tuple[str, ...]) -> ImportReport:
    if replaced_sha256:
        notes = (*notes, "an older set of the same name was replaced")
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
        notes=notes,
        repairs=info.repairs,
        findings=info.findings,
    )


def _stored_sha256(home: Path, info: SetInfo, disk: Disk) -> str:
    try:
        return coverage(home, info.venue, info.symbol, info.interval, disk).content_sha256
    except UnknownSet:
        return ""


def _counted(problems: Sequence[Problem]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for problem in problems:
        counts[problem.code] = counts.get(problem.code, 0) + 1
    return counts
