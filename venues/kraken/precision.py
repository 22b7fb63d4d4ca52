"""What a Kraken pair takes: lot, tick and minimums, checked here before anything is sent.

Rounding never increases risk: volume goes down, a buy's price goes down, a sale's price goes up.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from venues.types import Instrument, Record, Side

NAME = "kraken"
FEE_BPS_PER_PERCENT = 100
GONE = "delisted"


class Rules(Record):
    """One pair as the venue describes it; `symbol` is ours, `wsname` the WebSocket v2's."""

    symbol: str
    pair_id: str
    altname: str
    wsname: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    price_decimals: int
    lot_decimals: int
    ordermin: Decimal
    costmin: Decimal
    maker_percent: Decimal
    taker_percent: Decimal
    status: str

    def instrument(self) -> Instrument:
        """Return the pair in our vocabulary."""
        return Instrument(
            symbol=self.symbol,
            venue=NAME,
            tick=self.tick,
            lot=self.lot,
            min_notional_usd=self.costmin,
            maker_fee_bps=self.maker_percent * FEE_BPS_PER_PERCENT,
            taker_fee_bps=self.taker_percent * FEE_BPS_PER_PERCENT,
        )

    def gone(self) -> Rules:
        """Return the pair as one that the venue lists no more."""
        kept = {name: getattr(self, name) for name in Rules.__annotations__}
        return Rules(**{**kept, "status": GONE})

    def volume(self, quantity: Decimal) -> Decimal:
        """Return the most of a quantity that the lot allows."""
        return (quantity / self.lot).to_integral_value(ROUND_FLOOR) * self.lot

    def price(self, limit: Decimal, side: Side) -> Decimal:
        """Return the nearest price on the grid that is no worse for us."""
        mode = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return (limit / self.tick).to_integral_value(mode) * self.tick

    def problem(self, volume: Decimal, price: Decimal) -> tuple[str, str] | None:
        """Return why the venue would not take this (code and words), or None; a price of 0 is none."""
        if self.status not in ("online", "limit_only", "post_only"):
            return "market_closed", f"{self.symbol} is {self.status}"
        if volume < self.ordermin:
            return "min_quantity", f"{volume:f} is below {self.ordermin:f} {self.symbol}"
        if price > 0 and volume * price < self.costmin:
            return "min_notional", f"{volume * price:f} is below {self.costmin:f}"
        return None
