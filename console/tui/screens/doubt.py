"""An order in doubt: what the venue was last asked about it, when, and what it said."""

from __future__ import annotations

from console.tui import text
from engine.api.views import OrderRow, OrdersView


def order_of(view: OrdersView | None, ticket_id: str) -> OrderRow | None:
    """Return the order that a ticket became; None where none is known."""
    return next((row for row in view.rows if row.ticket_id == ticket_id), None) if view else None


def asked_words(order: OrderRow | None, now_ns: int) -> str:
    """Say what was asked of the venue about a ticket's order, when, and what came back."""
    if order is None:
        return "no order of this ticket is known here"
    asked = f"about {order.order_id} at " if order.asked_ns else ""
    return f"asked {order.venue} {asked}{heard_words(order, now_ns)}"


def heard_words(order: OrderRow, now_ns: int) -> str:
    """Say when the venue was asked about an order, and what it said."""
    if not order.asked_ns:
        return "nothing yet"
    ago = text.age((now_ns - order.asked_ns) / 1e6)
    return f"{text.hms(order.asked_ns)}Z ({ago} ago): {order.heard or 'waiting for its answer'}"
