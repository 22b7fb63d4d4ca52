"""An order as it may leave: on the venue's grid, above its minimum, inside its band, never for more risk."""

from __future__ import annotations

from decimal import Decimal

from venues.contract import Refused
from venues.hyperliquid.actions import order_wire
from venues.hyperliquid.capabilities import BAND, MIN_NOTIONAL_USD
from venues.hyperliquid.precision import MarketKind, is_size, price_within
from venues.hyperliquid.signing import Action
from venues.hyperliquid.translate import Market
from venues.types import OrderRequest, OrderType, Side, TimeInForce

MARKET_SLIPPAGE = Decimal("0.05")
"""How far a market order without a bound of its own may go from the mark: the venue has no other kind."""


def draft(request: OrderRequest, market: Market, mark: Decimal | None, cloid: str) -> Action:
    """Return the order as it is signed. Raises `Refused` for one that must not leave.

    A limit price is rounded down for a buy and up for a sell; a quantity off the lot is refused, because
    what was decided and recorded would no longer be what is sent.
    """
    if market.is_delisted:
        raise Refused("delisted", request.symbol)
    if not is_size(request.quantity, market.sz_decimals):
        raise Refused("bad_quantity", f"{request.quantity} is not a positive multiple of the lot")
    is_buy, asked = request.side is Side.BUY, limit_of(request)
    price = None
    if asked.is_finite() and asked > 0:
        price = price_within(asked, market.sz_decimals, MarketKind.PERP, is_buy=is_buy)
    if price is None:
        raise Refused("bad_price", f"{asked} is no price")
    if not request.reduce_only and price * request.quantity < MIN_NOTIONAL_USD:
        raise Refused("min_notional", f"below {MIN_NOTIONAL_USD} USD")
    if mark and not BAND[0] * mark < price <= BAND[1] * mark:
        raise Refused("price_band", f"{price} is too far from the mark {mark}")
    is_market = request.order_type is OrderType.MARKET
    return order_wire(
        market.asset,
        is_buy=is_buy,
        price=price,
        size=request.quantity,
        tif=TimeInForce.IOC if is_market else request.time_in_force,
        reduce_only=request.reduce_only,
        cloid=cloid,
    )


def limit_of(request: OrderRequest) -> Decimal:
    """Return an order's limit; a market order without a bound may go `MARKET_SLIPPAGE` from its mark."""
    if request.order_type is OrderType.LIMIT or request.limit_price > 0:
        return request.limit_price
    return request.mark_price * (1 + request.side.sign * MARKET_SLIPPAGE)
