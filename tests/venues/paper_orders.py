"""Orders for the simulated exchange, and what it executed."""

from __future__ import annotations

from decimal import Decimal

from seams.clock import NS_PER_S
from venues.types import Fill, OrderEvent, OrderRequest, OrderType, Side, TimeInForce

D = Decimal
T0 = 1_790_000_040 * NS_PER_S


def order(oid: str = "A", **changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": oid,
        "symbol": "BTC-PERP",
        "side": Side.BUY,
        "quantity": D("0.5"),
        "order_type": OrderType.MARKET,
        "limit_price": D(0),
        "time_in_force": TimeInForce.IOC,
        "reduce_only": False,
        "mark_price": D(60_000),
    }
    return OrderRequest(**(fields | changes))  # type: ignore[arg-type]


def limit(oid: str, price: str, **changes: object) -> OrderRequest:
    base = {"order_type": OrderType.LIMIT, "limit_price": D(price), "time_in_force": TimeInForce.GTC}
    return order(oid, **(base | changes))


def fills(events: list[OrderEvent]) -> list[Fill]:
    return [event for event in events if isinstance(event, Fill)]
