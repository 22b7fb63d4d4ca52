"""The folder of a portfolio over forward sessions, `outputs/portfolio_reports/<id>/`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from engine.research import identity
from engine.research.artifacts import make_run_id, sweep_staging, write_folder
from engine.research.forward_files import ForwardBook
from engine.research.forward_portfolio import Aggregated, PortfolioRequest, Weighted, aggregate
from engine.research.schemas import Artifact, Scalar, json_bytes
from engine.research.shown import shown
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

MODE = "portfolio"
REPORT, PAGE, EQUITY = "portfolio_report.json", "portfolio_report.md", "portfolio_equity_curve.csv"
SHOWN = ("total_return", "sharpe_simple", "max_drawdown", "volatility", "calmar")


class PortfolioReport(Record):
    """portfolio_report.json. `mode` is how the sessions were weighted; `results` has it first, then the modes
    that it was compared with. `selection` says how the members were chosen."""

    schema_version: str = "1.0"
    artifact_type: str = "interlock.portfolio_report"
    portfolio_id: str
    created_at: str
    git_commit: str
    request_id: str
    mode: str
    selection: str
    start: str
    end: str
    points: int
    mean_correlation: float | None
    correlation_reason: str
    results: tuple[Weighted, ...]
    artifacts: tuple[Artifact, ...] = ()
    path: str = ""


def publish_portfolio(request: PortfolioRequest, home: Path, disk: Disk, clock: Clock) -> PortfolioReport:
    """Aggregate and write the folder whole. Raises what `aggregate` raises, or `OSError`."""
    found = aggregate(request, ForwardBook(home, disk))
    root = home / "outputs" / "portfolio_reports"
    disk.make_folder(root)
    sweep_staging(root)
    now_ns = clock.now_ns()
    portfolio_id = make_run_id(now_ns, MODE, request, root)
    made = PortfolioReport(
        portfolio_id=portfolio_id,
        created_at=iso_z(now_ns),
        git_commit=identity.git_commit(),
        request_id=request.request_id,
        mode=request.mode,
        selection=found.selection,
        start=iso_z(int(found.close_ns[0]) - found.interval_ns),
        end=iso_z(int(found.close_ns[-1])),
        points=len(found.close_ns),
        mean_correlation=found.mean_correlation,
        correlation_reason=found.correlation_reason,
        results=found.results,
        path=str(root / portfolio_id),
    )

    def last(written: tuple[Artifact, ...]) -> dict[str, bytes]:
        whole = msgspec.structs.replace(made, artifacts=written)  # type: ignore[type-var]
        return {PAGE: _page(made).encode(), REPORT: json_bytes(whole)}

    write_folder(root / portfolio_id, {EQUITY: _curves(found)}, last)
    return made


def _curves(found: Aggregated) -> bytes:
    times = np.datetime_as_string(found.close_ns.astype("datetime64[ns]"), unit="ms").tolist()
    columns = [found.curves[result.mode].tolist() for result in found.results]
    rows = ("Z,".join([at, ",".join(map(repr, values))]) for at, *values in zip(times, *columns, strict=True))
    return "\n".join([",".join(["timestamp", *found.curves]), *rows, ""]).encode()


def _page(made: PortfolioReport) -> str:
    lines = [
        f"# Portfolio {made.portfolio_id}",
        "",
        f"Mode: **{made.mode}**. Members: {made.selection}.",
        f"{made.start} to {made.end}, {made.points} points.",
        "",
        f"| mode | start | end | {' | '.join(SHOWN)} |",
        f"|---|---|---|{'---|' * len(SHOWN)}",
    ]
    for each in made.results:
        cells = [_cell(each, name) for name in SHOWN]
        lines.append(
            f"| {each.mode} | {each.initial_usd:,.2f} | {each.final_usd:,.2f} | {' | '.join(cells)} |"
        )
    lines += ["", f"## Members under {made.mode}", "", "| session | what | weight | P&L | trades |"]
    lines += ["|---|---|---|---|---|"]
    for one in made.results[0].members:
        what = f"{one.strategy} on {one.ticker} {one.interval}"
        lines.append(f"| {one.session_id} | {what} | {one.weight:.4f} | {one.pnl_usd:,.2f} | {one.trades} |")
    lines += ["", "Weights hold at the start; nothing is rebalanced.", ""]
    return "\n".join(lines)


def _cell(result: Weighted, name: str) -> str:
    value: Scalar = result.metrics[name]
    return f"- ({result.null_reasons[name]})" if value is None else shown(name, value)
