"""A recorded portfolio run executed again and stressed: other parameters or costs, all lanes at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.research import identity
from engine.research.choice import RunFailed
from engine.research.metrics import bar_returns, max_drawdown, sharpe_simple
from engine.research.portfolio import portfolio_config, replay_together, strategies_sha256
from engine.research.portfolio_again import lanes_again
from engine.research.portfolio_lanes import Lane, anew, own_params, portfolio_of
from engine.research.risk import YEAR_NS
from engine.research.robustness import (
    Cells,
    CostStress,
    Sensitivity,
    cost_stress_of,
    moved_of,
    neighbours,
    sensitivity_of,
)
from engine.research.run import Replayed
from engine.research.schemas import RunConfig, RunReport
from seams.disk import Disk


class Proved(NamedTuple):
    """A portfolio whose lanes gave the recorded decisions again."""

    config: RunConfig
    lanes: Sequence[Lane]
    home: Path
    disk: Disk

    @property
    def symbols(self) -> NDArray[np.int32]:
        """The number of each lane's symbol, (lanes,)."""
        names = list(dict.fromkeys(lane.symbol for lane in self.lanes))
        return np.array([names.index(lane.symbol) for lane in self.lanes], np.int32)

    def cost_stress(self) -> CostStress:
        """Run at each level of slippage, and with fee and slippage doubled."""
        return cost_stress_of(
            self.config, lambda config: self._replay(config, {}).final_equity - config.initial_cash
        )

    def sensitivity(self) -> Sensitivity:
        """Run the neighbours of the parameters, one moved at a time."""
        rows = []
        for params in neighbours(self.config.params):
            moved = moved_of(params, self.config.params)
            rows.append(self._row(moved, params[moved]))
        return sensitivity_of(rows)

    def _row(self, name: str, value: float) -> Cells:
        row: Cells = {"parameter": name, "value": value, "reason": None}
        try:
            found = self._replay(self.config, {name: value})
        except RunFailed as error:
            nothing: Cells = dict.fromkeys(("total_pnl", "sharpe", "max_drawdown", "trades"))
            return {**row, **nothing, "reason": error.code}
        cash = self.config.initial_cash
        per_year = YEAR_NS / self.lanes[0].bars.interval_ns
        return row | {
            "total_pnl": found.final_equity - cash,
            "sharpe": sharpe_simple(bar_returns(found.equity, cash), per_year)[0],
            "max_drawdown": max_drawdown(found.equity, cash),
            "trades": len(found.trades),
        }

    def _replay(self, config: RunConfig, changes: dict[str, float | str]) -> Replayed:
        names = tuple(dict.fromkeys(lane.request.strategy for lane in self.lanes))
        asked = msgspec.structs.replace(self.lanes[0].request, params={**config.params, **changes})  # type: ignore[type-var]
        owned = dict(zip(names, own_params(asked, names), strict=True))
        moved = [
            lane._replace(request=msgspec.structs.replace(lane.request, params=owned[lane.request.strategy]))  # type: ignore[type-var]
            for lane in self.lanes
        ]
        lanes = [anew(lane, self.home, self.disk) for lane in moved]
        return replay_together(portfolio_of(config, lanes, "stress"), config, lanes, None, None)


def proved_together(report: RunReport, home: Path, disk: Disk, data: str = "", strategy: str = "") -> Proved:
    """Return a recorded portfolio after it gave its decisions again.

    Raises `RunFailed` with not_reproducible where bars, strategies, kernel or decisions differ.
    """
    proof, config = report.identity, report.config_resolved
    command = report.reproduce.get("command", "")
    request, lanes = lanes_again(config, command, home, disk, data=data, strategy=strategy)
    found = portfolio_config(request, lanes, [lane.data for lane in config.lanes])
    ours, theirs = (msgspec.to_builtins(each) for each in (found, config))
    differing = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
    for is_same, what in (
        (identity.kernel_sha256() == proof.kernel_sha256, "the kernel is another build"),
        (not differing, f"what it is made of differs: {', '.join(differing)}"),
        (strategies_sha256(lanes) == proof.strategy_sha256, "a strategy's source or parameters differ"),
    ):
        if not is_same:
            raise _differs(f"{what}; make the run again and validate that")
    kernel = portfolio_of(config, lanes, report.header.run_id)
    if replay_together(kernel, config, lanes, None, None).decision_sha256 != proof.decision_sha256:
        raise _differs("the decisions differ from the run's")
    return Proved(config, lanes, home, disk)


def _differs(message: str) -> RunFailed:
    return RunFailed("not_reproducible", message)
