"""A short simulation, tick by tick: what the sandbox market did, what a strategy thought, what it did."""

from __future__ import annotations

from collections.abc import Mapping

from engine.research.switching import generated_config
from native.intents import LaneSpec
from native.kernel import Kernel
from seams.clock import NS_PER_S
from venues.sandbox.market import SandboxMarket
from venues.types import Record

BAR_NS = 60 * NS_PER_S
START_NS = 1_767_225_600 * NS_PER_S
WARMUP_BARS = 120
PLAIN: Mapping[str, object] = {}


class Tick(Record):
    """One step: `action` is what the kernel did; `direction` and `confidence` are the strategy's view.

    `confidence` is the distance of the two averages in units of one ATR, at most 1.
    """

    number: int
    price: float
    action: str
    direction: str
    confidence: float
    notional_usd: float


class Simulation(Record):
    """The ticks and how it ended; drawdown is a positive fraction."""

    scenario: str
    seed: int
    strategy: str
    ticks: tuple[Tick, ...]
    equity: float
    max_drawdown: float
    open_positions: int
    trades: int
    decision_sha256: str


def simulate(
    *, steps: int, scenario: str, seed: int, symbol: str = "BTC-PERP", assumed: Mapping[str, object] = PLAIN
) -> Simulation:
    """Step `ema_cross` over `steps` generated one-minute bars, under the switches `assumed`.

    Raises `ValueError` for an unknown scenario or switch.
    """
    assert 0 < steps <= 100_000
    market = SandboxMarket(seed=seed, scenario=scenario)
    lane = LaneSpec(symbol=symbol, strategy="ema_cross", params={"fast": 9, "slow": 21})
    kernel = Kernel(generated_config(assumed, seed, BAR_NS), [lane])
    ticks: list[Tick] = []
    peak = drawdown = 0.0
    for index in range(WARMUP_BARS + steps):
        bar = market.bar(symbol, index, open_ns=START_NS + index * BAR_NS, bar_ns=BAR_NS, ticks=4)
        fills = kernel.open(0, bar.open_ns, bar.open)
        kernel.close(0, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
        equity = float(kernel.equity_curve()[-1])
        peak = max(peak, equity)
        drawdown = max(drawdown, (peak - equity) / peak)
        if index >= WARMUP_BARS:
            acted = " + ".join(f"{'buy' if fill.side > 0 else 'sell'}" for fill in fills) or "hold"
            direction, confidence = view(kernel.indicators(0))
            notional = sum(fill.units / 1e6 * fill.price for fill in fills)
            ticks.append(
                Tick(
                    number=index - WARMUP_BARS + 1,
                    price=bar.close,
                    action=acted,
                    direction=direction,
                    confidence=round(confidence, 4),
                    notional_usd=round(notional, 2),
                )
            )
    return Simulation(
        scenario=scenario,
        seed=seed,
        strategy="ema_cross",
        ticks=tuple(ticks),
        equity=round(kernel.final_equity(), 2),
        max_drawdown=round(drawdown, 6),
        open_positions=int(kernel.position(0).side != 0),
        trades=len(kernel.trades()),
        decision_sha256=kernel.decision_hash(),
    )


def view(values: dict[str, float]) -> tuple[str, float]:
    """Return the direction that the averages show, and its confidence: their gap in ATR, at most 1."""
    gap = values["ema_fast"] - values["ema_slow"]
    direction = "long" if gap > 0 else "short" if gap < 0 else "flat"
    return direction, min(1.0, abs(gap) / values["atr"]) if values["atr"] > 0 else 0.0
