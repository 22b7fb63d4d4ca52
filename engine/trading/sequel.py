"""What follows from an order's step besides its row: the alarm, the hold on its symbol, its ticket's part."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_UP, Decimal

from engine.core import Core
from engine.trading.rows import ticket_row
from engine.trading.working import ManagedOrder
from safety.approval import TicketEvent
from safety.interlock import Clearance, HoldLevel
from safety.reasons import Refusal
from venues.types import Fill, OrderStatus

BEYOND = "fill_beyond_limit"
BPS = 10_000
BPS_QUANTUM = Decimal("0.0001")


def sound(core: Core, order: ManagedOrder, alarm: str, said: str) -> None:
    """A step that is an alarm: UNKNOWN and contradictions also hold new risk on the desk."""
    if order.status is OrderStatus.UNKNOWN:
        core.interlock.raise_hold(
            "ambiguity",
            subject=order.request.symbol,
            since_ns=core.clock.now_ns(),
            source=order.venue,
            evidence=f"order {order.order_id}: {said}",
            level=HoldLevel.CLOSE_ONLY,
        )
    core.alarm(alarm, order.order_id, order.venue, said)


def mind_bound(core: Core, order: ManagedOrder, fill: Fill) -> None:
    """Ring where a fill that is booked was worse than the order's own bound; a bound of 0 is none.

    The alarm is the order's: however many of its fills are beyond, it rings once. An order placed by hand
    is left out: what its price was when it was filled is known to nobody here, for it may have been changed.
    """
    bound, sign = order.request.limit_price, order.request.side.sign
    beyond = (fill.price - bound) * sign
    if order.is_manual or bound <= 0 or beyond <= 0:
        return
    bps = (beyond / bound * BPS).quantize(BPS_QUANTUM, ROUND_UP).normalize()
    prices = f"@ {fill.price.normalize():f}, bound {bound.normalize():f}"
    said = f"{order.order_id} {fill.side} {fill.symbol} {prices}: {bps:f} bps beyond"
    core.alarm(BEYOND, order.order_id, order.venue, said)


def end_ambiguity(core: Core, order: ManagedOrder, proof: str, unknown: Iterable[ManagedOrder]) -> None:
    """What became of this order is proved; its symbol is free once no other order there is `unknown`."""
    core.calm("order_unknown", order.order_id)
    symbol = order.request.symbol
    if core.interlock.has("ambiguity", symbol) and not any(each.request.symbol == symbol for each in unknown):
        evidence = f"venue proof for {order.order_id}: {proof}"
        core.interlock.clear_hold("ambiguity", Clearance(evidence=evidence), symbol)


def step_ticket(core: Core, order: ManagedOrder, event: TicketEvent, reason: str = "") -> None:
    """Let the ticket follow; a step its table does not know (a late echo) changes nothing."""
    if not order.ticket_id:
        return  # placed by hand at the venue, and adopted: no ticket covers it
    try:
        after_it = core.tickets.advance(order.ticket_id, event, reason=reason)
    except Refusal as refusal:
        core.events.add("ticket_echo", "eng", str(refusal))
        return
    core.store.tickets.save_ticket(ticket_row(after_it))
