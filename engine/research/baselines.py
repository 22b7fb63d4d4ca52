"""What the same market would have given without the strategy: cash, buy and hold, random entries.

Costs are those of the run. Random entries keep the run's trades (number, sizes, sides, holding times) and
draw only their order and their times, so that what is left is timing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.research.funding import cost_per_unit
from engine.research.kernels import Beside
from engine.research.metrics import max_drawdown, sharpe_simple
from engine.research.risk import basis_of
from engine.research.schemas import Baseline, RunConfig, Scalar
from seams.rng import Rng

if TYPE_CHECKING:
    from engine.market.catalogue import BarColumns

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


def ground_of(config: RunConfig, bars: BarColumns, beside: Beside) -> Ground:
    """Return what a market's baselines are played on: a run's account and costs, and its payments."""
    return Ground(
        ts_ns=bars.ts_ns,
        open=bars.open,
        close=bars.close,
        interval_ns=bars.interval_ns,
        cash=config.initial_cash,
        notional_usd=config.notional_usd,
        fee_bps=config.fee_bps,
        slippage_bps=config.slippage_bps,
        funding=cost_per_unit(beside.funding, bars.ts_ns),
    )


def baselines(ground: Ground, trades: Rows, rng: Rng) -> tuple[Baseline, ...]:
    """Return cash, buy and hold at the run's size and with all cash, and random entries."""
    return baselines_of([ground], [(ground, trades)], ground.ts_ns, rng)


def baselines_of(
    held: Sequence[Ground], played: Sequence[tuple[Ground, Rows]], ts_ns: NDArray[np.int64], rng: Rng
) -> tuple[Baseline, ...]:
    """Return the baselines of several markets under one account: each of `held` bought once, and the trades
    of each of `played` redrawn on its own market. `ts_ns` (times,) are the account's."""
    each_usd = held[0].cash / len(held)
    return (
        Baseline(
            name="cash",
            what="hold the cash, without interest",
            values={"total_return": 0.0, "total_pnl": 0.0, "max_drawdown": 0.0, "sharpe": None},
        ),
        buy_and_hold(held, ts_ns, "buy_and_hold", held[0].notional_usd),
        buy_and_hold(held, ts_ns, "buy_and_hold_all_cash", each_usd),
        random_entries(played, rng),
    )


def buy_and_hold(
    grounds: Sequence[Ground], ts_ns: NDArray[np.int64], name: str, notional_usd: float
) -> Baseline:
    """Buy `notional_usd` of each market at its second bar's open and keep it, marked at each close."""
    ground = grounds[0]
    of = "" if len(grounds) == 1 else " of each symbol"
    what = f"buy {notional_usd:,.0f}{of} at the second bar's open and keep it"
    if any(len(each.close) < 2 for each in grounds) or notional_usd <= 0:
        return Baseline(name=name, what=what, values={"reason": "too_few_bars"})
    curve = _held_together(grounds, ts_ns, notional_usd)
    basis = basis_of(curve, ground.cash, ts_ns, ground.interval_ns)
    gain = float(curve[-1]) - ground.cash
    values: dict[str, Scalar] = {
        "total_return": gain / ground.cash,
        "total_pnl": gain,
        "max_drawdown": max_drawdown(curve, ground.cash),
        "sharpe": sharpe_simple(basis.returns, basis.per_year)[0],
    }
    return Baseline(name=name, what=what, values=values)


def _held_together(grounds: Sequence[Ground], ts_ns: NDArray[np.int64], notional_usd: float) -> Floats:
    """Return the account's equity (times,); a market has gained nothing before its first bar."""
    if len(grounds) == 1:
        return held_curve(grounds[0], notional_usd)
    curve = np.full(len(ts_ns), grounds[0].cash)
    for each in grounds:
        gains = np.concatenate([[0.0], held_curve(each, notional_usd) - each.cash])
        curve += gains[np.searchsorted(each.ts_ns, ts_ns, side="right")]
    return curve


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


def random_entries(played: Sequence[tuple[Ground, Rows]], rng: Rng) -> Baseline:
    """Replay each market's trades at random times of its own; say where the run's result stands among them.

    Bounded: at most 200 draws, and about half a million simulated trades in all, but at least 20 draws.
    Markets are drawn apart: how many positions stand at once is not the run's.
    """
    what = "the run's trades (sizes, sides, holding times) in random order at random times"
    what += " of their own markets" if len(played) > 1 else ""
    books = [(ground, _Book.of(trades)) for ground, trades in played if len(trades) and len(ground.open) >= 3]
    if not books:
        return Baseline(name="random_entries", what=what, values={"reason": "no_closed_trades"})
    count = sum(len(book.held) for _, book in books)
    draws = min(MAX_DRAWS, max(MIN_DRAWS, RANDOM_BUDGET_TRADES // count))
    generator = np.random.default_rng(rng.stream("random_entries").getrandbits(64))
    found = np.array([sum(_draw(*book, generator) for book in books) for _ in range(draws)])
    own = float(sum(np.sum(trades["pnl"]) for _, trades in played))
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
