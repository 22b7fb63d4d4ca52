"""The loopback Kraken's budgets: a REST counter per key, and an engine counter per account and pair.

Both grow with each request and decay with time (venues.md 5.7). The thresholds are those of the venue's
tiers; where its texts disagree, the stricter one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from seams.clock import NS_PER_S
from venues.sandbox.kraken.books import KrakenError
from venues.types import Record


class Tier(Record):
    """What one verification tier allows."""

    rest_max: float
    rest_decay_per_s: float
    engine_max: float
    engine_decay_per_s: float
    open_orders_per_pair: int


TIERS = {
    "starter": Tier(
        rest_max=15, rest_decay_per_s=0.33, engine_max=60, engine_decay_per_s=1.0, open_orders_per_pair=60
    ),
    "intermediate": Tier(
        rest_max=20, rest_decay_per_s=0.5, engine_max=125, engine_decay_per_s=2.34, open_orders_per_pair=80
    ),
    "pro": Tier(
        rest_max=20, rest_decay_per_s=1.0, engine_max=180, engine_decay_per_s=3.75, open_orders_per_pair=225
    ),
    "unlimited": Tier(
        rest_max=1e9, rest_decay_per_s=1.0, engine_max=1e9, engine_decay_per_s=1.0, open_orders_per_pair=225
    ),
}
"""The last is nobody's: for desks that are started anew every few seconds, and ask for everything then."""
REST_COST = {
    "Ledgers": 4,
    "QueryLedgers": 4,
    "TradesHistory": 4,
    "ClosedOrders": 4,
    "QueryTrades": 4,
    "AddOrder": 0,
    "AmendOrder": 0,
    "EditOrder": 0,
    "CancelOrder": 0,
    "CancelAll": 0,
    "CancelAllOrdersAfter": 0,
}
"""What a call costs; 1 where it is not named."""
AMEND_BY_AGE = ((5, 3), (10, 2), (15, 1))
EDIT_BY_AGE = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
CANCEL_BY_AGE = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
"""Younger than so many seconds: so many points more."""


def points_by_age(table: tuple[tuple[int, int], ...], age_ns: int) -> int:
    """Return what acting on an order of this age costs."""
    return next((points for below_s, points in table if age_ns < below_s * NS_PER_S), 0)


@dataclass(slots=True)
class Counter:
    """One decaying count."""

    level: float = 0.0
    at_ns: int = 0

    def now(self, now_ns: int, decay_per_s: float) -> float:
        """Let it decay until now and return it."""
        if self.at_ns:
            self.level = max(0.0, self.level - decay_per_s * (now_ns - self.at_ns) / NS_PER_S)
        self.at_ns = max(self.at_ns, now_ns)
        return self.level


@dataclass(slots=True)
class Budgets:
    """All counters of one exchange."""

    tier: Tier
    _rest: dict[str, Counter] = field(default_factory=dict)
    _engine: dict[tuple[str, str], Counter] = field(default_factory=dict)

    def call(self, key: str, method: str, now_ns: int) -> None:
        """Count one REST call. Raises `KrakenError`; a refused call is not counted."""
        counter = self._rest.setdefault(key, Counter())
        cost = REST_COST.get(method, 1)
        if cost and counter.now(now_ns, self.tier.rest_decay_per_s) + cost > self.tier.rest_max:
            raise KrakenError("EAPI:Rate limit exceeded")
        counter.level += cost

    def act(self, account: str, pair_id: str, points: int, now_ns: int, *, may_refuse: bool = True) -> None:
        """Count points of the matching engine. Raises `KrakenError` above the threshold.

        A cancel is counted and never refused: what it costs delays the next order.
        """
        counter = self._engine.setdefault((account, pair_id), Counter())
        level = counter.now(now_ns, self.tier.engine_decay_per_s)
        counter.level += points
        if may_refuse and level + points > self.tier.engine_max:
            raise KrakenError("EOrder:Rate limit exceeded")

    def exhaust(self, key: str, account: str, pair_ids: Iterable[str], now_ns: int) -> None:
        """Fill the counters, as somebody else with this key would: the next calls are refused."""
        self._rest[key] = Counter(self.tier.rest_max, now_ns)
        for pair_id in pair_ids:
            self._engine[account, pair_id] = Counter(self.tier.engine_max, now_ns)
