"""What the loopback Kraken forgets, so that a week of it takes no more memory than a day."""

from __future__ import annotations

from seams.clock import NS_PER_S, Clock
from venues.sandbox.kraken.books import ENDED
from venues.sandbox.kraken.trading import Trading

KEPT = 5_000
"""How many ended orders are kept, with their trades. The venue keeps all; whoever asks for the last hours
sees no difference."""
EVERY_NS = 3_600 * NS_PER_S
"""How often is looked. What ended since the last look is kept."""


class Forgetting:
    """Drops the oldest of what has ended."""

    def __init__(self, clock: Clock, trading: Trading, kept: int = KEPT) -> None:
        self._clock, self._trading, self._kept = clock, trading, kept
        self._looked_ns = clock.now_ns()

    def advance(self) -> None:
        """Look, once an hour."""
        now_ns, trading = self._clock.now_ns(), self._trading
        if now_ns - self._looked_ns < EVERY_NS:
            return
        ended = [order for order in trading.orders.values() if order.status in ENDED]
        old = [order for order in ended if order.close_ns <= self._looked_ns]
        self._looked_ns = now_ns
        for order in old[: max(0, len(ended) - self._kept)]:
            del trading.orders[order.txid]
        trading.trades = [trade for trade in trading.trades if trade.txid in trading.orders]
