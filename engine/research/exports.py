"""A run's trades and decisions as files beside its folder, for other programs (OC-24).

`TRADES` is the run's own `trades.csv`; a trace has one JSON object for each decision record, in order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from native.codes import Action, Gate, Reason
from seams.clock import iso_z
from seams.disk import Disk

TRADES, JOURNAL, REPORT = "trades.csv", "journal.h5", "report.json"
CHUNK = 20_000
Progress = Callable[[int, int], None]


class ExportExists(Exception):
    """A file is there already, and exports replace nothing; `code` is export_exists."""

    code = "export_exists"


def demand_new(paths: Sequence[Path], disk: Disk) -> None:
    """Refuse before a run what could not be written after it. Raises `ExportExists`, `OSError`."""
    named = [path.absolute() for path in paths]
    if len(set(named)) < len(named):
        raise ExportExists(f"{named[0]} is named for two exports")
    for path in named:
        if disk.exists(path):
            raise ExportExists(f"{path} exists")
        if not disk.exists(path.parent):
            raise FileNotFoundError(f"there is no folder {path.parent}")


def export_trades(folder: Path, path: Path, disk: Disk) -> int:
    """Write a run's trades as CSV; return how many. Raises `ExportExists`, `OSError`."""
    demand_new((path,), disk)
    data = disk.read(folder / TRADES)
    disk.write_atomic(path.absolute(), data, mode=0o644)
    return max(0, data.count(b"\n") - 1)


def export_trace(folder: Path, path: Path, disk: Disk, on_progress: Progress | None = None) -> int:
    """Write a run's decisions as JSON lines; return how many.

    Raises `ExportExists`, `JournalDamaged` or `OSError`; then there is no such file, or none that is whole.
    """
    from engine.journal import read_table  # here, not above: HDF5 is slow to load

    demand_new((path,), disk)
    rows, symbols = read_table(folder / JOURNAL, "decisions"), symbols_of(folder, disk)
    whole = bytearray()
    for first in range(0, len(rows), CHUNK):
        part = rows[first : first + CHUNK]
        for line in trace_lines(part, symbols):
            whole += line
        if on_progress is not None:
            on_progress(first + len(part), len(rows))
    disk.write_atomic(path.absolute(), bytes(whole), mode=0o644)
    return len(rows)


def symbols_of(folder: Path, disk: Disk) -> tuple[str, ...]:
    """Return the symbol of each lane of a run, in their order. Raises `OSError`, `JournalDamaged`."""
    from engine.research.schemas import RunReport

    report = msgspec.json.decode(disk.read(folder / REPORT), type=RunReport)
    config = report.config_resolved
    return tuple(lane.symbol for lane in config.lanes) or (config.ticker,)


def trace_lines(rows: NDArray[Any], symbols: Sequence[str]) -> Iterator[bytes]:
    """Return one line of JSON for each decision record (`DECISION_DTYPE`), codes as words."""
    for row in rows.tolist():
        yield json.dumps(decision_fields(row, symbols), separators=(",", ":")).encode() + b"\n"


def decision_fields(row: tuple[Any, ...], symbols: Sequence[str]) -> dict[str, object]:
    """Return one decision record with names for its codes; `quantity` is unsigned, `at` the bar's open."""
    ts_ns, step, units, price, lane, gates, action, side, reason = row
    return {
        "ts_ns": ts_ns,
        "at": iso_z(ts_ns),
        "step": step,
        "lane": lane,
        "symbol": symbols[lane] if lane < len(symbols) else "",
        "action": Action(action).name.lower(),
        "side": side,
        "quantity": units / 1e6,
        "price": price,
        "reason": Reason(reason).code,
        "gates": [gate.name.lower() for gate in Gate if gate & gates and gate.name],
    }
