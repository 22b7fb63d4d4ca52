"""What was found out about a portfolio run: the account's metrics, a split by symbol, checks, baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.research.baselines import Ground, baselines_of, ground_of
from engine.research.bootstrap import bootstrap
from engine.research.exposure import exposure_table, stakes_of
from engine.research.findings import Findings, testing_of
from engine.research.metrics import Context, Metrics, compute_metrics
from engine.research.portfolio_checks import check_together
from engine.research.portfolio_lanes import Again, Lane
from engine.research.schemas import Baseline, RunConfig
from engine.research.switching import fixed_slippage_bps, rules_of
from engine.research.trade_metrics import split
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.research.run import Replayed

Times = NDArray[np.int64]


def find_out_together(
    config: RunConfig,
    lanes: Sequence[Lane],
    replayed: Replayed,
    ts_ns: Times,
    again: Again,
    *,
    trials: int,
    earlier_runs: int,
) -> Findings:
    """Judge a portfolio's replay; `ts_ns` are the times of its equity."""
    metrics = measured(config, lanes, replayed, ts_ns, trials)
    return Findings(
        metrics=metrics,
        checks=check_together(again, replayed, ts_ns),
        baselines=baselines_together(config, lanes, replayed, ts_ns),
        bootstrap=bootstrap(metrics.basis, config.seed, Rng(config.seed)),
        testing=testing_of(metrics, trials, earlier_runs),
    )


def measured(
    config: RunConfig, lanes: Sequence[Lane], replayed: Replayed, ts_ns: Times, trials: int
) -> Metrics:
    """Return the account's metrics, with tables per symbol and per strategy too."""
    markets = [lane.bars for lane in lanes]
    symbols = list(dict.fromkeys(lane.symbol for lane in config.lanes))
    strategies = list(dict.fromkeys(lane.strategy for lane in config.lanes))
    owner = replayed.trades["lane"]
    trades = replayed.trades.copy()
    trades["lane"] = np.array([symbols.index(lane.symbol) for lane in config.lanes], np.int32)[owner]
    # Prices of all lanes stand one after another; a trade's bars count from its own lane's first.
    first = np.concatenate([[0], np.cumsum([len(bars) for bars in markets])[:-1]]).astype(np.int64)
    trades["entry_bar"] += first[owner]
    trades["exit_bar"] += first[owner]
    context = Context(
        ts_ns=ts_ns,
        high=np.concatenate([bars.high for bars in markets]),
        low=np.concatenate([bars.low for bars in markets]),
        slippage_bps=fixed_slippage_bps(config),
        symbols=symbols,
        trials=trials,
    )
    metrics = compute_metrics(
        replayed.equity, config.initial_cash, trades, markets[0].interval_ns, replayed.fees_usd, context,
        replayed.funding_usd, replayed.held,
    )  # fmt: skip
    metrics.values["final_equity"] = replayed.final_equity
    places = np.array([strategies.index(lane.strategy) for lane in config.lanes])[owner]
    metrics.tables["per_strategy"] = split(trades, places, dict(enumerate(strategies)))
    majors = rules_of(config.switches, config.slippage_mode, 1)["portfolio"].majors
    names = [lane.symbol for lane in config.lanes]
    stakes = stakes_of(replayed.trades, replayed.held, names, majors, int(ts_ns[-1]))
    metrics.tables["exposure"] = exposure_table(stakes, ts_ns, replayed.equity)
    return metrics


def baselines_together(
    config: RunConfig, lanes: Sequence[Lane], replayed: Replayed, ts_ns: Times
) -> tuple[Baseline, ...]:
    """Return cash, each symbol held, and the lanes' trades at random times of their own markets."""
    grounds = [ground_of(config, lane.bars, lane.beside) for lane in lanes]
    names = [lane.symbol for lane in lanes]
    held: list[Ground] = [each for at, each in enumerate(grounds) if names.index(names[at]) == at]
    trades = [replayed.trades[replayed.trades["lane"] == at] for at in range(len(lanes))]
    return baselines_of(held, list(zip(grounds, trades, strict=True)), ts_ns, Rng(config.seed))
