"""Runs and sessions read back for lists, details and comparisons."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.api.research import ExcludedRun, RunList, UnknownRun
from engine.api.run_views import RunCheck, RunDetail, RunRow, SessionRow, TradeRow
from engine.research.artifacts import RUN_ID
from engine.research.index import read_row, scan_runs
from engine.research.metrics import Floats, drawdown_curve
from engine.research.schemas import FAILED, IndexRow, RunReport
from engine.research.session_health import list_sessions
from engine.research.shown import shown_values
from seams.clock import Clock, FixedClock
from seams.disk import Disk

LOWER_IS_BETTER = frozenset({"max_drawdown"})


def list_runs(runs: Path, disk: Disk) -> RunList:
    """Return all readable runs, newest first, and the folders left out."""
    index = scan_runs(runs, disk, FixedClock())
    return RunList(
        runs=tuple(run_row(row) for row in index.runs),
        excluded=tuple(ExcludedRun(run_id=each.path, reason=each.reason) for each in index.excluded),
    )


def run_row(row: IndexRow) -> RunRow:
    """Return the view of an index row."""
    return RunRow(
        run_id=row.run_id,
        mode=row.mode,
        strategy=row.strategy,
        ticker=row.ticker,
        interval=row.interval,
        created_at=row.created_at,
        status=row.status,
        sharpe_simple=row.sharpe_simple,
        total_return=row.total_return,
        max_drawdown=row.max_drawdown,
        trades=row.trades,
        data_sha256=row.data_sha256,
        config_hash=row.config_hash,
        decision_sha256=row.decision_sha256,
        path=row.path,
        trust=row.trust,
    )


def best_run(runs: Path, metric: str, disk: Disk) -> RunRow | None:
    """Return the best run by a metric of its report whose checks did not fail; ties go to the newer."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    best: tuple[float, RunRow] | None = None
    for row in list_runs(runs, disk).runs:
        if row.trust == FAILED:
            continue  # whatever it earned, it saw what it could not have known
        report = read_report(runs / row.run_id, disk)
        value = report.results[0].get(metric)
        if isinstance(value, int | float) and (best is None or sign * value > best[0]):
            best = (sign * float(value), row)
    return best[1] if best else None


def read_report(folder: Path, disk: Disk) -> RunReport:
    """Read report.json. Raises `OSError` or `msgspec.MsgspecError`."""
    return msgspec.json.decode(disk.read(folder / "report.json"), type=RunReport)


def show_run(runs: Path, run_id: str, points: int, trade_rows: int, disk: Disk) -> RunDetail:
    """Return one run: metrics, configuration, thinned curves, its last trades. Raises `UnknownRun`."""
    from engine.journal import read_equity

    found = read_row(runs / run_id, disk) if RUN_ID.fullmatch(run_id) else "not_a_run_id"
    if isinstance(found, str):
        raise UnknownRun(f"no run {run_id[:80]!r}: {found}")
    folder = runs / run_id
    report = read_report(folder, disk)
    ts_ns, equity = read_equity(folder / "journal.h5")
    falls = drawdown_curve(equity, report.config_resolved.initial_cash)
    kept = _kept(falls, points)
    config = msgspec.to_builtins(report.config_resolved)
    return RunDetail(
        row=run_row(found),
        metrics=report.results[0],
        config={name: _text(value) for name, value in config.items()},
        curve_ns=tuple(ts_ns[kept].tolist()),
        equity=tuple(equity[kept].tolist()),
        drawdown=tuple(falls[kept].tolist()),
        trades=_trades(disk.read(folder / "trades.csv"), trade_rows),
        artifacts=tuple(name for name in disk.list(folder) if name != "artifacts"),
        report_markdown=disk.read(folder / "report.md").decode(),
        null_reasons=report.null_reasons,
        checks=tuple(RunCheck(name=c.name, status=c.status, detail=c.detail) for c in report.checks),
        baselines={each.name: each.values for each in report.baselines},
    )


def _kept(falls: Floats, points: int) -> NDArray[np.int64]:
    """Choose bars for curves of at most `points`: evenly, and the deepest fall between each two.

    A picture of a drawdown that misses its trough would show another risk than the metrics name.
    """
    count = len(falls)
    if count <= points:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count - 1, max(2, points // 2)).astype(np.int64)
    deepest = [int(a + np.argmax(falls[a:b])) for a, b in pairwise(edges.tolist())]
    return np.unique(np.concatenate([edges, np.array(deepest, dtype=np.int64)]))


def list_session_rows(sessions: Path, disk: Disk, clock: Clock) -> tuple[SessionRow, ...]:
    """Return paper sessions as view rows, newest first; `status` shows stale where derived."""
    return tuple(
        SessionRow(
            session_id=entry.status.session_id,
            status=entry.shown,
            status_reason=entry.status.status_reason,
            strategies=entry.metadata.strategies,
            symbols=entry.metadata.symbols,
            feed=entry.metadata.feed,
            is_supervised=entry.metadata.is_supervised,
            started_ns=_ns(entry.status.started_at),
            finished_ns=_ns(entry.status.finished_at) if entry.status.finished_at else 0,
            bars=entry.status.bars,
            decisions=entry.status.decisions,
            orders=entry.status.orders,
            fills=entry.status.fills,
            equity_usd=round(Decimal(entry.status.equity_usd), 2),
            decision_sha256=entry.status.decision_sha256,
            message=entry.status.message,
            path=entry.path,
            config_ids=entry.metadata.config_ids,
            environment=entry.metadata.environment,
        )
        for entry in list_sessions(sessions, disk, clock)[0]
    )


def _trades(data: bytes, limit: int) -> tuple[TradeRow, ...]:
    """Return the last `limit` trades of a trades.csv, oldest first."""
    header, *lines = data.decode().splitlines()
    rows = csv.DictReader(io.StringIO("\n".join([header, *lines[-limit:]])))
    return tuple(
        TradeRow(
            entry_at=row["entry_at"],
            exit_at=row["exit_at"],
            side=row["side"],
            quantity=float(row["quantity"]),
            entry_price=float(row["entry_price"]),
            exit_price=float(row["exit_price"]),
            pnl_usd=float(row["pnl_usd"]),
            reason=row["reason"],
        )
        for row in rows
    )


def _text(value: object) -> str:
    if isinstance(value, dict):
        return shown_values(value)
    return str(value)


def _ns(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))
