"""Cash that a venue moves by itself, such as funding: named events on record, part of what we expect.

Only what the venue lists by name is taken, each event once; a difference that no event explains stays one.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.core import Core
from venues.contract import CashTeller, VenueAdapter
from venues.types import CashEvent

QUICK_ASKS = 8
"""So many times a difference is asked about with every pass: more than a verdict waits for."""
PATIENCE_NS = 15_000_000_000
OVERLAP_NS = 3_600_000_000_000
"""How far before the newest known event the venue is asked: its lists may be filled late."""


class VenueCash:
    """The events of one account; `key` is the account's name on record."""

    def __init__(self, core: Core, venue: VenueAdapter, key: str) -> None:
        self._core, self._venue, self._key = core, venue, key
        self._opened_ns = 0
        self._unexplained, self._asks, self._asked_ns = Decimal(0), 0, 0

    @property
    def total_usd(self) -> Decimal:
        """What came in (above 0) or went out, in all, since the account was opened here."""
        return sum((each.amount_usd for each in self._known().values()), Decimal(0))

    def open(self, at_ns: int) -> None:
        """The account's opening balance holds everything up to this time of the venue's."""
        self._core.store.facts.set(f"opened_ns:{self._key}", str(at_ns), self._core.clock.now_ns())
        self._opened_ns = at_ns

    @property
    def opened_ns(self) -> int:
        """When the account was first seen, by the venue's time; 0 before."""
        if not self._opened_ns:
            self._opened_ns = int(self._core.store.facts.get(f"opened_ns:{self._key}") or 0)
        return self._opened_ns

    async def explain(self, difference_usd: Decimal) -> bool:
        """Ask for what may explain a difference; return whether anything new was told. Raises `VenueError`.

        The same difference is asked about often at first, for the venue's lists may be late, and then now
        and then: one that waits for a person must not use up the request budget.
        """
        now_ns = self._core.clock.monotonic_ns()
        if difference_usd != self._unexplained:
            self._unexplained, self._asks = difference_usd, 0
        if self._asks >= QUICK_ASKS and now_ns - self._asked_ns < PATIENCE_NS:
            return False
        is_told = await self.catch_up()
        self._asks, self._asked_ns = self._asks + 1, now_ns
        return is_told

    async def catch_up(self) -> bool:
        """Ask for events and record the new ones; return whether there were any. Raises `VenueError`."""
        opened_ns = self.opened_ns
        if not opened_ns or not isinstance(self._venue, CashTeller):
            return False
        known = self._known()
        newest_ns = max((each.at_ns for each in known.values()), default=opened_ns)
        told = await self._venue.cash_events_since(max(opened_ns, newest_ns - OVERLAP_NS))
        fresh = [each for each in told if each.at_ns > opened_ns and each.event_id not in known]
        with self._core.store.transaction():
            for each in fresh:
                text = msgspec.json.encode(each).decode()
                self._core.store.facts.set(self._name(each.event_id), text, self._core.clock.now_ns())
        for each in fresh:
            said = f"{each.kind} {each.symbol} {each.amount_usd:f} USD"
            self._core.note("venue_cash", self._venue.name, said, event_id=each.event_id)
        return bool(fresh)

    def _known(self) -> dict[str, CashEvent]:
        kept = self._core.store.facts.under(self._name(""))
        read = (msgspec.json.decode(text, type=CashEvent) for text in kept.values())
        return {each.event_id: each for each in read}

    def _name(self, event_id: str) -> str:
        return f"venue_cash:{self._key}:{event_id}"
