"""Hyperliquid's number rules: ticks by significant figures, lots, asset numbers, texts that are signed.

Source: the venue's documentation, "Tick and lot size" and "Asset IDs". A price has at most five
significant figures and at most (6 perp | 8 spot) - szDecimals decimals; a whole number is always valid.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from enum import StrEnum

SIGNIFICANT_FIGURES = 5
SPOT_OFFSET = 10_000
BUILDER_OFFSET, BUILDER_STEP = 100_000, 10_000
OUTCOME_OFFSET = 100_000_000
WIRE_DECIMALS = 8


class MarketKind(StrEnum):
    PERP = "perp"
    SPOT = "spot"


MAX_DECIMALS = {MarketKind.PERP: 6, MarketKind.SPOT: 8}


class Imprecise(ValueError):
    """A number that the venue's grid cannot carry."""


def tick_at(price: Decimal, sz_decimals: int, kind: MarketKind) -> Decimal:
    """Return the price step at this price: it grows with the price, up to 1.

    Raises `Imprecise` for what is no price.
    """
    if not price.is_finite() or price <= 0:
        raise Imprecise(f"{price} is no price")
    by_figures = SIGNIFICANT_FIGURES - 1 - price.adjusted()
    decimals = max(0, min(MAX_DECIMALS[kind] - sz_decimals, by_figures))
    return Decimal(1).scaleb(-decimals)


def is_price(price: Decimal, sz_decimals: int, kind: MarketKind) -> bool:
    """Tell whether a price lies on the venue's grid."""
    return price.is_finite() and price > 0 and price % tick_at(price, sz_decimals, kind) == 0


def is_size(size: Decimal, sz_decimals: int) -> bool:
    """Tell whether a size is a positive multiple of the lot."""
    return size.is_finite() and size > 0 and size % lot_of(sz_decimals) == 0


def lot_of(sz_decimals: int) -> Decimal:
    return Decimal(1).scaleb(-sz_decimals)


def price_down(price: Decimal, sz_decimals: int, kind: MarketKind) -> Decimal | None:
    """Round a price to the grid toward zero; None where nothing is left of it."""
    return _rounded(price, tick_at(price, sz_decimals, kind), ROUND_FLOOR)


def price_within(price: Decimal, sz_decimals: int, kind: MarketKind, *, is_buy: bool) -> Decimal | None:
    """Round a limit price so that it never allows more than was asked: down for a buy, up for a sell."""
    way = ROUND_FLOOR if is_buy else ROUND_CEILING
    return _rounded(price, tick_at(price, sz_decimals, kind), way)


def size_down(size: Decimal, sz_decimals: int) -> Decimal | None:
    """Round a size down to the lot, never up; None where nothing is left of it."""
    if not size.is_finite() or size <= 0:
        raise Imprecise(f"{size} is no size")
    return _rounded(size, lot_of(sz_decimals), ROUND_DOWN)


def _rounded(number: Decimal, step: Decimal, way: str) -> Decimal | None:
    found = (number / step).to_integral_value(way) * step
    return found if found > 0 else None


def wire(number: Decimal) -> str:
    """Write a number as it is signed: plain notation, no trailing zeros. Raises `Imprecise`."""
    if not number.is_finite():
        raise Imprecise(f"{number} is no number")
    plain = number.normalize()
    exponent = plain.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent < -WIRE_DECIMALS:
        raise Imprecise(f"{number} has more than {WIRE_DECIMALS} decimals")
    return "0" if plain == 0 else f"{plain:f}"


def asset_of(kind: MarketKind, index: int) -> int:
    """Return the number of an asset in actions, from its index in `meta` or `spotMeta`."""
    assert index >= 0
    return index if kind is MarketKind.PERP else SPOT_OFFSET + index


def outcome_asset(outcome: int, side: int) -> int:
    """Return the asset number of one side (0 or 1) of an outcome market."""
    assert outcome >= 0 and side in (0, 1)
    return OUTCOME_OFFSET + 10 * outcome + side


def builder_asset(dex: int, index: int) -> int:
    """Return the asset number of a builder's perpetual: its dex counts from 1."""
    assert dex > 0 and 0 <= index < BUILDER_STEP
    return BUILDER_OFFSET + BUILDER_STEP * dex + index
