"""What was found out about one run: metrics, checks, baselines, intervals, uses of the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.research.baselines import baselines, ground_of
from engine.research.bootstrap import bootstrap
from engine.research.checks import MakeKernel, check_run, trust_of
from engine.research.kernels import NOTHING, Beside
from engine.research.metrics import Context, Metrics, compute_metrics
from engine.research.risk import deflated_sharpe
from engine.research.schemas import Baseline, Bootstrap, Check, MultipleTesting, RunConfig, RunsIndex
from engine.research.switching import fixed_slippage_bps
from seams.disk import Disk
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns
    from engine.research.run import Replayed


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that is judged about a run; all but `testing` follows from the run alone."""

    metrics: Metrics
    checks: tuple[Check, ...]
    baselines: tuple[Baseline, ...]
    bootstrap: Bootstrap
    testing: MultipleTesting

    @property
    def trust(self) -> str:
        return trust_of(self.checks)

    @property
    def excursions(self) -> NDArray[np.float64]:
        """Adverse and favourable excursion of each trade, (trades, 2)."""
        assert self.metrics.mae_usd is not None and self.metrics.mfe_usd is not None
        return np.column_stack([self.metrics.mae_usd, self.metrics.mfe_usd])


def find_out(
    config: RunConfig,
    bars: BarColumns,
    replayed: Replayed,
    make_kernel: MakeKernel,
    *,
    trials: int,
    earlier_runs: int,
    beside: Beside = NOTHING,
) -> Findings:
    """Judge a replay. Draws come from the run's seed and data, so equal runs find equal things."""
    rng = Rng(config.seed)
    context = Context(
        ts_ns=bars.ts_ns,
        high=bars.high,
        low=bars.low,
        slippage_bps=fixed_slippage_bps(config),
        symbols=(config.ticker,),
        trials=trials,
    )
    metrics = compute_metrics(
        replayed.equity,
        config.initial_cash,
        replayed.own_trades,
        bars.interval_ns,
        replayed.fees_usd,
        context,
        replayed.funding_usd,
        replayed.held,
    )
    # The kernel sums the account exactly (fsum); the curve's last value may differ in the last bit.
    metrics.values["final_equity"] = replayed.final_equity
    return Findings(
        metrics=metrics,
        checks=check_run(
            make_kernel,
            bars,
            replayed.decisions,
            replayed.trades,
            config,
            replayed.is_liquidated,
            beside.sub_bars,
        ),
        baselines=baselines(ground_of(config, bars, beside), replayed.own_trades, rng),
        bootstrap=bootstrap(metrics.basis, config.seed, rng),
        testing=testing_of(metrics, trials, earlier_runs),
    )


def count_earlier_runs(index: Path, data_sha256: str, disk: Disk) -> int:
    """Return how many indexed runs used this data before; 0 where there is no readable index."""
    try:
        rows = msgspec.json.decode(disk.read(index), type=RunsIndex).runs
    except (OSError, msgspec.MsgspecError):
        return 0
    return sum(row.data_sha256 == data_sha256 for row in rows)


def testing_of(metrics: Metrics, trials: int, earlier_runs: int) -> MultipleTesting:
    """Deflate by all runs on this data too: looking is testing, declared or not."""
    odds, basis = metrics.values["probabilistic_sharpe"], metrics.basis
    is_known = isinstance(odds, float) and basis is not None
    return MultipleTesting(
        trials_declared=trials,
        earlier_runs_on_data=earlier_runs,
        probabilistic_sharpe=odds if isinstance(odds, float) else None,
        deflated_sharpe_all=deflated_sharpe(basis.returns, max(trials, earlier_runs + 1))
        if basis is not None and is_known
        else None,
    )
