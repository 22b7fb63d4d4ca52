"""Who hears what an adapter tells: one listener for orders, one for the link, any number for the market."""

from __future__ import annotations

from collections.abc import Callable

from venues.contract import LinkListener, OrderListener
from venues.types import MarketEvent, OrderEvent

MarketListener = Callable[[MarketEvent], None]


class Listeners:
    """Part of every adapter: its `on_...` methods are the adapter's own. Before anybody listens, nothing
    is kept."""

    def __init__(self) -> None:
        self._on_event: OrderListener | None = None
        self._on_link: LinkListener | None = None
        self._on_market: list[MarketListener] = []

    def on_order_event(self, listener: OrderListener) -> None:
        """See `VenueAdapter.on_order_event`."""
        self._on_event = listener

    def on_link(self, listener: LinkListener) -> None:
        """See `VenueAdapter.on_link`."""
        self._on_link = listener

    def on_market(self, listener: MarketListener) -> None:
        """Tell `listener` every market event, until `off_market`."""
        self._on_market.append(listener)

    def off_market(self, listener: MarketListener) -> None:
        """Tell `listener` no more; harmless where it was not told."""
        if listener in self._on_market:
            self._on_market.remove(listener)

    @property
    def listening(self) -> int:
        """How many listen to the market."""
        return len(self._on_market)

    def tell_event(self, event: OrderEvent) -> None:
        """Tell what happened to an order."""
        if self._on_event is not None:
            self._on_event(event)

    def tell_link(self, is_whole: bool) -> None:
        """Tell whether the event stream is whole."""
        if self._on_link is not None:
            self._on_link(is_whole)

    def tell_market(self, event: MarketEvent) -> None:
        """Tell a market event; a listener may leave while it is told."""
        for listener in tuple(self._on_market):
            listener(event)
