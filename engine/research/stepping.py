"""One step at a time: what came in, what happened, what was decided, asked for, and earned (AQ-21)."""

from __future__ import annotations

from native.intents import KernelConfig, LaneSpec, OrderIntent
from native.kernel import Kernel
from seams.clock import NS_PER_S
from venues.sandbox.market import SandboxMarket
from venues.types import Bar, Record


class Executed(Record):
    """One execution of a step: signed side, quantity in units of the base asset, price."""

    side: int
    quantity: float
    price: float


class Performance(Record):
    """The account after a step, in USD; drawdown is a positive fraction of the highest equity so far."""

    equity_usd: float
    drawdown: float
    open_positions: int
    trades: int


class Step(Record):
    """The five parts of one step. `decision` is the kernel's indicators at the close; `order` is what the
    strategy asks for at it, to be executed at the next open."""

    number: int
    raw: Bar
    events: tuple[Executed, ...]
    decision: dict[str, float]
    order: tuple[OrderIntent, ...]
    performance: Performance


class Stepper:
    """A strategy on a generated market; each `step()` takes one bar through the kernel of record."""

    def __init__(
        self, lane: LaneSpec, *, scenario: str, seed: int, start_ns: int, bar_ns: int = 60 * NS_PER_S
    ) -> None:
        """Raises `ValueError` or `KeyError` for an unknown scenario, strategy or symbol."""
        self._market = SandboxMarket(seed=seed, scenario=scenario)
        self._kernel = Kernel(KernelConfig(seed=seed), [lane])
        self._symbol, self._start_ns, self._bar_ns = lane.symbol, start_ns, bar_ns
        self._number, self._peak_usd = 0, 0.0

    def step(self) -> Step:
        """Take the next bar and return everything that came of it."""
        open_ns = self._start_ns + self._number * self._bar_ns
        bar = self._market.bar(self._symbol, self._number, open_ns=open_ns, bar_ns=self._bar_ns, ticks=4)
        kernel = self._kernel
        fills = kernel.open(0, bar.open_ns, bar.open)
        wishes = kernel.close(0, bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._number += 1
        equity_usd = float(kernel.equity_curve()[-1])
        self._peak_usd = max(self._peak_usd, equity_usd)
        return Step(
            number=self._number,
            raw=bar,
            events=tuple(
                Executed(side=fill.side, quantity=fill.units / 1e6, price=fill.price) for fill in fills
            ),
            decision=kernel.indicators(0),
            order=tuple(wishes),
            performance=Performance(
                equity_usd=equity_usd,
                drawdown=(self._peak_usd - equity_usd) / self._peak_usd,
                open_positions=int(kernel.position(0).side != 0),
                trades=len(kernel.trades()),
            ),
        )
