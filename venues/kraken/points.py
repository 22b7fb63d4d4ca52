"""What our orders and cancels have cost of the matching engine's own counter, pair by pair (venues.md 5.7).

The venue counts for itself and tells nobody: beyond its threshold it refuses orders. Counted here as the
slower of its two present tiers does, so that there is less room than shown never, and more perhaps.
"""

from __future__ import annotations

from seams.clock import NS_PER_S, Clock

MOST, PER_S = 125.0, 2.34
RESERVE = 40.0
"""What is kept for cancels: five of orders that have just been placed."""
PLACED = 1.0
CANCEL_BY_AGE = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))
"""Younger than so many seconds, a cancel costs so much; later nothing."""
MAX_ORDERS = 10_000


class Points:
    """The counters of one account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: dict[str, tuple[float, int]] = {}
        self._placed: dict[str, tuple[str, int]] = {}

    def signed(self, name: str, symbol: str) -> None:
        """Know an order's pair, before it leaves."""
        self._placed[name] = symbol, self._clock.monotonic_ns()
        while len(self._placed) > MAX_ORDERS:
            del self._placed[next(iter(self._placed))]

    def placed(self, name: str) -> None:
        """Count an order that leaves now; the venue counts refused ones too."""
        symbol, _ = self._placed.get(name, ("", 0))
        if symbol:
            self._placed[name] = symbol, self._clock.monotonic_ns()
            self._count(symbol, PLACED)

    def cancelled(self, name: str) -> None:
        """Count a cancel; an order that this process did not place is of unknown age, and taken for old."""
        symbol, placed_ns = self._placed.get(name, ("", 0))
        if symbol:
            age_ns = self._clock.monotonic_ns() - placed_ns
            cost = next((cost for below_s, cost in CANCEL_BY_AGE if age_ns < below_s * NS_PER_S), 0.0)
            self._count(symbol, cost)

    def level(self, symbol: str) -> float:
        """Return how much of a pair's counter is used now, of `MOST`."""
        level, at_ns = self._levels.get(symbol, (0.0, 0))
        return max(0.0, level - PER_S * (self._clock.monotonic_ns() - at_ns) / NS_PER_S)

    @property
    def fullest(self) -> float:
        """Return the level of the pair that has the least room left."""
        return max(map(self.level, self._levels), default=0.0)

    def _count(self, symbol: str, cost: float) -> None:
        self._levels[symbol] = self.level(symbol) + cost, self._clock.monotonic_ns()
