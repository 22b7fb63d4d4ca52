"""What the rules must know of Hyperliquid's markets beyond their price: candles of the past, margin tiers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.public import ASKED_MS, PAGE_BARS, asked_candles
from venues.types import Bar


class HyperliquidFacts:
    """A `FactVenue` over the adapter: its questions count against the same request budget."""

    page_bars = PAGE_BARS
    intervals = tuple(ASKED_MS)

    def __init__(self, venue: HyperliquidAdapter) -> None:
        self._venue = venue

    @property
    def name(self) -> str:
        return self._venue.name

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """See `CandleVenue.candles`."""
        client = self._venue.client
        return await asked_candles(client.ask, symbol, interval, (start_ns, end_ns))

    def maintenance_rate(self, symbol: str, notional_usd: Decimal) -> Decimal | None:
        """See `FactVenue.maintenance_rate`: from the margin tables of `meta`."""
        market = self._venue.market_of(symbol)
        return None if market is None else market.maintenance_rate(notional_usd)
