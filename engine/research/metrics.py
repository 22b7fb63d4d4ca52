"""Metrics of one run, vectorised, null with a reason where a sample is too small.

What each means, its unit and its source stand in one table: `engine.research.definitions`. Drawdown is a
positive fraction of the peak (C-25). Ratios are per year of 365.25 days, since crypto trades every day
(C-26). `win_rate` counts closed trades (C-27).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.research import risk
from engine.research.definitions import BY_ID
from engine.research.risk import DAY_NS, YEAR_NS, Basis, Found
from engine.research.trade_metrics import (
    Cell,
    excursions,
    kelly_fraction,
    longest_run,
    payoff_ratio,
    profit_factor,
    splits,
    traded_notional,
)
from native.intents import LanePosition

Floats = NDArray[np.float64]

SHARPE_METHOD = "mean/std(ddof=1) of bar returns x sqrt(bars per 365.25-day year), risk-free rate 0"
MIN_POINTS = 20
MIN_DOWNSIDE_PER_YEAR = 1e-4
MIN_DRAWDOWN = 0.005
MIN_GROWTH_DAYS = 30

Value = float | int | str | None
Book = dict[str, tuple[Value, str]]
Table = tuple[dict[str, Cell], ...]


@dataclass(frozen=True)
class Metrics:
    """Values by name; for each null, the reason why; tables; and what the report's pictures need.

    `mae_usd`, `mfe_usd` (trades,) are the excursions, None where no bars were given.
    """

    values: dict[str, Value]
    null_reasons: dict[str, str]
    tables: dict[str, Table] = field(default_factory=dict)
    basis: Basis | None = None
    mae_usd: Floats | None = None
    mfe_usd: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the equity curve alone does not tell: times (bars,), prices (bars,), costs, names, trials.

    `slippage_bps` None: it is not the same for every fill."""

    ts_ns: NDArray[np.int64]
    high: Floats
    low: Floats
    slippage_bps: float | None = 0.0
    symbols: Sequence[str] = ()
    trials: int = 1


def compute_metrics(
    equity: Floats,
    initial_equity: float,
    trades: NDArray[Any],
    interval_ns: int,
    fees_usd: float,
    context: Context | None = None,
    funding_usd: float | None = None,
    held: Sequence[LanePosition] = (),
) -> Metrics:
    """Return every metric of a run.

    `equity` (bars,) in account currency at each bar's close; `trades` a structured array of the kernel's
    fields; `fees_usd` all fees paid, of open trades too; `funding_usd` likewise, None in a run without;
    `held` what is still open at the last bar.
    Without `context` the bars are taken to be contiguous, and what needs prices is null.
    """
    assert initial_equity > 0 and interval_ns > 0
    ts_ns = context.ts_ns if context else np.arange(len(equity), dtype=np.int64) * interval_ns
    falls = drawdown_curve(equity, initial_equity)
    drawdown = float(np.max(falls)) if len(falls) else None
    holding = (trades["exit_bar"] - trades["entry_bar"]).astype(np.float64)
    basis = risk.basis_of(equity, initial_equity, ts_ns, interval_ns) if len(equity) else None
    months = risk.monthly(equity, initial_equity, ts_ns) if len(equity) else []
    mae, mfe = excursions(trades, context.high, context.low) if context else (None, None)
    book: Book = {
        **_curve_book(equity, initial_equity, interval_ns, ts_ns, drawdown),
        **_fall_book(falls, ts_ns, interval_ns),
        **_basis_book(basis, context.trials if context else 1),
        **_month_book(months),
        **_trade_book(np.ascontiguousarray(trades["pnl"])),
        **_excursion_book(mae, mfe),
        **_holding_book(holding, interval_ns),
        "exposure": (
            exposure(trades, held, ts_ns) if context else exposure_of(trades, len(equity)),
            "no_bars",
        ),
        "turnover": turnover(trades, held, equity),
        "open_positions": (len(held), ""),
        "open_pnl_usd": (math.fsum(each.unrealised_usd for each in held), ""),
        "fees_usd": (fees_usd, ""),
        **_cost_book(trades, context.slippage_bps if context else 0.0, funding_usd),
        "bars": (len(equity), ""),
        "initial_equity": (initial_equity, ""),
        "final_equity": (float(equity[-1]) if len(equity) else initial_equity, ""),
        "sharpe_method": (SHARPE_METHOD, ""),
    }
    assert book.keys() == BY_ID.keys(), book.keys() ^ BY_ID.keys()
    values = {name: _finite(book[name][0]) for name in BY_ID}
    reasons = {name: book[name][1] for name in BY_ID if values[name] is None}
    assert all(reasons.values()), "a null metric states its reason"
    tables: dict[str, Table] = {
        "monthly": tuple({"month": month, "return": _finite(each)} for month, each in months),
        **splits(trades, context.symbols if context else ()),
    }
    return Metrics(values, reasons, tables, basis, mae, mfe)


def _curve_book(
    equity: Floats, start: float, interval_ns: int, ts_ns: NDArray[np.int64], drawdown: float | None
) -> Book:
    returns = bar_returns(equity, start)
    bars_per_year = YEAR_NS / interval_ns
    growth = total_return(equity, start)
    span_ns = int(ts_ns[-1]) - int(ts_ns[0]) + interval_ns if len(ts_ns) else 0
    yearly = cagr(growth, span_ns)
    per_bar, why = sharpe_simple(returns, 1.0)
    return {
        "total_return": (growth, "no_bars"),
        "cagr": yearly,
        "total_pnl": (float(equity[-1]) - start if len(equity) else 0.0, ""),
        "sharpe_simple": (None if per_bar is None else per_bar * math.sqrt(bars_per_year), why),
        "sharpe_per_bar": (per_bar, why),
        "sortino": sortino(returns, bars_per_year),
        "calmar": calmar(yearly, drawdown),
        "volatility": volatility(returns, bars_per_year),
        "max_drawdown": (drawdown, "no_bars"),
        "days": (span_ns / DAY_NS, ""),
    }


def _basis_book(basis: Basis | None, trials: int) -> Book:
    returns = basis.returns if basis else np.zeros(0)
    small, few = f"fewer_than_{MIN_POINTS}_returns", f"fewer_than_{risk.MIN_TAIL_POINTS}_returns"
    has_points, has_tail = len(returns) >= MIN_POINTS, len(returns) >= risk.MIN_TAIL_POINTS
    shape = risk.moments(returns) if has_points else None
    why = "no_variation" if has_points else small
    at_risk, shortfall, ratio = risk.tails(returns) if has_tail else (None, None, None)
    is_daily = basis is not None and basis.name == "day"
    daily = sharpe_simple(returns, basis.per_year) if basis and is_daily else (None, "shorter_than_60_days")
    return {
        "sharpe_daily": daily,
        "var_95": (at_risk, few),
        "cvar_95": (shortfall, few),
        "tail_ratio": (ratio, "no_losses" if has_tail else few),
        "skewness": (shape[0] if shape else None, why),
        "kurtosis": (shape[1] if shape else None, why),
        "probabilistic_sharpe": (risk.probabilistic_sharpe(returns) if shape else None, why),
        "deflated_sharpe": (risk.deflated_sharpe(returns, trials) if shape else None, why),
        "trials": (trials, ""),
        "return_basis": (basis.name if basis else None, "no_bars"),
        "return_points": (len(returns), ""),
    }


def _month_book(months: list[tuple[str, float]]) -> Book:
    found = np.array([each for _, each in months])
    why = f"fewer_than_{risk.MIN_MONTHS}_months"
    is_enough = len(found) >= risk.MIN_MONTHS
    return {
        "best_month": (float(np.max(found)) if is_enough else None, why),
        "worst_month": (float(np.min(found)) if is_enough else None, why),
        "positive_months": (float(np.mean(found > 0)) if is_enough else None, why),
    }


def _trade_book(pnl: Floats) -> Book:
    none = "no_closed_trades"
    rate = float(np.mean(pnl > 0)) if len(pnl) else None
    return {
        "trades": (len(pnl), ""),
        "trade_trades": (len(pnl), ""),
        "wins": (int(np.count_nonzero(pnl > 0)), ""),
        "win_rate": (rate, none),
        "win_rate_trades": (rate, none),
        "profit_factor": profit_factor(pnl),
        "expectancy_net": (_mean(pnl), none),
        "avg_win": (_mean(pnl[pnl > 0]), "no_winning_trade"),
        "avg_loss": (_mean(pnl[pnl < 0]), "no_losing_trade"),
        "payoff_ratio": payoff_ratio(pnl),
        "best_trade": (float(np.max(pnl)) if len(pnl) else None, none),
        "worst_trade": (float(np.min(pnl)) if len(pnl) else None, none),
        "longest_win_streak": (longest_run(pnl > 0), ""),
        "longest_loss_streak": (longest_run(pnl < 0), ""),
        "kelly_fraction": kelly_fraction(pnl),
    }


def _excursion_book(mae: Floats | None, mfe: Floats | None) -> Book:
    if mae is None or mfe is None or not len(mae):
        why = "no_prices" if mae is None else "no_closed_trades"
        return dict.fromkeys(("avg_mae_usd", "avg_mfe_usd", "edge_ratio"), (None, why))
    adverse, favourable = float(np.mean(mae)), float(np.mean(mfe))
    return {
        "avg_mae_usd": (adverse, ""),
        "avg_mfe_usd": (favourable, ""),
        "edge_ratio": (favourable / adverse if adverse > 0 else None, "no_adverse_move"),
    }


def _holding_book(holding: Floats, interval_ns: int) -> Book:
    bars = _mean(holding)
    seconds = None if bars is None else bars * (interval_ns / 1e9)
    return {
        "avg_holding_bars": (bars, "no_closed_trades"),
        "avg_holding_s": (seconds, "no_closed_trades"),
        "avg_holding_days": (None if seconds is None else seconds / 86_400, "no_closed_trades"),
    }


def _cost_book(trades: NDArray[Any], slippage_bps: float | None, funding_usd: float | None) -> Book:
    if slippage_bps is None:
        unknown = dict.fromkeys(("slippage_usd", "gross_pnl_usd", "cost_share"), (None, "slippage_varies"))
        return {**unknown, "funding_usd": (funding_usd, "no_funding_data")}
    slippage = float(np.sum(traded_notional(trades))) * slippage_bps / 1e4
    costs = float(np.sum(trades["fees"])) + slippage
    if funding_usd is not None:
        costs -= float(np.sum(trades["funding"]))
    gross = float(np.sum(trades["pnl"])) + costs
    return {
        "slippage_usd": (slippage, ""),
        "funding_usd": (funding_usd, "no_funding_data"),
        "gross_pnl_usd": (gross if len(trades) else None, "no_closed_trades"),
        "cost_share": (costs / abs(gross) if len(trades) and gross else None, "no_gross_result"),
    }


def _fall_book(falls: Floats, ts_ns: NDArray[np.int64], interval_ns: int) -> Book:
    """Drawdowns that need the whole curve; `falls` (bars,) is used up to save memory."""
    if not len(falls):
        return {"longest_drawdown_s": (None, "no_bars"), "ulcer_index": (None, "no_bars")}
    longest_ns = risk.longest_drawdown_ns(falls, ts_ns, interval_ns)
    ulcer = math.sqrt(float(np.mean(np.square(falls, out=falls))))
    return {"longest_drawdown_s": (longest_ns / 1e9, ""), "ulcer_index": (ulcer, "")}


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
    return float(np.max(drawdown_curve(equity, initial_equity))) if len(equity) else None


def sharpe_simple(returns: Floats, bars_per_year: float) -> Found:
    """Return `mean/std(ddof=1) * sqrt(bars per year)`.

    Source: Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1), risk-free rate 0.
    """
    if len(returns) < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    deviation = float(np.std(returns, ddof=1))
    if not deviation > 0.0:
        return None, "no_variation"
    return float(np.mean(returns)) / deviation * math.sqrt(bars_per_year), "not_finite"


def sortino(returns: Floats, bars_per_year: float) -> Found:
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


def cagr(growth: float | None, span_ns: int) -> Found:
    """Return the yearly growth `(1+R)^(1/years) - 1` by calendar time (QT-04). Null below 30 days."""
    if growth is None:
        return None, "no_bars"
    if growth <= -1.0:
        return None, "account_lost"
    if span_ns < MIN_GROWTH_DAYS * DAY_NS:
        return None, f"shorter_than_{MIN_GROWTH_DAYS}_days"
    return math.expm1(math.log1p(growth) * YEAR_NS / span_ns), "not_finite"


def calmar(yearly: Found, drawdown: float | None) -> Found:
    """Return yearly growth over the maximum drawdown; null where the drawdown is under 0.5 %.

    Source: Young (1991), "Calmar Ratio", Futures 20(1), here over the whole window.
    """
    if drawdown is not None and drawdown < MIN_DRAWDOWN:
        return None, "drawdown_too_small"
    if yearly[0] is None or drawdown is None:
        return None, yearly[1]
    return yearly[0] / drawdown, "not_finite"


def volatility(returns: Floats, bars_per_year: float) -> Found:
    """Return the yearly standard deviation of bar returns (fraction)."""
    if len(returns) < MIN_POINTS:
        return None, f"fewer_than_{MIN_POINTS}_bars"
    return float(np.std(returns, ddof=1)) * math.sqrt(bars_per_year), "not_finite"


def exposure(trades: NDArray[Any], held: Sequence[LanePosition], ts_ns: NDArray[np.int64]) -> float | None:
    """Return the share of bars, open times `ts_ns` (bars,), at which any position was held.

    A position that is still open at the end counts; positions held together count once.
    """
    if not len(ts_ns):
        return None
    begun = np.concatenate([trades["entry_ts_ns"], [each.entry_ts_ns for each in held]]).astype(np.int64)
    ended = np.concatenate([trades["exit_ts_ns"], [int(ts_ns[-1]) + 1] * len(held)]).astype(np.int64)
    first = np.searchsorted(ts_ns, begun, side="right") - 1
    return _covered(np.maximum(first, 0), np.searchsorted(ts_ns, ended, side="left"), len(ts_ns))


def exposure_of(trades: NDArray[Any], bars: int) -> float | None:
    """Return the share of `bars` bars with a position of a closed trade, where no times are known."""
    if not bars:
        return None
    start = int(np.min(trades["entry_bar"])) if len(trades) else 0
    return _covered(trades["entry_bar"] - start, trades["exit_bar"] - start, bars)


def _covered(first: NDArray[np.int64], past: NDArray[np.int64], bars: int) -> float:
    """Return the share of `bars` that spans from `first` to before `past` (spans,) cover together."""
    length = max(bars, int(np.max(past, initial=0)))
    steps = np.bincount(first, minlength=length + 1) - np.bincount(past, minlength=length + 1)
    return min(1.0, int(np.count_nonzero(np.cumsum(steps[:-1]) > 0)) / bars)


def turnover(trades: NDArray[Any], held: Sequence[LanePosition], equity: Floats) -> Found:
    """Return traded notional over the mean equity: both sides of closed trades, the entries of open ones."""
    if not len(equity):
        return None, "no_bars"
    mean = float(np.mean(equity))
    opened = math.fsum(each.units * 1e-6 * each.entry_price for each in held)
    traded = float(np.sum(traded_notional(trades))) + opened
    return (traded / mean, "not_finite") if mean > 0 else (None, "account_lost")


def drawdown_curve(equity: Floats, initial_equity: float) -> Floats:
    """Return the drawdown at each bar as a positive fraction of the peak so far."""
    peaks = np.maximum.accumulate(equity)
    np.maximum(peaks, initial_equity, out=peaks)
    np.divide(equity, peaks, out=peaks)
    return np.subtract(1.0, peaks, out=peaks)


def _mean(values: Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
