"""Answers about sweeps and walk-forwards, from their folders."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.api import lab
from engine.api.home import HomePaths
from engine.api.research import UnknownRun
from engine.research.artifacts import RUN_ID
from engine.research.sweep.publish import Row, SweepReport
from engine.research.walk_forward import SplitMetrics, Tested
from engine.research.walk_publish import WalkResult
from seams.disk import Disk

MAX_ROWS = 500
LONGEST_AXIS = 60
"""A heat map with more columns than a terminal shows nothing."""
CURVE_POINTS = 400
WALK_ID = re.compile(r"[0-9]{8}_[0-9]{6}_walkforward_[0-9a-f]{7}[-0-9a-z]*")


def show_sweep(body: lab.SweepShow, home: Path, disk: Disk) -> lab.LabAnswer:
    """Return a sweep's leaderboard, heat map and notes. Raises `UnknownRun` or what reading raises."""
    folder = HomePaths(home).runs / body.run_id
    if not RUN_ID.fullmatch(body.run_id) or not (folder / "sweep.json").is_file():
        raise UnknownRun(f"no sweep {body.run_id[:80]!r}")
    report = msgspec.json.decode(disk.read(folder / "sweep.json"), type=SweepReport)
    rows = msgspec.json.decode(disk.read(folder / "leaderboard.json"), type=tuple[Row, ...])
    objective = str(report.request.get("objective", "total_pnl"))
    axes = tuple(axis.name for axis in report.axes)
    return lab.SweepPage(
        run_id=body.run_id,
        objective=objective,
        trials=report.trials,
        rejected=report.rejected,
        axes=axes,
        dead_axes=tuple(axis.name for axis in report.axes if axis.verdict == "dead_axis"),
        rows=tuple(map(_sweep_row, rows[: max(0, min(body.rows, MAX_ROWS))])),
        heat=heat_map(rows, axes, objective),
        notes=_notes(report),
        path=str(folder),
    )


def heat_map(rows: Sequence[Row], axes: Sequence[str], objective: str) -> lab.HeatMap | None:
    """Return the best objective over the two axes with most values; None with fewer than two axes."""
    values = {axis: sorted({row.params[axis] for row in rows if axis in row.params}) for axis in axes}
    drawable = [axis for axis in axes if 1 < len(values[axis]) <= LONGEST_AXIS]
    ranked = sorted(drawable, key=lambda axis: -len(values[axis]))
    if len(ranked) < 2:
        return None
    x, y = ranked[0], ranked[1]
    best: dict[tuple[float, float], float] = {}
    for row in rows:
        value = getattr(row, objective)
        if value is None or row.rejected:
            continue
        at = (row.params[y], row.params[x])
        best[at] = max(best.get(at, value), value)
    cells = tuple(tuple(best.get((b, a)) for a in values[x]) for b in values[y])
    return lab.HeatMap(x_name=x, y_name=y, x_values=tuple(values[x]), y_values=tuple(values[y]), cells=cells)


def list_walks(body: lab.WalkList, home: Path, disk: Disk) -> lab.LabAnswer:
    return lab.Walks(rows=walk_rows(home, disk))


def walk_rows(home: Path, disk: Disk) -> tuple[lab.WalkRow, ...]:
    """Return every readable walk-forward, newest first; a damaged folder does not hide the others."""
    root = home / "outputs" / "walkforward"
    names = sorted((name for name in disk.list(root) if WALK_ID.fullmatch(name)), reverse=True)
    rows: list[lab.WalkRow] = []
    for name in names:
        with suppress(OSError, msgspec.MsgspecError):
            rows.append(_walk_row(_summary(root / name, disk)))
        if len(rows) == MAX_ROWS:
            break
    return tuple(rows)


def show_walk(body: lab.WalkShow, home: Path, disk: Disk) -> lab.LabAnswer:
    return walk_page(body.walk_id, home, disk)


def walk_page(walk_id: str, home: Path, disk: Disk) -> lab.WalkPage:
    """Return one walk-forward. Raises `UnknownRun` or what reading raises."""
    folder = home / "outputs" / "walkforward" / walk_id
    if not WALK_ID.fullmatch(walk_id) or not folder.is_dir():
        raise UnknownRun(f"no walk-forward {walk_id[:80]!r}")
    splits = msgspec.json.decode(disk.read(folder / "split_metrics.json"), type=tuple[SplitMetrics, ...])
    chosen = msgspec.json.decode(disk.read(folder / "selected_configs.json"), type=tuple[Tested, ...])
    firsts = {each.split: each for each in chosen if each.rank == 1}
    curve = list(csv.DictReader(io.StringIO(disk.read(folder / "oos_equity_timeseries.csv").decode())))
    step = max(1, len(curve) // CURVE_POINTS)
    kept = [*curve[:-1:step], *curve[-1:]]
    return lab.WalkPage(
        row=_walk_row(_summary(folder, disk)),
        splits=tuple(_split(each, firsts.get(each.name)) for each in splits),
        curve_at=tuple(row["timestamp"] for row in kept),
        equity=tuple(float(row["equity"]) for row in kept),
    )


def _summary(folder: Path, disk: Disk) -> WalkResult:
    return msgspec.json.decode(disk.read(folder / "walkforward_summary.json"), type=WalkResult)


def _walk_row(result: WalkResult) -> lab.WalkRow:
    return lab.WalkRow(
        walk_id=result.walk_id,
        splits=result.splits,
        oos_return=result.oos_return,
        oos_max_drawdown=result.oos_max_drawdown,
        positive_splits=result.positive_splits,
        sharpe_change=result.sharpe_change,
        path=result.path,
    )


def _split(split: SplitMetrics, first: Tested | None) -> lab.WalkSplit:
    train, test = (first.train, first.test) if first else ({}, {})
    return lab.WalkSplit(
        name=split.name,
        train=f"{split.train_start} to {split.train_end}",
        test=f"{split.test_start} to {split.test_end}",
        embargo_bars=split.embargo_bars,
        config_id=first.config_id if first else "",
        params=first.params if first else {},
        train_sharpe=_number(train.get("sharpe_simple")),
        test_sharpe=_number(test.get("sharpe_simple")),
        test_return=_number(test.get("total_return")),
        test_trades=int(_number(test.get("trades")) or 0),
    )


def _sweep_row(row: Row) -> lab.SweepRow:
    return lab.SweepRow(
        rank=row.rank,
        config_id=row.config_id,
        params=row.params,
        total_pnl=row.total_pnl,
        max_drawdown=row.max_drawdown,
        trades=row.total_trades,
        profit_factor=row.profit_factor,
        sharpe_simple=row.sharpe_simple,
        channel=row.channel,
        reject_reason=row.reject_reason,
    )


def _notes(report: SweepReport) -> tuple[str, ...]:
    """Say how far the best can be believed: luck, deflation, and what was left out of sample."""
    luck = report.multiple_testing
    lines = [f"{luck.trials} trials, {luck.independent} of them different. {luck.note}".strip()]
    if report.deflated_sharpe is not None:
        lines.append(f"Deflated Sharpe ratio of the best: {report.deflated_sharpe:.3f}.")
    for each in report.out_of_sample[:1]:
        if each.in_sharpe is not None and each.out_sharpe is not None:
            lines.append(
                f"Held out ({report.held_out_bars:,} bars after an embargo of {report.embargo_bars:,}): "
                f"{each.config_id[:8]} goes from Sharpe {each.in_sharpe:.2f} to {each.out_sharpe:.2f}."
            )
    return tuple(lines)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
