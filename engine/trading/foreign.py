"""Orders at the venue that are not in our record: what it showed of them, until they are settled."""

from __future__ import annotations

from collections.abc import Callable

from engine.core import Core
from engine.trading.differences import ForeignOrder
from safety.canonical import changed
from venues.contract import VenueAdapter
from venues.types import Fill, OrderEvent, VenueOrder

MAX_FOREIGN = 500


class ForeignBook:
    """What the venue showed of an account that is not ours."""

    def __init__(self, core: Core, venue: VenueAdapter) -> None:
        self._core, self._venue = core, venue
        self.seen: dict[str, ForeignOrder] = {}
        """By order id."""
        self.leaving: dict[str, str] = {}
        """Orders that an operator (the value) had cancelled, until the venue says that they ended."""
        self.settled: set[str] = set()
        """Ids that an operator has settled: seeing them again is no news."""

    def listed(self, order_id: str, order: VenueOrder | None = None) -> ForeignOrder:
        """Return an order that is seen for the first time."""
        return ForeignOrder(order_id=order_id, since_ns=self._core.clock.now_ns(), order=order)

    def after(self, event: OrderEvent) -> ForeignOrder | None:
        """Return what is known of an event's order with it; None for an execution that is settled."""
        seen = self.seen.get(event.client_order_id) or self.listed(event.client_order_id)
        if not isinstance(event, Fill):
            return seen
        return None if event.fill_id in self.settled else seen.with_fill(event)

    def keep(self, seen: ForeignOrder) -> bool:
        """Keep what is known of an order; return whether anything about it is new."""
        name = seen.order_id
        known = self.seen.get(name)
        if seen == known or name in self.settled or (known is None and len(self.seen) >= MAX_FOREIGN):
            return False
        self.seen[name] = seen
        if known is None:
            self._core.note("foreign", self._venue.name, f"{name}: {seen.said()}")
        return True

    async def ask(self, keep: Callable[[ForeignOrder], None]) -> None:
        """Ask what became of each order and hand it to `keep`; one that we had cancelled and that did nothing
        is no difference any more. Raises `VenueError`."""
        for order_id, known in list(self.seen.items()):
            if known.is_told:
                continue
            answer = await self._venue.query(order_id)
            seen = self.seen.get(order_id)
            if answer is None or seen is None:
                continue  # not in its lists yet, or decided about meanwhile
            keep(changed(seen, order=answer))
            if order_id in self.leaving and self.seen[order_id].is_told and not answer.filled:
                self._core.note("foreign_gone", self.leaving.pop(order_id), f"{order_id}: {answer.status}")
                del self.seen[order_id]
                self.settled.add(order_id)
