"""The venue's clock is taken from the quickest answer's middle: a slow answer is no drift."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from engine.trading.orders import OrderManager
from engine.trading.venue_clock import ASKS, ask_time
from seams.clock import NS_PER_S
from seams.virtual import VirtualClock, VirtualLoop, run_virtual

AHEAD_NS = 700_000_000


class Slow:
    """A venue whose clock is ahead, and whose answers take this long there and back."""

    def __init__(self, clock: VirtualClock, ways_s: list[tuple[float, float]]) -> None:
        self._clock, self._ways_s = clock, ways_s
        self.asked = 0

    async def time_ns(self) -> int:
        there_s, back_s = self._ways_s[self.asked]
        self.asked += 1
        await asyncio.sleep(there_s)
        at_ns = self._clock.now_ns() + AHEAD_NS
        await asyncio.sleep(back_s)
        return at_ns


class Orders:
    def __init__(self, venue: Slow) -> None:
        self.venue, self.offset_ns = venue, 0


@pytest.mark.parametrize(
    ("ways_s", "asked", "error_s"),
    [
        ([(0.1, 0.1)], 1, 0.0),
        ([(0.0, 0.2)], 1, 0.1),
        ([(3.0, 0.0), (0.05, 0.05)], 2, 0.0),
        ([(0.0, 6.0), (0.0, 0.4), (1.0, 3.0)], ASKS, 0.2),
    ],
)
def test_the_quickest_answer_counts(ways_s: list[tuple[float, float]], asked: int, error_s: float) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    venue = Slow(clock, ways_s)
    orders = Orders(venue)
    told_ns = run_virtual(ask_time(cast(OrderManager, orders), clock), loop)
    assert venue.asked == asked
    assert abs(orders.offset_ns - AHEAD_NS) <= error_s * NS_PER_S + 1_000
    assert told_ns <= clock.now_ns() + AHEAD_NS
