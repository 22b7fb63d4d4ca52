"""What entries were worth that went out within a minute: one figure for the whole desk (OC-57)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from decimal import Decimal

from engine.store.rows import SentValue
from engine.trading.traffic import MINUTE_NS
from safety.intent import ExecutionIntent


class EntryFlow:
    """The value in USD of the entries of the last minute, by a clock of its own.

    Every account of the desk shares one. A replay has its own, and so has a sandbox market that is hurried or
    slowed: they live in a time of their own, where a minute is as long as their bars say.
    """

    def __init__(self, now_ns: Callable[[], int], sent: Iterable[SentValue] = ()) -> None:
        self._now_ns = now_ns
        self._times: list[int] = []
        self._totals: list[Decimal] = [Decimal(0)]
        """What went out in all before each time, and after the last: a minute's value is one difference."""
        for each in sent:
            self._add(each.created_ns, each.value_usd)

    def sent(self, intent: ExecutionIntent) -> None:
        """Count an order that is handed on; one that only reduces is none of ours."""
        if intent.reduce_only:
            return
        now_ns = self._now_ns()
        prices = [price for price in (intent.limit_price, intent.mark_price) if price is not None]
        worst_usd = max((intent.quantity * price for price in prices), default=Decimal(0))
        self._add(now_ns, max(worst_usd, intent.notional_usd))
        over = bisect_right(self._times, now_ns - MINUTE_NS)
        del self._times[:over], self._totals[:over]

    def usd(self) -> Decimal:
        """Return what is inside the minute; a later time than now is inside."""
        return self._totals[-1] - self._totals[bisect_right(self._times, self._now_ns() - MINUTE_NS)]

    def _add(self, at_ns: int, value_usd: Decimal) -> None:
        """Count a value at its time; where the clock went back it counts as sent with the one before it."""
        self._times.append(max(at_ns, self._times[-1]) if self._times else at_ns)
        self._totals.append(self._totals[-1] + value_usd)
