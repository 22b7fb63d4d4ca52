"""The venue's request budget: 1200 of weight a minute for one internet address (venues.md 3.11).

It is counted here before the venue counts it: questions wait when it runs low, orders and cancels do not.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from seams.clock import NS_PER_S, Clock
from venues.asked_by import errand
from venues.contract import Busy

WEIGHT_A_MINUTE = 1_200
RESERVE = 100
"""What questions leave unused, for orders and cancels."""
HEAVY_RESERVE = 250
"""What the heavy ones leave unused: without the light ones (the venue's clock, one order's state) the engine
counts as cut off from its venue, and is stopped."""
PERSON_RESERVE = 160
"""What the heavy ones of a person leave unused: of what passes leave they take one whole round of a
reconciliation, and the light ones keep half a minute's worth."""
LIGHT_WEIGHT = 2
PAUSE_NS = 10 * NS_PER_S
"""How long the heavy questions rest once the venue has said 429: others at this internet address spend of the
same budget, and only the venue sees them. The light ones go on, as at the end of our own count."""
OPENS_A_ROUND = {"userFillsByTime": 44, "extraAgents": 140}
"""What the first question of a round leaves for the ones after it: open orders, balances and funding of a
reconciliation; role and limits of the keys. A round that is given up in its midst has spent its weight for
nothing, and so does the next."""
MINUTE_NS = 60 * NS_PER_S
LIGHT = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
HEAVY = {"userRole": 60}
BARS_A_WEIGHT = 60
ROWS_A_WEIGHT = {
    "candleSnapshot": BARS_A_WEIGHT,
    **dict.fromkeys(
        (
            "userFills",
            "userFillsByTime",
            "historicalOrders",
            "userFunding",
            "fundingHistory",
            "userNonFundingLedgerUpdates",
            "recentTrades",
        ),
        20,
    ),
}
"""How many rows of an answer cost 1 beside their question."""
PER_ITEMS = 40
"""An action costs 1, and 1 more for so many orders or cancels."""


def weight_of(kind: str) -> int:
    """Return what a question costs, without its parts per item."""
    return LIGHT_WEIGHT if kind in LIGHT else HEAVY.get(kind, 20)


def weight_of_answer(kind: str, said: object) -> int:
    """Return what the rows of an answer cost beside the question."""
    rows = len(said) if isinstance(said, list) else 0
    return rows // ROWS_A_WEIGHT[kind] if kind in ROWS_A_WEIGHT else 0


class _Spent(NamedTuple):
    """Weight that counts for a minute."""

    at_ns: int
    weight: int
    is_a_persons: bool


class Budget:
    """What this process has used in the last minute."""

    def __init__(self, clock: Clock, per_minute: int = WEIGHT_A_MINUTE) -> None:
        assert per_minute > HEAVY_RESERVE
        self._clock, self.per_minute = clock, per_minute
        self._spent: deque[_Spent] = deque()
        self._used, self._full_to_ns = 0, 0

    @property
    def used(self) -> int:
        """How much of `per_minute` is used now; after the venue's own no at least what heavy ones may use."""
        now_ns = self._clock.monotonic_ns()
        before_ns = now_ns - MINUTE_NS
        while self._spent and self._spent[0].at_ns <= before_ns:
            self._used -= self._spent.popleft().weight
        return max(self._used, self.per_minute - PERSON_RESERVE) if now_ns < self._full_to_ns else self._used

    def ask(self, kind: str) -> None:
        """Count a question. Raises `Busy` where it must wait."""
        weight, asking = weight_of(kind), errand()
        heavy = HEAVY_RESERVE if asking is None else PERSON_RESERVE
        reserve = RESERVE if weight <= LIGHT_WEIGHT else heavy + OPENS_A_ROUND.get(kind, 0)
        if (used := self.used) + weight > self.per_minute - reserve:
            why = "" if used == self._used else ", by others too: the venue said 429"
            said = f"the venue's request budget is kept: {used} of {self.per_minute} used{why}"
            again = 0 if asking is None else asking.spent  # it comes back with all its questions
            raise Busy(said, self._room_in_s(self._used + again + weight - (self.per_minute - reserve)))
        self._count(weight)

    def answered(self, weight: int) -> None:
        """Count what a long answer cost beside its question."""
        self._count(weight)

    @property
    def rest_s(self) -> int:
        """For how long the heavy questions still rest after the venue's own no."""
        return _seconds(max(0, self._full_to_ns - self._clock.monotonic_ns()))

    def _room_in_s(self, missing: int) -> int:
        """Return when so much will be free: of what persons spent. What passes spend they spend again."""
        now_ns, left = self._clock.monotonic_ns(), missing
        if missing <= 0:
            return self.rest_s
        for each in self._spent:
            left -= each.weight if each.is_a_persons else 0
            if left <= 0:
                return max(self.rest_s, _seconds(each.at_ns + MINUTE_NS - now_ns))
        return MINUTE_NS // NS_PER_S

    def overrun(self) -> None:
        """Take the venue's word that the budget is used up, whatever we have counted."""
        self._full_to_ns = self._clock.monotonic_ns() + PAUSE_NS

    def act(self, items: int) -> None:
        """Count an action; it is never kept back."""
        self._count(1 + items // PER_ITEMS)

    def _count(self, weight: int) -> None:
        asking = errand()
        if asking is not None:
            asking.spent += weight
        self._spent.append(_Spent(self._clock.monotonic_ns(), weight, asking is not None))
        self._used += weight


def _seconds(duration_ns: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-duration_ns // NS_PER_S)
