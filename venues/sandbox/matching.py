"""Prices of simulated executions: pure arithmetic, stated once."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from native.matching import fill_price
from venues.types import Bar, BarOpen, OrderRequest, Quote, Record, Side

FEE_QUANTUM_USD = Decimal("1e-8")


class FillAt(StrEnum):
    """Which price event fills a market order."""

    NEXT_OPEN = "next_open"
    NEXT_QUOTE = "next_quote"


class PriceGrid(StrEnum):
    """Whether a fill at the next open is rounded: EXACT keeps the kernel's float, TICK rounds against us."""

    EXACT = "exact"
    TICK = "tick"


class Matching(Record):
    """How market orders are priced; slippage is adverse only, in basis points: fixed, or the mean of what
    the venue's odds draw."""

    fill_at: FillAt
    slippage_bps: float
    price_grid: PriceGrid = PriceGrid.EXACT

    def market_price(
        self, side: Side, event: Bar | BarOpen | Quote, tick: Decimal, slippage_bps: float
    ) -> Decimal | None:
        """Return the execution price at this event, or None where this event fills no market order."""
        if self.fill_at is FillAt.NEXT_OPEN:
            if not isinstance(event, BarOpen):
                return None
            price = Decimal(repr(slipped(event.price, side, slippage_bps)))
            return price if self.price_grid is PriceGrid.EXACT else against_us(price, side, tick)
        if not isinstance(event, Quote):
            return None
        touch = event.ask if side is Side.BUY else event.bid
        return against_us(Decimal(repr(slipped(touch, side, slippage_bps))), side, tick)

    @staticmethod
    def fee(quantity: Decimal, price: Decimal, fee_bps: Decimal) -> Decimal:
        """Return the fee in USD, to eight decimals."""
        return (quantity * price * fee_bps / 10_000).quantize(FEE_QUANTUM_USD, ROUND_HALF_EVEN)


def slipped(price: float, side: Side, slippage_bps: float) -> float:
    """Move a price against us: `price * (1 + side * slippage)`, by the back-test kernel's own code."""
    return fill_price(price, side.sign, slippage_bps)


def against_us(price: Decimal, side: Side, tick: Decimal) -> Decimal:
    """Round to the tick: up for a buy, down for a sell."""
    steps = (price / tick).to_integral_value(ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)
    return steps * tick


def bounded(request: OrderRequest, price: Decimal) -> bool:
    """Tell whether a market order's price respects its bound; a bound of 0 is none."""
    if request.limit_price <= 0:
        return True
    return price <= request.limit_price if request.side is Side.BUY else price >= request.limit_price


def is_through(request: OrderRequest, event: Bar | BarOpen | Quote, placed_ns: int) -> bool:
    """Tell whether the market traded through a limit price: strictly beyond, a touch is not enough.

    A quote whose far side is at the limit or better crosses the order and is through as well. A bar's
    extreme counts only where the order was there from its open on (`placed_ns`, market time).
    """
    limit, is_buy = float(request.limit_price), request.side is Side.BUY
    if isinstance(event, Quote):
        return event.ask <= limit if is_buy else event.bid >= limit
    if isinstance(event, BarOpen):
        return event.price < limit if is_buy else event.price > limit
    return placed_ns <= event.open_ns and (event.low < limit if is_buy else event.high > limit)
