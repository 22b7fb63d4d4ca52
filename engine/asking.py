"""A person asks a venue again about one order: one question, by the order's own id."""

from __future__ import annotations

from engine.api import commands as c
from engine.desk import Desk
from engine.trading.orders import OrderManager
from engine.trading.settle import ask
from engine.trading.working import ManagedOrder
from engine.unanswered import code_of_silence
from safety.reasons import Refusal
from safety.text import clean
from venues.contract import VenueError
from venues.types import Record


async def ask_order(desk: Desk, command: c.Command) -> Record:
    """Ask the venue and take its answer as evidence; nothing is sent again, signed again or burnt.

    Raises `Refusal`: unknown_order; venue_busy or venue_unreachable (no answer: nothing changed).
    """
    assert isinstance(command.body, c.OrderAsk)
    core = desk.core
    book, order = _found(desk, command.body.order_id)
    asked_ns = core.clock.now_ns()
    try:
        await ask(book, order)
    except VenueError as error:
        order.heard = f"no answer: {error}"
        core.note(
            "order_asked", command.operator, f"{order.order_id}: {order.heard}", order_id=order.order_id
        )
        said = f"{order.order_id} at {book.venue.name}: {error}"
        raise Refusal(code_of_silence(error), said) from error
    said = f"{order.order_id} at {book.venue.name}: {order.heard}; it is {order.status}"
    core.note("order_asked", command.operator, said, order_id=order.order_id)
    return c.OrderAsked(
        order_id=order.order_id,
        venue=book.venue.name,
        asked_ns=asked_ns,
        answered_ns=core.clock.now_ns(),
        said=clean(order.heard, 160),
        status=order.status,
        filled=order.filled.normalize(),
    )


def _found(desk: Desk, order_id: str) -> tuple[OrderManager, ManagedOrder]:
    """Return an order that may still act, and its book. Raises `Refusal("unknown_order")`."""
    for book in desk.books():
        order = book.orders.get(order_id)
        if order is not None and order.is_alive:
            return book, order
    raise Refusal("unknown_order", clean(order_id, 80))
