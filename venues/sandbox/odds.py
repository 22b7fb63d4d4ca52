"""What the simulated venue draws of each order's fate: how late, in how many parts, how dear, how unlucky.

Every draw has a stream of its own, named by the venue's seed, what is drawn and the order's number at the
venue: the same session again draws the same, and one more order moves no other order's draws.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

from seams.clock import NS_PER_MS
from seams.rng import Rng, Stream
from venues.sandbox.script import Fault, FaultKind
from venues.types import Record

FIRST_PART = (0.3, 0.9)
"""The share of the ordered quantity that a first part has, drawn between these two."""
HALF_NORMAL_MEAN = math.sqrt(2.0 / math.pi)
"""The mean of |N(0, 1)|."""
LOST = 0.5
"""How likely an order without an answer did not arrive."""


class Odds(Record):
    """The odds of one venue, all off unless named; milliseconds of market time, basis points of the price.

    `max_slippage_bps` None: slippage is fixed. Else it is half-normal, adverse, with the fixed one as its
    mean, and never beyond this bound.
    """

    seed: int = 0
    min_latency_ms: float = 0.0
    max_latency_ms: float = 0.0
    partial_fill_probability: float = 0.0
    max_slippage_bps: float | None = None
    reject_probability: float = 0.0
    timeout_probability: float = 0.0

    def latency_ns(self, order: str) -> int:
        """Return how long after its arrival an order first acts: uniform, at least a nanosecond where any
        latency is assumed, so that nothing fills at the event that it was decided on."""
        if self.max_latency_ms <= 0.0:
            return 0
        drawn_ms = self._stream("latency", order).uniform(self.min_latency_ms, self.max_latency_ms)
        return max(1, round(drawn_ms * NS_PER_MS))

    def first_part(self, order: str, quantity: Decimal, lot: Decimal) -> Decimal:
        """Return how much of an order's whole quantity its first execution takes, in whole lots: all of it,
        or a part that leaves at least one lot over."""
        lots = int(quantity / lot)
        chance = self._stream("parts", order)
        if lots < 2 or chance.random() >= self.partial_fill_probability:
            return quantity
        wanted = Decimal(repr(chance.uniform(*FIRST_PART))) * quantity
        taken = (wanted / lot).to_integral_value(ROUND_FLOOR)
        return lot * min(max(taken, Decimal(1)), Decimal(lots - 1))

    def slippage_bps(self, order: str, part: int, mean_bps: float) -> float:
        """Return by how much the `part`-th execution of an order is dearer than the price it meets."""
        if self.max_slippage_bps is None:
            return mean_bps
        drawn = abs(self._stream("slippage", order, part).gauss(0.0, 1.0)) / HALF_NORMAL_MEAN
        return min(drawn * mean_bps, self.max_slippage_bps)

    def mishap(self, attempt: int) -> Fault | None:
        """Return what the `attempt`-th new order meets instead of an answer, or None."""
        if self.reject_probability + self.timeout_probability <= 0.0:
            return None
        chance = self._stream("mishap", attempt)
        drawn = chance.random()
        if drawn < self.reject_probability:
            return Fault(nth=attempt, kind=FaultKind.REJECT, code="simulated_reject")
        if drawn < self.reject_probability + self.timeout_probability:
            is_lost = chance.random() < LOST
            kind = FaultKind.DROP_WITHOUT_APPLY if is_lost else FaultKind.APPLY_THEN_DROP
            return Fault(nth=attempt, kind=kind)
        return None

    def _stream(self, *names: str | int) -> Stream:
        return Rng(self.seed).stream("odds", *names)


CERTAIN = Odds()
"""Whole fills at the next event, at the fixed slippage, and every order answered."""
