"""Whether the sandbox takes an order: what a venue refuses before anything rests or trades."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from venues.contract import Refused
from venues.sandbox.account import Account
from venues.types import Instrument, OrderRequest, OrderType, TimeInForce


def judge(
    request: OrderRequest,
    instrument: Instrument | None,
    account: Account,
    marks: Mapping[str, float],
    max_leverage: Decimal,
) -> Refused | None:
    """Return why an order cannot be taken, or None; `marks` are the last prices in USD by symbol."""
    if instrument is None:
        return Refused("unknown_symbol", request.symbol)
    if not request.quantity.is_finite() or request.quantity <= 0 or request.quantity % instrument.lot != 0:
        return Refused("bad_quantity", f"{request.quantity} is not a positive multiple of {instrument.lot}")
    if not request.limit_price.is_finite():
        return Refused("bad_price", f"{request.limit_price} is no price")
    mark = marks.get(request.symbol)
    price = _reference_price(request, mark)
    if request.order_type is OrderType.LIMIT and (price <= 0 or price % instrument.tick != 0):
        return Refused("bad_price", f"{price} is not a positive multiple of {instrument.tick}")
    if request.time_in_force is TimeInForce.POST_ONLY and _would_cross(request, mark):
        return Refused("post_only_would_cross", f"{price} crosses the market")
    if request.reduce_only:
        reducible = account.reducible(request.symbol, request.side)
        return None if reducible > 0 else Refused("reduce_only_nothing", "no position to reduce")
    if price > 0 and request.quantity * price < instrument.min_notional_usd:
        return Refused("min_notional", f"below {instrument.min_notional_usd} USD")
    return _judge_margin(request, price, account, marks, max_leverage)


def _judge_margin(
    request: OrderRequest,
    price: Decimal,
    account: Account,
    marks: Mapping[str, float],
    max_leverage: Decimal,
) -> Refused | None:
    snapshot = account.snapshot("", marks, 0)
    held = {position.symbol: position.quantity for position in snapshot.positions}
    prices = {position.symbol: position.mark_price for position in snapshot.positions}
    prices[request.symbol] = price
    held[request.symbol] = held.get(request.symbol, Decimal(0)) + request.side.sign * request.quantity
    exposure_usd = sum((abs(quantity) * prices[symbol] for symbol, quantity in held.items()), Decimal(0))
    if exposure_usd <= max_leverage * snapshot.equity_usd:
        return None
    said = f"exposure {exposure_usd:.2f} USD above {max_leverage}x equity"
    return Refused("insufficient_margin", said)


def _would_cross(request: OrderRequest, mark: float | None) -> bool:
    return mark is not None and (float(request.limit_price) - mark) * request.side.sign >= 0


def _reference_price(request: OrderRequest, mark: float | None) -> Decimal:
    if request.order_type is OrderType.LIMIT:
        return request.limit_price
    return request.mark_price if mark is None else Decimal(repr(mark))
