"""Forward sessions as one portfolio (QL-30): capital as it is, or weights that sum to 1, without rebalancing.

The curve stands on a regular grid of the coarsest interval, from the first session's start to the last moment
that every session knows. A session's value at a moment is that of its last closed bar, before its start its
cash; nothing is guessed beyond its last bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.research.choice import RunFailed
from engine.research.forward_files import ForwardBook, ForwardState
from engine.research.metrics import Context, compute_metrics
from engine.research.schemas import Scalar
from native.lanes import TRADE_DTYPE
from seams.clock import iso_z
from venues.types import Record

Floats = NDArray[np.float64]
Mode = Literal["raw_capital", "equal_weight", "custom_weight"]
MODES: tuple[Mode, ...] = ("raw_capital", "equal_weight", "custom_weight")
RANKS = ("sharpe_simple", "sharpe_daily", "total_return", "calmar", "profit_factor", "max_drawdown")
LOW_IS_BEST = frozenset({"max_drawdown"})
CURVE = ("total_return", "total_pnl", "cagr", "sharpe_simple", "sharpe_daily", "sortino", "calmar",
         "volatility", "max_drawdown", "longest_drawdown_s", "ulcer_index", "days")  # fmt: skip
SUM_TOLERANCE = 1e-9
MIN_CORRELATED = 20


class PortfolioRequest(Record):
    """Which sessions (all where none is named), how weighted; `top_n` above 0 keeps the best by `metric`.

    `weights`: session id to share, for custom_weight. `compares`: report every mode that applies.
    """

    sessions: tuple[str, ...] = ()
    mode: Mode = "raw_capital"
    weights: dict[str, float] = {}
    top_n: int = 0
    metric: str = "sharpe_simple"
    compares: bool = False
    request_id: str = ""


class Member(Record):
    """A session's part: share of the capital, money in account currency; all `pnl_usd` sum to the whole."""

    session_id: str
    strategy: str
    ticker: str
    interval: str
    start: str
    last_bar: str
    weight: float
    initial_usd: float
    final_usd: float
    pnl_usd: float
    trades: int


class Weighted(Record):
    """The portfolio under one mode; nulls with their reasons, money in account currency."""

    mode: str
    initial_usd: float
    final_usd: float
    metrics: dict[str, Scalar]
    null_reasons: dict[str, str]
    members: tuple[Member, ...]


@dataclass(frozen=True, kw_only=True)
class Aggregated:
    """What aggregation found: modes (the asked one first), the grid's close times (ns) and its curves.

    `mean_correlation`: of the members' returns in pairs.
    """

    results: tuple[Weighted, ...]
    close_ns: NDArray[np.int64]
    curves: dict[str, Floats]
    interval_ns: int
    mean_correlation: float | None
    correlation_reason: str
    selection: str


@dataclass(frozen=True)
class _Grid:
    """Close times (ns) and each session's equity at them, (sessions, times)."""

    close_ns: NDArray[np.int64]
    equity: Floats
    interval_ns: int


def aggregate(request: PortfolioRequest, book: ForwardBook) -> Aggregated:
    """Aggregate sessions. Raises `RunFailed`: invalid_request, unknown_session, windows_disjoint."""
    names = tuple(dict.fromkeys(request.sessions)) or tuple(book.ids())
    states = [book.read(name)[1] for name in names]
    if not states:
        raise RunFailed("invalid_request", "there are no forward sessions; start one with: forward start")
    states, selection = _chosen(request, states)
    grid = _grid(states, book)
    modes = [request.mode]
    if request.compares:
        modes += [each for each in MODES if each != request.mode and (each != MODES[2] or request.weights)]
    results: list[Weighted] = []
    curves: dict[str, Floats] = {}
    for mode in modes:
        found, curves[mode] = _weighted(mode, states, grid, _shares(mode, request.weights, states))
        results.append(found)
    correlation, reason = _mean_correlation(states, grid)
    return Aggregated(
        results=tuple(results),
        close_ns=grid.close_ns,
        curves=curves,
        interval_ns=grid.interval_ns,
        mean_correlation=correlation,
        correlation_reason=reason,
        selection=selection,
    )


def _chosen(request: PortfolioRequest, states: list[ForwardState]) -> tuple[list[ForwardState], str]:
    """Keep the best; say how the members came to be, since choosing on the same window flatters."""
    if not request.top_n:
        return states, "all that were named" if request.sessions else "all sessions"
    if request.top_n < 0 or request.metric not in RANKS or request.weights:
        raise RunFailed(
            "invalid_request", f"top-n is above 0, by one of {', '.join(RANKS)}, and without custom weights"
        )
    measured = [(state, state.metrics.get(request.metric)) for state in states]
    known = [(state, float(value)) for state, value in measured if isinstance(value, int | float)]
    if len(known) < request.top_n:
        raise RunFailed("invalid_request", f"only {len(known)} sessions have a {request.metric}")
    sign = 1.0 if request.metric in LOW_IS_BEST else -1.0
    known.sort(key=lambda pair: (sign * pair[1], pair[0].session_id))
    word = f"the {request.top_n} best of {len(states)} by {request.metric}, on the window shown: in-sample"
    return [state for state, _ in known[: request.top_n]], word


def _shares(mode: Mode, weights: Mapping[str, float], states: Sequence[ForwardState]) -> list[float]:
    """Return the shares of the capital, which sum to 1."""
    if mode == "raw_capital":
        total = math.fsum(state.initial_cash for state in states)
        return [state.initial_cash / total for state in states]
    if mode == "equal_weight":
        return [1.0 / len(states)] * len(states)
    names = {state.session_id for state in states}
    if set(weights) != names:
        odd = ", ".join(sorted(names ^ set(weights)))
        raise RunFailed("invalid_request", f"custom_weight needs one weight for each session; see {odd}")
    if not all(math.isfinite(each) and each > 0 for each in weights.values()):
        raise RunFailed("invalid_request", "weights are above 0")
    total = math.fsum(weights.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise RunFailed("invalid_request", f"weights must sum to 1, not {total:g}")
    return [weights[state.session_id] for state in states]


def _grid(states: Sequence[ForwardState], book: ForwardBook) -> _Grid:
    step = max(state.interval_ns for state in states)
    read = [book.curve(state) for state in states]
    closes = [ts_ns + state.interval_ns for state, (ts_ns, _) in zip(states, read, strict=True)]
    end = min(int(each[-1]) for each in closes)
    begin = min(int(ts_ns[0]) for ts_ns, _ in read)
    latest = max(int(ts_ns[0]) for ts_ns, _ in read)
    if latest >= end:
        raise RunFailed(
            "windows_disjoint", f"a session begins at {iso_z(latest)}, another ends at {iso_z(end)}"
        )
    grid = np.arange(begin // step * step + step, end + 1, step, dtype=np.int64)
    if not len(grid):
        raise RunFailed("windows_disjoint", "no bar of the coarsest interval lies in the window")
    rows = []
    for state, close_ns, (_, equity) in zip(states, closes, read, strict=True):
        at = np.searchsorted(close_ns, grid, side="right") - 1
        rows.append(np.where(at >= 0, equity[np.maximum(at, 0)], state.initial_cash))
    return _Grid(grid, np.array(rows), step)


def _weighted(
    mode: Mode, states: Sequence[ForwardState], grid: _Grid, shares: Sequence[float]
) -> tuple[Weighted, Floats]:
    """Return the portfolio and its curve (times,): each share of all capital grows as its session grew."""
    cash = np.array([state.initial_cash for state in states])
    initial = math.fsum(cash)
    starts = np.array(shares) * initial
    parts = grid.equity * (starts / cash)[:, None]
    curve: Floats = np.sum(parts, axis=0)
    open_ns = grid.close_ns - grid.interval_ns
    context = Context(ts_ns=open_ns, high=curve, low=curve)
    found = compute_metrics(curve, initial, np.zeros(0, TRADE_DTYPE), grid.interval_ns, 0.0, context)
    members = tuple(
        Member(
            session_id=state.session_id,
            strategy=state.strategy,
            ticker=state.ticker,
            interval=state.interval,
            start=state.start,
            last_bar=state.last_bar,
            weight=shares[row],
            initial_usd=float(starts[row]),
            final_usd=float(parts[row, -1]),
            pnl_usd=float(parts[row, -1] - starts[row]),
            trades=state.trades,
        )
        for row, state in enumerate(states)
    )
    whole = Weighted(
        mode=mode,
        initial_usd=initial,
        final_usd=float(curve[-1]),
        metrics={name: found.values[name] for name in CURVE},
        null_reasons={name: why for name, why in found.null_reasons.items() if name in CURVE},
        members=members,
    )
    return whole, curve


def _mean_correlation(states: Sequence[ForwardState], grid: _Grid) -> tuple[float | None, str]:
    """Return the mean of the pairwise correlations of the sessions' returns, or why there is none."""
    if len(states) < 2:
        return None, "one_session"
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.diff(grid.equity, axis=1) / grid.equity[:, :-1]
    if returns.shape[1] < MIN_CORRELATED:
        return None, f"fewer_than_{MIN_CORRELATED}_returns"
    if not np.all(np.std(returns, axis=1) > 0.0):
        return None, "no_variation"
    matrix = np.atleast_2d(np.corrcoef(returns))
    return float(np.mean(matrix[np.triu_indices(len(states), 1)])), ""
