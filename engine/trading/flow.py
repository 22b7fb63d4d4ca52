"""What entries were worth that went out within a minute: one figure for the whole desk (OC-57)."""

from __future__ import annotations

from collections import deque
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
        self._sent = deque((each.created_ns, each.value_usd) for each in sent)

    def sent(self, intent: ExecutionIntent) -> None:
        """Count an order that is handed on; one that only reduces is none of ours."""
        if intent.reduce_only:
            return
        now_ns = self._now_ns()
        while self._sent and self._sent[0][0] <= now_ns - MINUTE_NS:
            self._sent.popleft()
        prices = [price for price in (intent.limit_price, intent.mark_price) if price is not None]
        worst_usd = max((intent.quantity * price for price in prices), default=Decimal(0))
        self._sent.append((now_ns, max(worst_usd, intent.notional_usd)))

    def usd(self) -> Decimal:
        """Return what is inside the minute; a later time than now is inside."""
        since_ns = self._now_ns() - MINUTE_NS
        return sum((usd for at_ns, usd in self._sent if at_ns > since_ns), Decimal(0))
