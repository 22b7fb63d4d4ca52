"""Metrics of one run: definitions with units and sources, vectorised, null where a sample is too small.

Drawdown is a positive fraction of the peak (C-25). Ratios are per year of 365.25 days, since crypto
trades every day (C-26). `win_rate` counts closed trades (C-27).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

YEAR_NS = int(365.25 * 86_400) * 1_000_000_000
SHARPE_METHOD = "mean/std(ddof=1) of bar returns x sqrt(bars per 365.25-day year), risk-free rate 0"
MIN_POINTS = 20
MIN_DOWNSIDE_PER_YEAR = 1e-4
MIN_DRAWDOWN = 0.005

Value = float | int | str | None


@dataclass(frozen=True)
class Metrics:
    """Values by name and, for each null, the reason why it is null."""

    values: dict[str, Value]
    null_reasons: dict[str, str]


def compute_metrics(
    equity: Floats, initial_equity: float, trades: NDArray[Any], interval_ns: int, fees_usd: float
) -> Metrics:
    """Return every metric of a run.

    `equity` (bars,) in account currency at each bar's close; `trades` a structured array with fields
    entry_bar, exit_bar, units (1e-6), entry_fill, exit_fill, pnl; `fees_usd` all fees paid, of open
    trades too.
    """
    assert initial_equity > 0 and interval_ns > 0
    returns = bar_returns(equity, initial_equity)
    bars_per_year = YEAR_NS / interval_ns
    drawdown = max_drawdown(equity, initial_equity)
    growth = total_return(equity, initial_equity)
    pnl = np.ascontiguousarray(trades["pnl"])
    held = (trades["exit_bar"] - trades["entry_bar"]).astype(np.float64)
    book: dict[str, tuple[Value, str]] = {
        "total_return": (growth, "no_bars"),
        "sharpe_simple": sharpe_simple(returns, bars_per_year),
        "sortino": sortino(returns, bars_per_year),
        "calmar": calmar(growth, drawdown, len(equity), bars_per_year),
        "max_drawdown": (drawdown, "no_bars"),
        "volatility": volatility(returns, bars_per_year),
        "trades": (len(trades), ""),
        "wins": (int(np.count_nonzero(pnl > 0)), ""),
        "win_rate": (float(np.mean(pnl > 0)) if len(pnl) else None, "no_closed_trades"),
        "profit_factor": profit_factor(pnl),
        "expectancy_net": (float(np.mean(pnl)) if len(pnl) else None, "no_closed_trades"),
        "avg_win": (_mean(pnl[pnl > 0]), "no_winning_trade"),
        "avg_loss": (_mean(pnl[pnl < 0]), "no_losing_trade"),
        "avg_holding_bars": (_mean(held), "no_closed_trades"),
        "avg_holding_s": (_mean(held * (interval_ns / 1e9)), "no_closed_trades"),
        "exposure": (exposure(held, len(equity)), "no_bars"),
        "turnover": turnover(trades, equity),
        "fees_usd": (fees_usd, ""),
        "bars": (len(equity), ""),
        "initial_equity": (initial_equity, ""),
        "final_equity": (float(equity[-1]) if len(equity) else initial_equity, ""),
        "sharpe_method": (SHARPE_METHOD, ""),
    }
    values = {name: _finite(value) for name, (value, _) in book.items()}
    reasons = {name: why for name, (_, why) in book.items() if values[name] is None}
    assert all(reasons.values()), "a null metric states its reason"
    return Metrics(values, reasons)


def bar_returns(equity: Floats, initial_equity: float) -> Floats:
    """Return simple returns per bar, `equity[t]/equity[t-1] - 1`; the first against the start."""
    before = np.empty_like(equity)
    if len(equity):
        before[0] = initial_equity
        before[1:] = equity[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return equity / before - 1.0


def total_return(equity: Floats, initial_equity: float) -> float | None:
    """Return `equity_end / equity_start - 1` (fraction)."""
    return float(equity[-1]) / initial_equity - 1.0 if len(equity) else None


def max_drawdown(equity: Floats, initial_equity: float) -> float | None:
    """Return `max(1 - equity/peak)`, a positive fraction; the start counts as a peak.

    Source: Magdon-Ismail & Atiya (2004), "Maximum Drawdown", Risk 17(10).
    """
    if not len(equity):
        return None
    peaks = np.maximum(np.maximum.accumulate(equity), initial_equity)
    return float(np.max(1.0 - equity / peaks))


def sharpe_simple(returns: Floats, bars_per_year: float) -> tuple[float | None, str]:
    """Return `mean/std(ddof=1) * sqrt(bars per year)`.

    Source: Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1), risk-free rate 0.
    """
    if len(returns) < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    deviation = float(np.std(returns, ddof=1))
    if not deviation > 0.0:
        return None, "no_variation"
    return float(np.mean(returns)) / deviation * math.sqrt(bars_per_year), "not_finite"


def sortino(returns: Floats, bars_per_year: float) -> tuple[float | None, str]:
    """Return `mean * n / (downside * sqrt(n))`, n bars per year, downside = sqrt(mean(min(r, 0)²)).

    Source: Sortino & Price (1994), Journal of Investing 3(3), target 0. Null below 1e-4 per year.
    """
    if len(returns) < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    losses = np.minimum(returns, 0.0)
    downside = math.sqrt(float(np.mean(losses * losses)) * bars_per_year)
    if not downside >= MIN_DOWNSIDE_PER_YEAR:
        return None, "downside_too_small"
    return float(np.mean(returns)) * bars_per_year / downside, "not_finite"


def calmar(
    growth: float | None, drawdown: float | None, bars: int, bars_per_year: float
) -> tuple[float | None, str]:
    """Return yearly growth `(1+R)^(1/years) - 1` over the maximum drawdown.

    Source: Young (1991), "Calmar Ratio", Futures 20(1), here over the whole window. Null where the
    drawdown is under 0.5 %.
    """
    if growth is None or drawdown is None or bars < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    if drawdown < MIN_DRAWDOWN:
        return None, "drawdown_too_small"
    if growth <= -1.0:
        return None, "account_lost"
    exponent = math.log1p(growth) * bars_per_year / bars
    return (math.expm1(exponent) / drawdown, "not_finite") if exponent < 700 else (None, "not_finite")


def volatility(returns: Floats, bars_per_year: float) -> tuple[float | None, str]:
    """Return the yearly standard deviation of bar returns (fraction)."""
    if len(returns) < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    return float(np.std(returns, ddof=1)) * math.sqrt(bars_per_year), "not_finite"


def profit_factor(pnl: Floats) -> tuple[float | None, str]:
    """Return the sum of winning over the sum of losing trades' net P&L, as a positive number."""
    if not len(pnl):
        return None, "no_closed_trades"
    lost = float(-np.sum(pnl[pnl < 0]))
    return (float(np.sum(pnl[pnl > 0])) / lost, "not_finite") if lost > 0 else (None, "no_losing_trade")


def exposure(held_bars: Floats, bars: int) -> float | None:
    """Return the share of bars with a position of a closed trade, capped at 1."""
    return min(1.0, float(np.sum(held_bars)) / bars) if bars else None


def turnover(trades: NDArray[Any], equity: Floats) -> tuple[float | None, str]:
    """Return traded notional of closed trades (both sides) over the mean equity."""
    if not len(equity):
        return None, "no_bars"
    notional = float(np.sum(trades["units"] * 1e-6 * (trades["entry_fill"] + trades["exit_fill"])))
    mean = float(np.mean(equity))
    return (notional / mean, "not_finite") if mean > 0 else (None, "account_lost")


def drawdown_curve(equity: Floats, initial_equity: float) -> Floats:
    """Return the drawdown at each bar as a positive fraction of the peak so far."""
    return 1.0 - equity / np.maximum(np.maximum.accumulate(equity), initial_equity)


def _mean(values: Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
