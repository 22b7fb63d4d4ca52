"""What commands may ask of exports: a run's trades and decisions as files (OC-24)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seams.disk import Disk, RealDisk
from venues.types import Record


class Exported(Record):
    """One file that was written, and how many rows it has."""

    what: str
    path: str
    rows: int


def demand_new(trades: Path | None, trace: Path | None, disk: Disk | None = None) -> None:
    """Refuse, before a run, files that are there already. Raises `ExportExists`, `FileNotFoundError`."""
    from engine.research import exports

    exports.demand_new([path for path in (trades, trace) if path is not None], disk or RealDisk())


def export_run(
    folder: Path,
    trades: Path | None,
    trace: Path | None,
    *,
    disk: Disk | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Exported, ...]:
    """Write a published run's trades (CSV) and decisions (JSON lines) where they are named.

    `on_progress(decisions_done, decisions_total)`. Raises `ExportExists`, `JournalDamaged`, `OSError`.
    """
    from engine.research import exports

    disk, made = disk or RealDisk(), []
    if trades is not None:
        made.append(
            Exported(what="trades", path=str(trades), rows=exports.export_trades(folder, trades, disk))
        )
    if trace is not None:
        rows = exports.export_trace(folder, trace, disk, on_progress)
        made.append(Exported(what="trace", path=str(trace), rows=rows))
    return tuple(made)
