"""Back-tests over generated markets: the same strategy on many draws of one scenario (AQ-29, AQ-30)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.research.metrics import Context, compute_metrics
from engine.research.schemas import Scalar
from engine.research.simulate import BAR_NS, PLAIN, START_NS, WARMUP_BARS, view
from engine.research.switching import generated_config
from native.intents import LaneSpec
from native.kernel import Kernel
from seams.rng import Rng
from venues.sandbox.market import SandboxMarket
from venues.types import Record

ALIASES = {"crash": "flash-crash", "funding-spike": "sideways"}
"""Our names to the sandbox's; a funding spike is a sideways market with funding drawn beside it."""
SCENARIOS = ("bull", "bear", "sideways", "crash", "gap", "funding-spike")
FUNDING_BARS = 60
CALM_RATE = 0.00001
SPIKE_RATE = 0.003
SPIKE_CHANCE = 1 / 6
"""Funding is due each hour: 0.1 bp, and now and then 30 bp, paid by either side."""
AVERAGED = ("final_equity", "max_drawdown", "trades", "win_rate", "sharpe", "avg_confidence")


class Iteration(Record):
    """One draw. Drawdown and rates are fractions; `sharpe` is per year; funding paid is positive."""

    number: int
    seed: int
    initial_value: float
    final_equity: float
    total_pnl: float
    total_return: float
    cagr: float | None
    max_drawdown: float
    trades: int
    win_rate: float | None
    sharpe: float | None
    avg_confidence: float
    funding_usd: float
    market_return: float
    decision_sha256: str


class Backtest(Record):
    """All draws; `mean` and `deviation` leave nulls out, the deviation (ddof 1) is null below two values."""

    scenario: str
    seed: int
    steps: int
    strategy: str
    iterations: tuple[Iteration, ...]
    mean: dict[str, Scalar]
    deviation: dict[str, Scalar]


def backtest(
    *,
    iterations: int,
    steps: int,
    scenario: str,
    seed: int,
    symbol: str = "BTC-PERP",
    assumed: Mapping[str, object] = PLAIN,
) -> Backtest:
    """Run `ema_cross` on `iterations` markets of `steps` one-minute bars, seeds counted up from `seed`.

    Raises `ValueError` for a scenario that the sandbox does not know, or an unknown switch in `assumed`.
    """
    assert 0 < iterations <= 1_000 and 0 < steps <= 100_000
    rows = tuple(
        _one(number, steps, scenario, seed + number, symbol, assumed) for number in range(iterations)
    )
    columns = {
        name: [getattr(row, name) for row in rows if getattr(row, name) is not None] for name in AVERAGED
    }
    return Backtest(
        scenario=scenario,
        seed=seed,
        steps=steps,
        strategy="ema_cross",
        iterations=rows,
        mean={name: float(np.mean(found)) if found else None for name, found in columns.items()},
        deviation={
            name: float(np.std(found, ddof=1)) if len(found) > 1 else None for name, found in columns.items()
        },
    )


def _one(
    number: int, steps: int, scenario: str, seed: int, symbol: str, assumed: Mapping[str, object]
) -> Iteration:
    market = SandboxMarket(seed=seed, scenario=ALIASES.get(scenario, scenario))
    lane = LaneSpec(symbol=symbol, strategy="ema_cross", params={"fast": 9, "slow": 21})
    kernel = Kernel(generated_config(assumed, seed, BAR_NS), [lane])
    bars = np.empty((3, WARMUP_BARS + steps))
    confidences = []
    for index in range(WARMUP_BARS + steps):
        bar = market.bar(symbol, index, open_ns=START_NS + index * BAR_NS, bar_ns=BAR_NS, ticks=4)
        kernel.open(0, bar.open_ns, bar.open)
        kernel.close(0, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
        bars[:, index] = bar.high, bar.low, bar.close
        if index >= WARMUP_BARS:
            confidences.append(view(kernel.indicators(0))[1])
    funding = _funding(kernel.trades(), bars[2], scenario, seed)
    equity = kernel.equity_curve() - np.cumsum(funding)
    return _measured(number, seed, kernel, equity, bars, funding, confidences)


def _measured(
    number: int,
    seed: int,
    kernel: Kernel,
    equity: NDArray[np.float64],
    bars: NDArray[np.float64],
    funding: NDArray[np.float64],
    confidences: list[float],
) -> Iteration:
    """Measure from the end of the warm-up on; trades count when they closed after it."""
    trades = kernel.trades()
    inside = trades[trades["entry_bar"] >= WARMUP_BARS]
    inside["entry_bar"] -= WARMUP_BARS
    inside["exit_bar"] -= WARMUP_BARS
    start = float(equity[WARMUP_BARS - 1])
    shown = equity[WARMUP_BARS:]
    times = START_NS + np.arange(WARMUP_BARS, len(equity), dtype=np.int64) * BAR_NS
    context = Context(ts_ns=times, high=bars[0, WARMUP_BARS:], low=bars[1, WARMUP_BARS:])
    values = compute_metrics(shown, start, inside, BAR_NS, float(np.sum(inside["fees"])), context).values
    return Iteration(
        number=number + 1,
        seed=seed,
        initial_value=start,
        final_equity=float(shown[-1]),
        total_pnl=float(shown[-1]) - start,
        total_return=float(shown[-1]) / start - 1.0,
        cagr=_number(values["cagr"]),
        max_drawdown=_number(values["max_drawdown"]) or 0.0,
        trades=len(inside),
        win_rate=_number(values["win_rate"]),
        sharpe=_number(values["sharpe_simple"]),
        avg_confidence=math.fsum(confidences) / len(confidences),
        funding_usd=float(np.sum(funding[WARMUP_BARS:])),
        market_return=float(bars[2, -1] / bars[2, WARMUP_BARS - 1]) - 1.0,
        decision_sha256=kernel.decision_hash(),
    )


def _funding(
    trades: NDArray[Any], closes: NDArray[np.float64], scenario: str, seed: int
) -> NDArray[np.float64]:
    """Return what is paid at each bar for the position of closed trades held over it; 0 without funding.

    A position pays side x size x price x rate at each full hour. It moves no decision: entries have a fixed
    notional, so that it may be taken from the equity afterwards.
    """
    paid = np.zeros(len(closes))
    if scenario != "funding-spike":
        return paid
    chance = Rng(seed).stream("funding")
    for bar in range(FUNDING_BARS, len(closes), FUNDING_BARS):
        rate = chance.choice((-SPIKE_RATE, SPIKE_RATE)) if chance.random() < SPIKE_CHANCE else CALM_RATE
        held = trades[(trades["entry_bar"] <= bar) & (bar < trades["exit_bar"])]
        size = float(np.sum(held["side"] * (held["units"] * 1e-6)))
        paid[bar] = size * closes[bar] * rate
    return paid


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) else None
