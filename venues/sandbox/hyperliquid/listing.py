"""What the loopback Hyperliquid lists: perpetuals, spot pairs, tokens; with the odd ones of the real list.

A delisted perpetual, one that is isolated only, a sparse token index and a market without a mid stand in
it on purpose: whoever reads the lists must survive them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from venues.hyperliquid.precision import MarketKind, asset_of
from venues.sandbox.scenarios import SymbolSpec
from venues.types import Record


class Listing(Record):
    """One market. `start_price` 0: it is listed, and nobody quotes it."""

    coin: str
    kind: MarketKind
    index: int
    sz_decimals: int
    start_price: float
    price_decimals: int
    max_leverage: int = 1
    only_isolated: bool = False
    is_delisted: bool = False
    base: int = 0
    quote: int = 0
    base_name: str = ""
    volume: float = 0.0

    @property
    def asset(self) -> int:
        return asset_of(self.kind, self.index)

    @property
    def is_perp(self) -> bool:
        return self.kind is MarketKind.PERP


def _perp(
    index: int, coin: str, sz_decimals: int, leverage: int, price: float, decimals: int, volume: float
) -> Listing:
    return Listing(
        coin=coin,
        kind=MarketKind.PERP,
        index=index,
        sz_decimals=sz_decimals,
        start_price=price,
        price_decimals=decimals,
        max_leverage=leverage,
        volume=volume,
    )


LISTINGS: tuple[Listing, ...] = (
    _perp(0, "BTC", 5, 40, 64_250.0, 0, 18.0),
    _perp(1, "ETH", 4, 25, 3_140.0, 1, 260.0),
    _perp(2, "SOL", 2, 20, 146.0, 2, 4_200.0),
    _perp(3, "XRP", 0, 20, 0.52, 4, 410_000.0),
    Listing(
        coin="OLD",
        kind=MarketKind.PERP,
        index=4,
        sz_decimals=1,
        start_price=0.0,
        price_decimals=3,
        max_leverage=3,
        is_delisted=True,
    ),
    Listing(
        coin="ISO",
        kind=MarketKind.PERP,
        index=5,
        sz_decimals=0,
        start_price=1.25,
        price_decimals=4,
        max_leverage=3,
        only_isolated=True,
        volume=90_000.0,
    ),
    Listing(
        coin="PURR/USDC",
        kind=MarketKind.SPOT,
        index=0,
        sz_decimals=0,
        start_price=0.2,
        price_decimals=5,
        base=1,
        base_name="PURR",
        volume=50_000.0,
    ),
    Listing(
        coin="@107",
        kind=MarketKind.SPOT,
        index=107,
        sz_decimals=2,
        start_price=34.9,
        price_decimals=3,
        base=150,
        base_name="HYPE",
        volume=3_000.0,
    ),
    Listing(
        coin="@108",
        kind=MarketKind.SPOT,
        index=108,
        sz_decimals=0,
        start_price=0.0,
        price_decimals=5,
        base=151,
        base_name="QUIET",
    ),
)
BY_COIN = {each.coin: each for each in LISTINGS}
BY_ASSET = {each.asset: each for each in LISTINGS}
USDC = "USDC"
TOKEN_NAMES = {0: USDC} | {each.base: each.base_name for each in LISTINGS if not each.is_perp}
MARGIN_TABLES = {40: 56, 25: 55, 20: 54, 3: 3}
"""Maximum leverage -> the number of its margin table."""


def symbol_specs() -> tuple[SymbolSpec, ...]:
    """Return what the seeded market quotes."""
    return tuple(
        SymbolSpec(
            symbol=each.coin,
            start_price=each.start_price,
            tick=Decimal(1).scaleb(-each.price_decimals),
            decimals=each.price_decimals,
            lot=Decimal(1).scaleb(-each.sz_decimals),
            spread_ticks=2,
            bar_volume=each.volume,
        )
        for each in LISTINGS
        if each.start_price > 0
    )


def perps() -> list[Listing]:
    return [each for each in LISTINGS if each.is_perp]


def spots() -> list[Listing]:
    return [each for each in LISTINGS if not each.is_perp]


def meta() -> dict[str, Any]:
    """Return the answer to `meta`."""
    universe = []
    for each in perps():
        entry: dict[str, Any] = {
            "szDecimals": each.sz_decimals,
            "name": each.coin,
            "maxLeverage": each.max_leverage,
            "marginTableId": MARGIN_TABLES[each.max_leverage],
        }
        if each.only_isolated:
            entry |= {"onlyIsolated": True, "marginMode": "strictIsolated"}
        if each.is_delisted:
            entry["isDelisted"] = True
        universe.append(entry)
    tables = [
        [number, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}]}]
        for leverage, number in sorted(MARGIN_TABLES.items())
    ]
    return {"universe": universe, "marginTables": tables, "collateralToken": 0}


def spot_meta() -> dict[str, Any]:
    """Return the answer to `spotMeta`."""
    tokens = [_token(USDC, 8, 0)]
    tokens += [_token(each.base_name, each.sz_decimals, each.base) for each in spots()]
    pairs = [
        {
            "name": each.coin,
            "tokens": [each.base, each.quote],
            "index": each.index,
            "isCanonical": each.index == 0,
        }
        for each in spots()
    ]
    return {"universe": pairs, "tokens": tokens}


def _token(name: str, sz_decimals: int, index: int) -> dict[str, Any]:
    return {
        "name": name,
        "szDecimals": sz_decimals,
        "weiDecimals": 8,
        "index": index,
        "tokenId": f"0x{index + 1:032x}",
        "isCanonical": index < 2,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }
