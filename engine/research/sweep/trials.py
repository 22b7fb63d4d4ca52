"""Trials: one combination each, and what its cell says; money in account currency."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from engine.research.metrics import MIN_POINTS
from engine.research.risk import YEAR_NS
from venues.types import Record

NO_LOSS_FACTOR = 100.0
"""What the profit factor counts as in a score where no trade lost."""


class Trial(Record):
    """A combination to try; `number` counts from 0 in the order of proposals."""

    number: int
    params: dict[str, float]


class Result(Record):
    """What a trial gave over the searched window. A rejected one says why and has no numbers.

    `trace` is the digest of its trades: equal traces, equal trades. Drawdown is a positive fraction; the
    two sums are those of the simple returns per bar and of their squares.
    """

    number: int
    params: dict[str, float]
    config_id: str
    reject_reason: str = ""
    bars: int = 0
    trades: int = 0
    wins: int = 0
    final_equity: float = 0.0
    total_pnl: float = 0.0
    fees: float = 0.0
    gross_profit: float = 0.0
    gross_loss: float = 0.0
    max_drawdown: float = 0.0
    return_sum: float = 0.0
    return_squares: float = 0.0
    trace: str = ""

    @property
    def is_rejected(self) -> bool:
        return self.reject_reason != ""

    @property
    def profit_factor(self) -> float | None:
        """Gross profit over gross loss of closed trades; None where none lost."""
        return self.gross_profit / -self.gross_loss if self.gross_loss < 0.0 else None

    @property
    def score_v1(self) -> float:
        """Profit and loss x (1 - drawdown) x profit factor."""
        factor = self.profit_factor
        if factor is None:
            factor = NO_LOSS_FACTOR if self.gross_profit > 0.0 else 0.0
        return self.total_pnl * (1.0 - self.max_drawdown) * factor

    @property
    def sharpe_bar(self) -> float | None:
        """Mean over standard deviation (ddof 1) of the returns per bar, from the two sums."""
        if self.bars < MIN_POINTS:
            return None
        mean = self.return_sum / self.bars
        variance = (self.return_squares - mean * self.return_sum) / (self.bars - 1)
        return mean / math.sqrt(variance) if variance > 0.0 else None


def sharpe_simple(result: Result, interval_ns: int) -> float | None:
    """Return the yearly Sharpe ratio as runs define it (`metrics.SHARPE_METHOD`)."""
    sharpe = result.sharpe_bar
    return None if sharpe is None else sharpe * math.sqrt(YEAR_NS / interval_ns)


def config_id(strategy: str, params: Mapping[str, float]) -> str:
    """Return the id of a strategy with all its parameters: 12 hex digits, the same in every sweep."""
    text = json.dumps([strategy, sorted(params.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def result_of(trial: Trial, identity: str, cell: Any, final_equity: float, cash: float) -> Result:
    """Read a cell (`native.sweep.CELL_DTYPE`); one with a number that is not finite is rejected."""
    if not all(math.isfinite(number) for number in (final_equity, *cell.item()[5:-1])):
        return Result(
            number=trial.number,
            params=trial.params,
            config_id=identity,
            reject_reason="not_finite: the account ran out of numbers",
        )
    return Result(
        number=trial.number,
        params=trial.params,
        config_id=identity,
        bars=int(cell["bars"]),
        trades=int(cell["trades"]),
        wins=int(cell["wins"]),
        final_equity=final_equity,
        total_pnl=final_equity - cash,
        fees=float(cell["fees"]),
        gross_profit=float(cell["gross_profit"]),
        gross_loss=float(cell["gross_loss"]),
        max_drawdown=1.0 - float(cell["low"]) / float(cell["low_peak"]),
        return_sum=float(cell["return_sum"]),
        return_squares=float(cell["return_squares"]),
        trace=f"{int(cell['digest']):016x}",
    )
