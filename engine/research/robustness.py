"""How fragile is a result: other parameters, dearer trading, other trades, without its best ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.market.catalogue import BarColumns
from engine.research.kernels import NOTHING, Beside
from engine.research.request import RunRequest
from engine.research.risk import monthly
from engine.research.schemas import RunConfig, Scalar
from engine.research.sweep.evaluate import Field
from engine.research.sweep.trials import Result, Trial, sharpe_simple
from engine.research.switching import with_costs
from seams.rng import Rng
from venues.types import Record

Floats = NDArray[np.float64]
Cells = dict[str, Scalar]

STEPS = (-0.2, -0.1, 0.1, 0.2)
"""By how much each parameter is moved, one at a time."""
SLIPPAGES_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
GATE_SLIPPAGE_BPS = 20.0
BUDGET_DRAWS = 5_000_000
MIN_ITERATIONS = 100
BEST_TRADES = 5
ROWS_AT_ONCE = 50


class Sensitivity(Record):
    """Each parameter moved by -20, -10, +10 and +20 %, one at a time."""

    rows: tuple[Cells, ...]
    tried: int
    rejected: int
    share_profitable: float | None
    worst_pnl: float | None
    median_pnl: float | None


class CostStress(Record):
    """The same trades' rules under other costs. `break_even_slippage_bps`: where the result reaches zero,
    by straight lines between the levels tried; null where it does not within them."""

    rows: tuple[Cells, ...]
    pnl_at_20_bps: float
    pnl_costs_doubled: float
    break_even_slippage_bps: float | None


class MonteCarlo(Record):
    """Trades drawn with replacement, as many as there were; the drawdown is that of closed trades."""

    method: str
    seed: int
    iterations: int
    trades: int
    reason: str
    chance_of_loss: float | None
    pnl_low_05: float | None
    pnl_median: float | None
    pnl_high_95: float | None
    max_drawdown_median: float | None
    max_drawdown_high_95: float | None


class Concentration(Record):
    """How much of the net result comes from how little of it; shares are null where nothing was won."""

    best_trades: int
    pnl_without_best: float
    share_of_best: float | None
    share_of_best_percent: float | None
    share_of_best_month: float | None
    largest_symbol_share: float | None


def sensitivity(
    request: RunRequest,
    config: RunConfig,
    bars: BarColumns,
    workers: int,
    beside: Beside = NOTHING,
) -> Sensitivity:
    """Run the neighbours of a configuration."""
    trials = [Trial(number=number, params=params) for number, params in enumerate(neighbours(config.params))]
    results = Field(request, config, bars, beside).results(trials, workers) if trials else []
    return sensitivity_of([_row(each, config.params, bars.interval_ns) for each in results])


def sensitivity_of(rows: Sequence[Cells]) -> Sensitivity:
    """Sum up neighbours; a row without a result was rejected."""
    good = [float(pnl) for row in rows if isinstance(pnl := row["total_pnl"], int | float)]
    return Sensitivity(
        rows=tuple(rows),
        tried=len(rows),
        rejected=len(rows) - len(good),
        share_profitable=float(np.mean([each > 0 for each in good])) if good else None,
        worst_pnl=min(good) if good else None,
        median_pnl=float(np.median(good)) if good else None,
    )


def neighbours(params: Mapping[str, float]) -> list[dict[str, float]]:
    """Return each parameter's neighbours; whole ones stay whole, those at 0 stay."""
    found: list[dict[str, float]] = []
    for name, value in sorted(params.items()):
        moved = [value * (1 + step) for step in STEPS]
        if value == int(value):
            moved = [float(round(each)) for each in moved]
        found += [{**params, name: each} for each in dict.fromkeys(moved) if each != value]
    return found


def _row(result: Result, params: Mapping[str, float], interval_ns: int) -> Cells:
    moved = moved_of(result.params, params)
    is_good = not result.is_rejected
    return {
        "parameter": moved,
        "value": result.params[moved],
        "total_pnl": result.total_pnl if is_good else None,
        "sharpe": sharpe_simple(result, interval_ns) if is_good else None,
        "max_drawdown": result.max_drawdown if is_good else None,
        "trades": result.trades if is_good else None,
        "reason": result.reject_reason or None,
    }


def moved_of(params: Mapping[str, float], base: Mapping[str, float]) -> str:
    """Return which parameter of a neighbour is not the base's."""
    return next(name for name in base if params[name] != base[name])


def cost_stress(
    request: RunRequest, config: RunConfig, bars: BarColumns, beside: Beside = NOTHING
) -> CostStress:
    """Run the configuration at each level of slippage, and with fee and slippage doubled."""
    trial = Trial(number=0, params=config.params)

    def result(changed: RunConfig) -> float:
        return Field(request, changed, bars, beside).results([trial], 1)[0].total_pnl

    return cost_stress_of(config, result)


def cost_stress_of(config: RunConfig, result: Callable[[RunConfig], float]) -> CostStress:
    """Stress the costs of whatever gives a net result under a configuration."""
    levels = sorted({*SLIPPAGES_BPS, config.slippage_bps})
    pnl = {level: result(with_costs(config, config.fee_bps, level)) for level in levels}
    doubled = result(with_costs(config, 2 * config.fee_bps, 2 * config.slippage_bps))
    return CostStress(
        rows=tuple({"slippage_bps": level, "total_pnl": pnl[level]} for level in levels),
        pnl_at_20_bps=pnl[GATE_SLIPPAGE_BPS],
        pnl_costs_doubled=doubled,
        break_even_slippage_bps=break_even(list(pnl.items())),
    )


def break_even(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the first cost at which the result falls to 0, between two (cost, result) points, or None."""
    for (low, one), (high, two) in itertools.pairwise(points):
        if one > 0.0 >= two:
            return low + (high - low) * one / (one - two)
    return None


_FIGURES = ("chance_of_loss", "pnl_low_05", "pnl_median", "pnl_high_95", "max_drawdown_median",
            "max_drawdown_high_95")  # fmt: skip


def monte_carlo(pnl: Floats, cash: float, iterations: int, seed: int) -> MonteCarlo:
    """Resample closed trades, within five million draws but at least 100 times. Source: Efron (1979)."""
    method = "trades drawn with replacement"
    if len(pnl) < 2:
        nothing = dict.fromkeys(_FIGURES)
        return MonteCarlo(
            method=method, seed=seed, iterations=0, trades=len(pnl), reason="fewer_than_2_trades", **nothing
        )
    count = max(MIN_ITERATIONS, min(iterations, BUDGET_DRAWS // len(pnl)))
    generator = np.random.default_rng(Rng(seed).stream("monte_carlo").getrandbits(64))
    ends, falls = np.empty(count), np.empty(count)
    for first in range(0, count, ROWS_AT_ONCE):
        rows = slice(first, min(first + ROWS_AT_ONCE, count))
        drawn = pnl[generator.integers(0, len(pnl), (rows.stop - first, len(pnl)))]
        curve = cash + np.cumsum(drawn, axis=1)
        peaks = np.maximum(np.maximum.accumulate(curve, axis=1), cash)
        ends[rows] = curve[:, -1] - cash
        falls[rows] = np.max(1.0 - curve / peaks, axis=1)
    low, middle, high = (float(each) for each in np.quantile(ends, (0.05, 0.5, 0.95)))
    return MonteCarlo(
        method=method, seed=seed, iterations=count, trades=len(pnl), reason="",
        chance_of_loss=float(np.mean(ends < 0)), pnl_low_05=low, pnl_median=middle, pnl_high_95=high,
        max_drawdown_median=float(np.median(falls)), max_drawdown_high_95=float(np.quantile(falls, 0.95)),
    )  # fmt: skip


def concentration(
    trades: NDArray[Any], equity: Floats, ts_ns: NDArray[np.int64], cash: float
) -> Concentration:
    """Judge how the net result of closed trades is spread over trades, months and symbols."""
    pnl = np.sort(trades["pnl"])[::-1]
    total = float(np.sum(pnl))
    best = float(np.sum(pnl[:BEST_TRADES]))
    percent = float(np.sum(pnl[: max(1, len(pnl) // 100)])) if len(pnl) else 0.0
    months = [value for _, value in monthly(equity, cash, ts_ns)] if len(equity) else []
    growth = sum(months)
    symbols = [float(np.sum(trades["pnl"][trades["lane"] == lane])) for lane in np.unique(trades["lane"])]
    return Concentration(
        best_trades=min(BEST_TRADES, len(pnl)),
        pnl_without_best=total - best,
        share_of_best=best / total if total > 0 else None,
        share_of_best_percent=percent / total if total > 0 else None,
        share_of_best_month=max(months) / growth if growth > 0 else None,
        largest_symbol_share=max(symbols) / total if total > 0 and symbols else None,
    )
