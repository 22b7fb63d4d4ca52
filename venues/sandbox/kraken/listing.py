"""What the loopback Kraken lists: assets, pairs with their precision, and the fee schedule."""

from __future__ import annotations

from decimal import Decimal

from venues.sandbox.scenarios import SymbolSpec
from venues.types import Record


class Asset(Record):
    """One asset: its id on the wire, and what people call it."""

    id: str
    altname: str
    decimals: int
    display_decimals: int


class Pair(Record):
    """One pair; `symbol` is its WebSocket v2 name, `ordermin` is in base, `costmin` in quote."""

    id: str
    altname: str
    wsname: str
    symbol: str
    base: str
    quote: str
    price_decimals: int
    lot_decimals: int
    cost_decimals: int
    tick: Decimal
    ordermin: Decimal
    costmin: Decimal
    start_price: float
    spread_ticks: int
    bar_volume: float

    @property
    def lot(self) -> Decimal:
        return Decimal(1).scaleb(-self.lot_decimals)


ASSETS = {
    asset.id: asset
    for asset in (
        Asset(id="ZUSD", altname="USD", decimals=4, display_decimals=2),
        Asset(id="XXBT", altname="XBT", decimals=10, display_decimals=5),
        Asset(id="XETH", altname="ETH", decimals=10, display_decimals=5),
        Asset(id="SOL", altname="SOL", decimals=10, display_decimals=5),
        Asset(id="XXRP", altname="XRP", decimals=8, display_decimals=5),
    )
}


def _pair(
    pair_id: str,
    altname: str,
    wsname: str,
    symbol: str,
    base: str,
    decimals: int,
    ordermin: str,
    start: float,
    spread_ticks: int,
    bar_volume: float,
) -> Pair:
    return Pair(
        id=pair_id,
        altname=altname,
        wsname=wsname,
        symbol=symbol,
        base=base,
        quote="ZUSD",
        price_decimals=decimals,
        lot_decimals=8,
        cost_decimals=5,
        tick=Decimal(1).scaleb(-decimals),
        ordermin=Decimal(ordermin),
        costmin=Decimal("0.5"),
        start_price=start,
        spread_ticks=spread_ticks,
        bar_volume=bar_volume,
    )


PAIRS = {
    pair.id: pair
    for pair in (
        _pair("XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD", "XXBT", 1, "0.00005", 64_250.0, 1, 18.0),
        _pair("XETHZUSD", "ETHUSD", "ETH/USD", "ETH/USD", "XETH", 2, "0.001", 3_140.0, 2, 260.0),
        _pair("SOLUSD", "SOLUSD", "SOL/USD", "SOL/USD", "SOL", 2, "0.02", 146.0, 1, 4_200.0),
        _pair("XXRPZUSD", "XRPUSD", "XRP/USD", "XRP/USD", "XXRP", 5, "2", 0.52, 3, 410_000.0),
    )
}
BY_NAME = {
    name: pair for pair in PAIRS.values() for name in (pair.id, pair.altname, pair.wsname, pair.symbol)
}
"""Every name under which REST takes a pair (WebSocket v2 takes `symbol` alone)."""
BY_SYMBOL = {pair.symbol: pair for pair in PAIRS.values()}

TAKER_PERCENT = ((0, "0.40"), (10_000, "0.35"), (50_000, "0.24"), (100_000, "0.22"), (250_000, "0.20"))
MAKER_PERCENT = ((0, "0.25"), (10_000, "0.20"), (50_000, "0.14"), (100_000, "0.12"), (250_000, "0.10"))
"""Thirty-day volume in USD, fee in percent."""


def fee_percent(schedule: tuple[tuple[int, str], ...], volume_usd: Decimal) -> Decimal:
    """Return the fee of the tier that a thirty-day volume has reached."""
    return Decimal([percent for least, percent in schedule if volume_usd >= least][-1])


def spec_of(pair: Pair) -> SymbolSpec:
    """State a pair as the sandbox's market knows symbols."""
    return SymbolSpec(
        symbol=pair.symbol,
        start_price=pair.start_price,
        tick=pair.tick,
        decimals=pair.price_decimals,
        lot=pair.lot,
        spread_ticks=pair.spread_ticks,
        bar_volume=pair.bar_volume,
    )
