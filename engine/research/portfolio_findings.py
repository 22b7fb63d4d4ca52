"""What was found out about a portfolio run: the account's metrics, a split by symbol, checks, baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.research.baselines import Ground, held_curve
from engine.research.bootstrap import bootstrap
from engine.research.checks import (
    COLUMNS,
    CUTS,
    INTERPRETED_BUDGET_BARS,
    MIN_BARS,
    MIN_MIRRORED,
    MIRROR_BARS,
    SAME_SHARE,
    SUSPICIOUS_T,
    Rows,
    check_failed,
    check_passed,
    first_difference,
    keys,
    liquidation,
    not_checked,
    t_value,
    turned_round,
    until,
)
from engine.research.findings import Findings, testing_of
from engine.research.metrics import Context, Metrics, compute_metrics, max_drawdown, sharpe_simple
from engine.research.risk import basis_of
from engine.research.schemas import Baseline, Check, RunConfig, Scalar
from engine.research.switching import fixed_slippage_bps
from engine.research.trade_metrics import split
from native.codes import Reason
from native.portfolio import Portfolio
from seams.clock import iso_z
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.research.run import Replayed

Times = NDArray[np.int64]
MakePortfolio = Callable[[], Portfolio]


def find_out_together(
    config: RunConfig,
    markets: Sequence[BarColumns],
    replayed: Replayed,
    ts_ns: Times,
    make_kernel: MakePortfolio,
    *,
    trials: int,
    earlier_runs: int,
) -> Findings:
    """Judge a portfolio's replay; `markets` are the lanes' bars, `ts_ns` the times of its equity."""
    metrics = measured(config, markets, replayed, ts_ns, trials)
    decided = replayed.decisions[replayed.decisions["reason"] != Reason.END_OF_DATA]
    checks: tuple[Check, ...] = (
        look_ahead_together(make_kernel, markets, decided, replayed.trades, config, ts_ns),
        not_checked("warm_up", "shared_capacity", "what one symbol takes, another lacks: check each alone"),
    )
    if "leverage" in config.switches:
        checks = (*checks, liquidation(replayed.is_liquidated))
    return Findings(
        metrics=metrics,
        checks=checks,
        baselines=baselines_together(config, markets, ts_ns),
        bootstrap=bootstrap(metrics.basis, config.seed, Rng(config.seed)),
        testing=testing_of(metrics, trials, earlier_runs),
    )


def measured(
    config: RunConfig, markets: Sequence[BarColumns], replayed: Replayed, ts_ns: Times, trials: int
) -> Metrics:
    """Return the account's metrics, with tables per symbol and, where there are several, per strategy."""
    symbols = list(dict.fromkeys(lane.symbol for lane in config.lanes))
    strategies = list(dict.fromkeys(lane.strategy for lane in config.lanes))
    lanes = replayed.trades["lane"]
    trades = replayed.trades.copy()
    trades["lane"] = np.array([symbols.index(lane.symbol) for lane in config.lanes], np.int32)[lanes]
    # Prices of all lanes stand one after another; a trade's bars count from its own lane's first.
    first = np.concatenate([[0], np.cumsum([len(bars) for bars in markets])[:-1]]).astype(np.int64)
    trades["entry_bar"] += first[lanes]
    trades["exit_bar"] += first[lanes]
    context = Context(
        ts_ns=ts_ns,
        high=np.concatenate([bars.high for bars in markets]),
        low=np.concatenate([bars.low for bars in markets]),
        slippage_bps=fixed_slippage_bps(config),
        symbols=symbols,
        trials=trials,
    )
    metrics = compute_metrics(
        replayed.equity, config.initial_cash, trades, markets[0].interval_ns, replayed.fees_usd, context
    )
    metrics.values["final_equity"] = replayed.final_equity
    if len(strategies) > 1:
        places = np.array([strategies.index(lane.strategy) for lane in config.lanes])[lanes]
        metrics.tables["per_strategy"] = split(trades, places, dict(enumerate(strategies)))
    return metrics


def look_ahead_together(
    make_kernel: MakePortfolio,
    markets: Sequence[BarColumns],
    decisions: Rows,
    trades: Rows,
    config: RunConfig,
    ts_ns: Times,
) -> Check:
    """Compare decisions of prefixes, and of one that goes on into mirrored markets, byte for byte."""
    if len(ts_ns) < MIN_BARS:
        return not_checked("look_ahead", "too_few_bars", f"fewer than {MIN_BARS} bars")
    reach = min(len(ts_ns) - 1, max(MIN_BARS, 2 * INTERPRETED_BUDGET_BARS // (CUTS * len(markets))))
    draw = Rng(config.seed).stream("look_ahead", config.data_sha256, len(ts_ns))
    cuts = sorted({draw.randint(MIN_BARS // 2, reach) for _ in range(CUTS)})
    stepped = 0
    for count, cut in enumerate(cuts, start=1):
        kernel, until_ns = make_kernel(), int(ts_ns[cut - 1])
        parts = [_before(bars, until_ns) for bars in markets]
        kernel.replay(parts)
        stepped += sum(len(part[0]) for part in parts)
        at = first_difference(kernel.decisions(), until(decisions, until_ns))
        if at is not None:
            word = f"cut after time {cut}, the decisions differ from {iso_z(at)} on"
            return check_failed("look_ahead", "prefix_differs", word, count, stepped)
    end_ns = int(ts_ns[min(len(ts_ns), cut + MIRROR_BARS) - 1])
    futures = [_turned(bars, until_ns, end_ns) for bars in markets]
    kernel.replay(futures)
    stepped += sum(len(future[0]) for future in futures)
    inside = [
        rows[(rows["ts_ns"] > until_ns) & (rows["ts_ns"] <= end_ns)]
        for rows in (decisions, kernel.decisions())
    ]
    real, other = (_lane_keys(rows) for rows in inside)
    share = len(real & other) / len(real) if real else 0.0
    where = f"{len(cuts)} prefixes and mirrored futures of {len(markets)} lanes"
    if len(real) >= MIN_MIRRORED and share >= SAME_SHARE and t_value(trades["pnl"]) > SUSPICIOUS_T:
        word = f"{share:.0%} of the decisions stay the same in mirrored markets, and the trades win too often"
        return check_failed("look_ahead", "knows_the_future", word, len(cuts) + 1, stepped)
    return check_passed("look_ahead", where, len(cuts) + 1, stepped)


def _lane_keys(rows: Rows) -> set[tuple[int, tuple[int, int, int]]]:
    return {(int(lane), key) for lane in np.unique(rows["lane"]) for key in keys(rows[rows["lane"] == lane])}


def _before(bars: BarColumns, until_ns: int) -> list[NDArray[np.float64]]:
    """Return copies of the columns up to a time: nothing reaches past them."""
    end = int(np.searchsorted(bars.ts_ns, until_ns, side="right"))
    return [getattr(bars, name)[:end].copy() for name in COLUMNS]


def _turned(bars: BarColumns, after_ns: int, end_ns: int) -> list[NDArray[np.float64]]:
    """Return the bars after a time, their moves turned round at the close before."""
    begin, end = (int(np.searchsorted(bars.ts_ns, at, side="right")) for at in (after_ns, end_ns))
    level = float(bars.close[begin - 1] if begin else bars.open[0]) ** 2
    turned = turned_round(bars, begin, end, level)
    return [np.ascontiguousarray(getattr(turned, name)) for name in COLUMNS]


def baselines_together(
    config: RunConfig, markets: Sequence[BarColumns], ts_ns: Times
) -> tuple[Baseline, ...]:
    """Return cash, and each symbol held at the run's size; random entries need one market."""
    names = [lane.symbol for lane in config.lanes]
    held = [bars for at, bars in enumerate(markets) if names.index(names[at]) == at]
    nothing: dict[str, Scalar] = {
        "total_return": 0.0, "total_pnl": 0.0, "max_drawdown": 0.0, "sharpe": None,
    }  # fmt: skip
    cash = Baseline(name="cash", what="hold the cash, without interest", values=nothing)
    what = f"buy {config.notional_usd:,.0f} of each symbol at its second bar's open and keep it"
    if any(len(bars) < 2 for bars in held) or config.notional_usd <= 0:
        return cash, Baseline(name="buy_and_hold", what=what, values={"reason": "too_few_bars"})
    curve = np.full(len(ts_ns), config.initial_cash)
    for bars in held:
        ground = Ground(
            ts_ns=bars.ts_ns, open=bars.open, close=bars.close, interval_ns=bars.interval_ns,
            cash=config.initial_cash, notional_usd=config.notional_usd, fee_bps=config.fee_bps,
            slippage_bps=config.slippage_bps,
        )  # fmt: skip
        at = np.searchsorted(bars.ts_ns, ts_ns, side="right")
        gains = np.concatenate([[0.0], held_curve(ground, config.notional_usd) - config.initial_cash])
        curve += gains[at]
    basis = basis_of(curve, config.initial_cash, ts_ns, markets[0].interval_ns)
    gain = float(curve[-1]) - config.initial_cash
    values: dict[str, Scalar] = {
        "total_return": gain / config.initial_cash,
        "total_pnl": gain,
        "max_drawdown": max_drawdown(curve, config.initial_cash),
        "sharpe": sharpe_simple(basis.returns, basis.per_year)[0],
    }
    return cash, Baseline(name="buy_and_hold", what=what, values=values)
