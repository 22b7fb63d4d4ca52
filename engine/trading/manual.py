"""A foreign order that an operator adopts becomes an order of ours: a `manual_` intent, without a ticket.

What it did is booked from the venue's own executions, what it will do comes by the ordinary way; a kill
cancels it like any other. Its bytes are not ours, so nothing of it can be sent again or fenced.
"""

from __future__ import annotations

from decimal import Decimal

from engine.core import Core
from engine.store.rows import IntentRecord
from engine.trading.differences import ForeignOrder
from engine.trading.orders import OrderManager
from engine.trading.rows import order_row
from engine.trading.working import MANUAL, ManagedOrder
from safety.canonical import sha256_hex
from safety.reasons import Refusal
from venues.contract import Signed
from venues.types import OrderRequest, OrderType, TimeInForce

PREFIX = "manual_"
NOT_OURS = 0
"""The nonce of bytes that we did not sign."""


def adopt_order(
    core: Core, orders: OrderManager, foreign: ForeignOrder, session_id: str, mark_price: Decimal
) -> ManagedOrder:
    """Record a foreign order as ours, with every execution that the venue has shown of it.

    `mark_price` (USD) values what has not executed. Raises `Refusal` where the venue has not shown what it
    is yet, and `StoreError` where it cannot be recorded: then nothing was booked.
    """
    side = foreign.side
    if side is None or not foreign.quantity:
        raise Refusal("difference_settling", f"{foreign.order_id}: the venue does not show it yet")
    price = foreign.fills[-1].price if foreign.fills else mark_price
    request = OrderRequest(
        client_order_id=foreign.order_id,
        symbol=foreign.symbol,
        side=side,
        quantity=foreign.quantity,
        order_type=OrderType.LIMIT if not foreign.is_over else OrderType.MARKET,
        limit_price=Decimal(0) if foreign.is_over else foreign.limit_price,
        time_in_force=TimeInForce.GTC if not foreign.is_over else TimeInForce.IOC,
        reduce_only=False,
        mark_price=price,
    )
    order = ManagedOrder(
        request=request,
        ticket_id="",
        venue=orders.venue.name,
        account=orders.account,
        strategy=MANUAL,
        session_id=session_id,
        lane=0,
        intent_id=f"{PREFIX}{core.ids.new('M')}",
        created_ns=core.clock.now_ns(),
        epoch=core.epoch,
        signed=Signed(client_order_id=foreign.order_id, nonce=NOT_OURS, valid_until_ns=0, wire=b""),
    )
    core.store.orders.record_intent_and_order(_intent(core, order), order_row(order))
    orders.keep(order)
    for fill in foreign.fills:
        orders.fill(order, fill)
    if foreign.order is not None:
        orders.seen(order, foreign.order)
    return order


def _intent(core: Core, order: ManagedOrder) -> IntentRecord:
    request = order.request
    return IntentRecord(
        intent_id=order.intent_id,
        session_id=order.session_id,
        strategy=MANUAL,
        decision_id=order.intent_id,
        category="manual",
        venue=order.venue,
        account=order.account,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        notional_usd=(request.quantity * request.mark_price).quantize(Decimal("0.01")),
        order_type=request.order_type,
        limit_price=None,
        stop_loss=None,
        time_in_force=request.time_in_force,
        reduce_only=False,
        mark_price=request.mark_price,
        intent_hash=sha256_hex(order.order_id.encode()),
        config_fingerprint=core.config_fingerprint,
        run_fingerprint=core.config_fingerprint,
        created_ns=order.created_ns,
    )
