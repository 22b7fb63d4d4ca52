"""What a quoting simulation is told and what it answers."""

from __future__ import annotations

from enum import IntEnum

import msgspec
import numpy as np


class QueueModel(IntEnum):
    """Where cancels happen in the queue we stand in (`queue.pxd` has the formulas)."""

    CONSERVATIVE = 0
    POWER = 1
    LOGARITHM = 2


class QuoteRules(msgspec.Struct, frozen=True, kw_only=True):
    """The market, the venue and the built-in quoting rule.

    The rule quotes one order a side at `mid -+ half_spread_ticks`, moved by `skew_ticks` against each
    unit of position (a unit is `order_lots`), never better than the best price of its own side, and
    stops buying at `max_units`, selling at `-max_units`. It looks every `interval_ns`.
    """

    tick_size: float
    lot_size: float
    order_lots: int
    half_spread_ticks: int = 5
    skew_ticks: int = 1
    max_units: int = 10
    interval_ns: int = 100_000_000
    order_latency_ns: int = 1_000_000
    response_latency_ns: int = 1_000_000
    fee_bps: float = 2.0
    queue_model: QueueModel = QueueModel.CONSERVATIVE
    queue_power: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for what is no market."""
        positive = (self.tick_size, self.lot_size, self.order_lots, self.interval_ns, self.queue_power)
        if not all(value > 0 for value in positive):
            raise ValueError("tick_size, lot_size, order_lots, interval_ns and queue_power must be positive")
        if min(self.order_latency_ns, self.response_latency_ns, self.max_units, self.half_spread_ticks) < 0:
            raise ValueError("latencies, max_units and half_spread_ticks must not be negative")


class QuoteResult(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. Money in quote currency; `balance` is cash flow before fees."""

    steps: int
    submits: int
    cancels: int
    expired: int
    fills: int
    position_lots: int
    balance: float
    fees: float
    equity: float
    """balance - fees + position at the last mid the strategy saw."""


FILL_DTYPE = np.dtype(
    [("ts_ns", "i8"), ("tick", "i8"), ("side", "i8"), ("joined_ns", "i8"), ("ahead_lots", "i8")]
)
"""A fill: the exchange's time, our order's price and side; when it joined the queue, and the lots there."""
