"""Indexes of runs and of paper sessions: one scan, three files that agree, replaced atomically."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.api.run_filter import STATUSES
from engine.research.artifacts import RUN_ID, STAGING_PREFIX
from engine.research.schemas import Excluded, IndexRow, RunMetadata, RunReport, RunsIndex, json_bytes
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record


def refresh_runs_index(runs: Path, disk: Disk, clock: Clock) -> RunsIndex:
    """Scan `runs` and write runs_index.{csv,json,md} beside it; return the index. Raises `OSError`."""
    index = scan_runs(runs, disk, clock)
    rows = [msgspec.to_builtins(row) for row in index.runs]
    write_three(runs.parent, "runs_index", index, rows, tuple(IndexRow.__annotations__), disk)
    return index


def scan_runs(runs: Path, disk: Disk, clock: Clock) -> RunsIndex:
    """Read every run folder, newest first; a damaged one is excluded with its reason."""
    rows: list[IndexRow] = []
    excluded: list[Excluded] = []
    for name in disk.list(runs):
        if name.startswith(STAGING_PREFIX):
            continue
        found = read_row(runs / name, disk)
        if isinstance(found, IndexRow):
            rows.append(found)
        else:
            excluded.append(Excluded(path=name, reason=found))
    rows.sort(key=lambda row: (row.created_at, row.run_id), reverse=True)
    return RunsIndex(
        generated_at=iso_z(clock.now_ns()),
        root_dir=str(runs),
        n_runs=len(rows),
        runs=tuple(rows),
        excluded=tuple(excluded),
    )


class RunScan:
    """The runs of a folder, read once each: a published run never changes."""

    def __init__(self, runs: Path, disk: Disk) -> None:
        self._runs, self._disk = runs, disk
        self._known: dict[str, IndexRow] = {}

    def rows(self) -> list[IndexRow]:
        """Return every readable run, newest first; only folders not seen before are opened."""
        names = [name for name in self._disk.list(self._runs) if not name.startswith(STAGING_PREFIX)]
        found = {name: self._known.get(name) or read_row(self._runs / name, self._disk) for name in names}
        self._known = {name: row for name, row in found.items() if isinstance(row, IndexRow)}
        return sorted(self._known.values(), key=lambda row: (row.created_at, row.run_id), reverse=True)


def read_row(folder: Path, disk: Disk) -> IndexRow | str:
    """Return a run's row, or why it has none."""
    if not RUN_ID.fullmatch(folder.name):
        return "not_a_run_folder"
    try:
        report = msgspec.json.decode(disk.read(folder / "report.json"), type=RunReport)
        metadata = msgspec.json.decode(disk.read(folder / "metadata.json"), type=RunMetadata)
    except OSError as error:
        return f"unreadable: {Path(str(error.filename or error)).name}"
    except msgspec.MsgspecError:
        return "damaged_report"
    if not report.header.run_id == metadata.run_id == folder.name:
        return "run_id_differs_from_folder"
    if report.status not in STATUSES or report.config_resolved.paper:
        return "paper" if report.config_resolved.paper else f"status_{report.status}"
    return _row(folder, report)


def write_three(
    folder: Path,
    stem: str,
    index: Record,
    rows: Sequence[dict[str, object]],
    columns: Sequence[str],
    disk: Disk,
) -> None:
    """Write an index as csv, json and md. Each file is replaced atomically, json last."""
    disk.make_folder(folder)
    disk.write_atomic(folder / f"{stem}.csv", _csv(rows, columns))
    disk.write_atomic(folder / f"{stem}.md", _markdown(rows, columns))
    disk.write_atomic(folder / f"{stem}.json", json_bytes(index))


def _row(folder: Path, report: RunReport) -> IndexRow:
    config, summary = report.config_resolved, report.summary
    return IndexRow(
        run_id=report.header.run_id,
        mode=report.header.mode,
        created_at=report.header.created_at,
        git_commit=report.header.git_commit,
        ticker=config.ticker,
        start=config.start,
        end=config.end,
        sharpe_simple=_number(summary.get("sharpe_simple")),
        total_return=_number(summary.get("total_return")),
        max_drawdown=_number(summary.get("max_drawdown")),
        trades=int(_number(summary.get("trades")) or 0),
        path=str(folder),
        status=report.status,
        strategy=config.preset or config.strategy,
        interval=config.interval,
        data_sha256=report.identity.data_sha256,
        config_hash=report.header.config_hash,
        decision_sha256=report.identity.decision_sha256,
        trust=report.trust,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _csv(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if row[name] is None else row[name] for name in columns} for row in rows)
    return text.getvalue().encode()


def _markdown(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> bytes:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for row in rows:
        cells = ("" if row[name] is None else str(row[name]).replace("|", "\\|") for name in columns)
        lines.append(f"| {' | '.join(cells)} |")
    return ("\n".join(lines) + "\n").encode()
