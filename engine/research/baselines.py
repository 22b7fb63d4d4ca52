"""What the same market would have given without the strategy: cash, buy and hold, random entries.

Costs are those of the run. Random entries keep the run's trades (number, sizes, sides, holding times) and
draw only their order and their times, so that what is left is timing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.research.metrics import max_drawdown, sharpe_simple
from engine.research.risk import basis_of
from engine.research.schemas import Baseline, Scalar
from seams.rng import Rng

Floats = NDArray[np.float64]
Rows = NDArray[Any]

RANDOM_BUDGET_TRADES = 500_000
MIN_DRAWS, MAX_DRAWS = 20, 200
"""Random draws are as many as the budget of simulated trades allows, within these bounds."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What baselines are played on: open times (ns), opens and closes (bars,), account and costs.

    `funding` (bars,): what a unit held long since the start has paid at each open; None without funding.
    """

    ts_ns: NDArray[np.int64]
    open: Floats
    close: Floats
    interval_ns: int
    cash: float
    notional_usd: float
    fee_bps: float
    slippage_bps: float
    funding: Floats | None = None


def baselines(ground: Ground, trades: Rows, rng: Rng) -> tuple[Baseline, ...]:
    """Return cash, buy and hold at the run's size and with all cash, and random entries."""
    return (
        Baseline(
            name="cash",
            what="hold the cash, without interest",
            values={"total_return": 0.0, "total_pnl": 0.0, "max_drawdown": 0.0, "sharpe": None},
        ),
        buy_and_hold(ground, "buy_and_hold", ground.notional_usd),
        buy_and_hold(ground, "buy_and_hold_all_cash", ground.cash),
        random_entries(ground, trades, rng),
    )


def buy_and_hold(ground: Ground, name: str, notional_usd: float) -> Baseline:
    """Buy `notional_usd` at the second bar's open and keep it, marked at each close."""
    what = f"buy {notional_usd:,.0f} at the second bar's open and keep it"
    if len(ground.close) < 2 or notional_usd <= 0:
        return Baseline(name=name, what=what, values={"reason": "too_few_bars"})
    curve = held_curve(ground, notional_usd)
    basis = basis_of(curve, ground.cash, ground.ts_ns, ground.interval_ns)
    gain = float(curve[-1]) - ground.cash
    values: dict[str, Scalar] = {
        "total_return": gain / ground.cash,
        "total_pnl": gain,
        "max_drawdown": max_drawdown(curve, ground.cash),
        "sharpe": sharpe_simple(basis.returns, basis.per_year)[0],
    }
    return Baseline(name=name, what=what, values=values)


def held_curve(ground: Ground, notional_usd: float) -> Floats:
    """Return the equity (bars,) of `notional_usd` bought at the second bar's open and kept."""
    fill = float(ground.open[1]) * (1 + ground.slippage_bps / 1e4)
    units = notional_usd / fill
    curve = ground.close - fill
    curve *= units
    curve += ground.cash - notional_usd * ground.fee_bps / 1e4
    if ground.funding is not None:
        curve -= units * (ground.funding - ground.funding[1])
    curve[0] = ground.cash
    return curve


def random_entries(ground: Ground, trades: Rows, rng: Rng) -> Baseline:
    """Replay the run's trades at random times and say where the run's own result stands among them.

    Bounded: at most 200 draws, and about half a million simulated trades in all, but at least 20 draws.
    """
    what = "the run's trades (sizes, sides, holding times) in random order at random times"
    if not len(trades) or len(ground.open) < 3:
        return Baseline(name="random_entries", what=what, values={"reason": "no_closed_trades"})
    draws = min(MAX_DRAWS, max(MIN_DRAWS, RANDOM_BUDGET_TRADES // len(trades)))
    generator = np.random.default_rng(rng.stream("random_entries").getrandbits(64))
    book = _Book.of(trades)
    found = np.array([_draw(ground, book, generator) for _ in range(draws)])
    own = float(np.sum(trades["pnl"]))
    below = float(np.mean(found < own) + np.mean(found == own) / 2)
    low, middle, high = (float(each) for each in np.quantile(found, (0.05, 0.5, 0.95)))
    values: dict[str, Scalar] = {
        "total_pnl": own,
        "percentile": below,
        "draws": draws,
        "random_pnl_mean": float(np.mean(found)),
        "random_pnl_low_05": low,
        "random_pnl_median": middle,
        "random_pnl_high_95": high,
    }
    return Baseline(name="random_entries", what=what, values=values)


@dataclass(frozen=True)
class _Book:
    """The run's trades as columns (trades,): bars held (at least 1), side, entry notional."""

    held: NDArray[np.int64]
    side: Floats
    notional: Floats

    @classmethod
    def of(cls, trades: Rows) -> _Book:
        held = np.maximum(trades["exit_bar"] - trades["entry_bar"], 1)
        return cls(held, trades["side"].astype(np.float64), trades["units"] * 1e-6 * trades["entry_fill"])


def _draw(ground: Ground, book: _Book, generator: np.random.Generator) -> float:
    """Return the net P&L of one draw: trades one after another, the idle time between them spread evenly."""
    last = len(ground.open) - 1
    order = generator.permutation(len(book.held))
    held, side, notional = book.held[order], book.side[order], book.notional[order]
    ends = np.cumsum(held)
    idle = max(0, last - 1 - int(ends[-1]))
    entry = np.sort(generator.integers(0, idle + 1, len(held))) + ends - held + 1
    entry = np.minimum(entry, last - 1)
    leave = np.minimum(entry + held, last)
    slip, fee = side * (ground.slippage_bps / 1e4), ground.fee_bps / 1e4
    paid = ground.open[entry] * (1 + slip)
    growth = ground.open[leave] * (1 - slip) / paid
    gain = side * (growth - 1) - fee * (1 + growth)
    if ground.funding is not None:
        gain -= side * (ground.funding[leave] - ground.funding[entry]) / paid
    return float(np.sum(notional * gain))
