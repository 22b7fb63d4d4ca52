"""What the rules must know of Kraken's spot markets beyond their price: candles of the past."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from venues.contract import Refused
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.public import ASKED_MIN, CAP_BARS, asked_candles
from venues.types import Bar


class KrakenFacts:
    """A `FactVenue` over the adapter of Kraken spot."""

    page_bars = CAP_BARS
    intervals = tuple(ASKED_MIN)

    def __init__(self, venue: KrakenAdapter) -> None:
        self._venue = venue

    @property
    def name(self) -> str:
        return self._venue.name

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """See `CandleVenue.candles`."""
        rules = self._venue.rules(symbol)
        if rules is None:
            raise Refused("unknown_symbol", symbol)
        return await asked_candles(self._venue.client.public, rules, interval, (start_ns, end_ns))

    def maintenance_rate(self, symbol: str, notional_usd: Decimal) -> Decimal | None:
        """Return None: spot is paid in full, and `Capabilities.pays_in_full` says so."""
        return None
