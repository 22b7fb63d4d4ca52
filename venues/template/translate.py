"""The template venue's JSON and our vocabulary, one into the other. No I/O.

What the venue says is read here and nowhere else; what cannot be read raises `ValueError`.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from seams.clock import NS_PER_MS
from venues.contract import Refused
from venues.json_fields import Json as Json
from venues.json_fields import amount as amount
from venues.json_fields import number as number
from venues.json_fields import rows as rows
from venues.json_fields import table as table
from venues.json_fields import text as text
from venues.template.capabilities import INSTRUMENTS
from venues.types import (
    Accepted,
    AccountSnapshot,
    Cancelled,
    Fill,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    TimeInForce,
    VenueOrder,
    VenuePosition,
)

FOREIGN = "tpl:"
"""Stands before the venue's own name of an order that is not this desk's."""
MARK_DIGITS = 8
MARKET_SLIPPAGE = Decimal("0.05")
"""How far a market order without a bound may go from its mark."""


class Names:
    """Our order names as the venue's ids, with a mark of the desk in them: a desk that counts from one again
    must not take an older desk's orders for its own."""

    def __init__(self, desk: str) -> None:
        self._tail = "." + hashlib.sha256(f"interlock:{desk}".encode()).hexdigest()[:MARK_DIGITS]

    def of(self, name: str) -> str:
        """Return the id under which the venue knows an order of ours, or a foreign one."""
        return name.removeprefix(FOREIGN) if name.startswith(FOREIGN) else name + self._tail

    def name_of(self, wire: str) -> str:
        """Return the name of the order with this id."""
        return wire.removesuffix(self._tail) if wire.endswith(self._tail) else FOREIGN + wire


def order_fields(request: OrderRequest, names: Names) -> Json:
    """Return an order as it is sent, rounded so that it never asks for more. Raises `Refused`."""
    found = next((each for each in INSTRUMENTS if each.symbol == request.symbol), None)
    if found is None:
        raise Refused("unknown_symbol", request.symbol)
    quantity, limit, is_buy = request.quantity, request.limit_price, request.side is Side.BUY
    if not quantity.is_finite() or quantity <= 0 or quantity % found.lot:
        raise Refused("bad_quantity", f"{quantity} is not a positive multiple of {found.lot}")
    is_market = request.order_type is OrderType.MARKET
    if is_market and limit == 0:
        limit = request.mark_price * (1 + request.side.sign * MARKET_SLIPPAGE)
    if not limit.is_finite() or limit <= 0:
        raise Refused("bad_price", f"{limit} is no price")
    price = (limit / found.tick).to_integral_value(ROUND_FLOOR if is_buy else ROUND_CEILING) * found.tick
    if not request.reduce_only and price * quantity < found.min_notional_usd:
        raise Refused("min_notional", f"below {found.min_notional_usd} USD")
    return {
        "id": names.of(request.client_order_id),
        "symbol": request.symbol,
        "side": str(request.side),
        "quantity": f"{quantity:f}",
        "price": f"{price:f}",
        "lives": "ioc" if is_market else str(TimeInForce(request.time_in_force)),
        "reduce_only": request.reduce_only,
    }


def order_event(said: Json, names: Names) -> OrderEvent:
    """Read one message about an order."""
    name, at_ns = names.name_of(text(said, "id")), number(said, "at_ms") * NS_PER_MS
    match said["what"]:
        case "accepted":
            return Accepted(client_order_id=name, venue_order_id=text(said, "venue_id"), at_ns=at_ns)
        case "ended":
            return Cancelled(
                client_order_id=name, reason=text(said, "why"), at_ns=at_ns, filled=amount(said, "filled")
            )
        case "filled":
            return fill(said, names)
    raise ValueError(f"a message about orders that nobody knows: {str(said)[:60]}")


def fill(said: Json, names: Names) -> Fill:
    """Read one execution, from the stream or from the list."""
    return Fill(
        fill_id=text(said, "trade"),
        client_order_id=names.name_of(text(said, "id")),
        symbol=text(said, "symbol"),
        side=Side(text(said, "side")),
        quantity=amount(said, "quantity"),
        price=amount(said, "price"),
        fee=amount(said, "fee"),
        is_maker=said["maker"] is True,
        at_ns=number(said, "at_ms") * NS_PER_MS,
    )


def venue_order(said: Json, names: Names) -> VenueOrder:
    """Read one order of an answer."""
    status, filled = OrderStatus(text(said, "status")), amount(said, "filled")
    return VenueOrder(
        client_order_id=names.name_of(text(said, "id")),
        venue_order_id=text(said, "venue_id"),
        symbol=text(said, "symbol"),
        side=Side(text(said, "side")),
        quantity=amount(said, "quantity"),
        filled=filled,
        status=OrderStatus.PARTIAL if status is OrderStatus.OPEN and filled else status,
        limit_price=amount(said, "price"),
    )


def account(said: Json) -> AccountSnapshot:
    """Read the account."""
    return AccountSnapshot(
        account_id=text(said, "account"),
        cash_usd=amount(said, "cash"),
        equity_usd=amount(said, "equity"),
        positions=tuple(
            VenuePosition(
                symbol=text(each, "symbol"),
                quantity=amount(each, "quantity"),
                entry_price=amount(each, "entry"),
                mark_price=amount(each, "mark"),
            )
            for each in rows(said["positions"])
        ),
        at_ns=number(said, "at_ms") * NS_PER_MS,
    )


def quote(said: Json) -> Quote:
    """Read a best bid and offer."""
    bid, ask = float(amount(said, "bid")), float(amount(said, "ask"))
    return Quote(symbol=text(said, "symbol"), at_ns=number(said, "at_ms") * NS_PER_MS, bid=bid, ask=ask)
