"""The venue's clock, as far as answers that take time can tell it."""

from __future__ import annotations

from engine.trading.orders import OrderManager
from seams.clock import NS_PER_S, Clock

ASKS = 3
QUICK_NS = NS_PER_S // 4
"""An answer in this time tells the venue's clock well enough; a slower one is asked for again."""


async def ask_time(orders: OrderManager, clock: Clock) -> int:
    """Return the venue's time, and set the offset from ours by the quickest of up to three answers.

    What an answer took is no difference of clocks: the offset is taken from its middle, so half of what it
    took bounds the error (as in RFC 5905, §8). Raises `VenueError` where the venue does not answer.
    """
    quickest_ns: int | None = None
    venue_ns = 0
    for _ in range(ASKS):
        asked_ns = clock.monotonic_ns()
        venue_ns = await orders.venue.time_ns()
        took_ns = clock.monotonic_ns() - asked_ns
        if quickest_ns is None or took_ns < quickest_ns:
            quickest_ns = took_ns
            orders.offset_ns = venue_ns + took_ns // 2 - clock.now_ns()
        if took_ns <= QUICK_NS:
            break
    return venue_ns
