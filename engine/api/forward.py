"""What commands may ask of forward sessions and of portfolios over them.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.api.home import HomePaths
from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk
from venues.types import Record

if TYPE_CHECKING:
    from engine.config import Loaded
    from engine.research.forward_files import ForwardState
    from engine.research.forward_report import PortfolioReport

Scalar = float | int | str | None
SHOWN = ("total_return", "sharpe_simple", "max_drawdown", "win_rate")


class ForwardRow(Record):
    """A forward session as lists show it; money in account currency, `new_bars` of the last resume."""

    session_id: str
    strategy: str
    ticker: str
    interval: str
    bars: int
    start: str
    last_bar: str
    equity_usd: float
    side: int
    quantity: float
    trades: int
    total_return: Scalar
    sharpe_simple: Scalar
    max_drawdown: Scalar
    win_rate: Scalar
    decision_sha256: str
    path: str
    new_bars: int = 0


class ForwardDetail(Record):
    """One session: its row, metrics with the reasons of nulls, and where its files are."""

    row: ForwardRow
    source_run: str
    created_at: str
    params: dict[str, float]
    metrics: dict[str, Scalar]
    null_reasons: dict[str, str]
    files: dict[str, str]


def start_forward(
    fields: Mapping[str, object],
    home: Path,
    *,
    from_run: str = "",
    best: str = "",
    loaded: Loaded | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> ForwardRow:
    """Start a session from plain values, or from where a run ended (`from_run`, or the `best` by a metric).

    A run gives strategy, parameters, account and data; `fields` win over it. Raises `UnknownRun`,
    `ValueError` for wrong fields, and what `engine.research.forward.advance` raises.
    """
    from engine.api.research import UnknownRun, best_run, run_request
    from engine.research.forward import start_forward as begin
    from engine.research.run import with_settings
    from engine.research.validation import request_after

    disk = disk or RealDisk()
    if best:
        found = best_run(home, best, disk)
        if found is None:
            raise UnknownRun(f"no run has a {best}")
        from_run = found.run_id
    base: dict[str, object] = {}
    if from_run:
        base = msgspec.to_builtins(request_after(HomePaths(home).runs, from_run, disk))
    request = run_request({**base, **fields})
    if loaded is not None and not from_run:
        request = with_settings(request, loaded.settings)
    state = begin(request, home, disk, clock or SystemClock(), source_run=from_run, on_progress=on_progress)
    return _row(state, home, state.bars)


def resume_forward(
    home: Path,
    session_id: str,
    *,
    rebuilds: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
) -> ForwardRow:
    """Go on with a session; without new bars nothing is written. Raises what `advance` raises."""
    from engine.research.forward import resume_forward as go_on

    state, new = go_on(session_id, home, disk or RealDisk(), rebuilds=rebuilds, on_progress=on_progress)
    return _row(state, home, new)


def list_forward(home: Path, disk: Disk | None = None) -> tuple[tuple[ForwardRow, ...], tuple[str, ...]]:
    """Return the sessions, newest first, and what is wrong with those that cannot be read."""
    from engine.research.choice import RunFailed
    from engine.research.forward_files import ForwardBook

    book = ForwardBook(home, disk or RealDisk())
    rows, damaged = [], []
    for session_id in book.ids():
        try:
            rows.append(_row(book.read(session_id)[1], home, 0))
        except RunFailed as error:
            damaged.append(str(error))
    return tuple(rows), tuple(damaged)


def show_forward(home: Path, session_id: str, disk: Disk | None = None) -> ForwardDetail:
    """Return one session. Raises `RunFailed` with unknown_session or not_reproducible."""
    from engine.research.forward_files import ForwardBook

    session, state = ForwardBook(home, disk or RealDisk()).read(session_id)
    return ForwardDetail(
        row=_row(state, home, 0),
        source_run=session.source_run,
        created_at=session.created_at,
        params=state.params,
        metrics=state.metrics,
        null_reasons=state.null_reasons,
        files=state.files,
    )


def aggregate(
    fields: Mapping[str, object], home: Path, disk: Disk | None = None, clock: Clock | None = None
) -> PortfolioReport:
    """Aggregate forward sessions from plain values and write the report's folder.

    Raises `ValueError` for wrong fields, `RunFailed`: invalid_request, unknown_session, windows_disjoint.
    """
    from engine.research.forward_portfolio import PortfolioRequest
    from engine.research.forward_report import publish_portfolio

    request = msgspec.convert(dict(fields), PortfolioRequest)
    return publish_portfolio(request, home, disk or RealDisk(), clock or SystemClock())


def _row(state: ForwardState, home: Path, new_bars: int) -> ForwardRow:
    return ForwardRow(
        session_id=state.session_id,
        strategy=state.strategy,
        ticker=state.ticker,
        interval=state.interval,
        bars=state.bars,
        start=state.start,
        last_bar=state.last_bar,
        equity_usd=state.equity_usd,
        side=state.position.side,
        quantity=state.position.quantity,
        trades=state.trades,
        decision_sha256=state.decision_sha256,
        path=str(home / "outputs" / "forward_runs" / state.session_id),
        new_bars=new_bars,
        **{name: state.metrics[name] for name in SHOWN},
    )
