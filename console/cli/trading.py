"""`interlock orders` and `positions`: what works and what is held."""

from __future__ import annotations

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import OrderAsk, OrderAsked, OrderCancel
from engine.api.views import OrdersView, PositionsView
from seams.clock import iso_z

VENUE_S = 10.0
"""How long a venue is given to answer a question."""
orders = typer.Typer(help="Orders: list, cancel, ask the venue.")
ORDER_COLUMNS = ("order_id", "symbol", "side", "quantity", "filled", "limit_price", "status", "pending")
POSITION_COLUMNS = (
    "symbol", "venue", "side", "quantity", "entry_price", "mark_price", "unrealised_usd", "stop_price",
    "is_stale",
)  # fmt: skip


@orders.callback()
def orders_room() -> None:
    """List and cancel orders.

    Example: interlock orders ls
    """


@orders.command("list", hidden=True)
@orders.command("ls")
def list_orders(as_json: Json = False) -> None:
    """List orders: working first, then the latest ones done.

    Example: interlock orders ls --json
    """
    rows = link.view("orders", OrdersView).rows
    output.show({"orders": rows}, output.table(rows, ORDER_COLUMNS, "no orders"), as_json)


@orders.command()
def cancel(order_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Ask the venue to cancel one order; allowed at every level.

    Example: interlock orders cancel O-00017
    """
    link.act(OrderCancel(order_id=order_id), object, operator=operator_name(operator))
    output.show({"order_id": order_id}, f"cancel of {order_id} requested", as_json)


@orders.command()
def ask(order_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Ask the venue again about exactly this order, by its own id; nothing is sent or signed again.

    Exit 1: the venue said nothing, and nothing changed.

    Example: interlock orders ask O-00017 --json
    """
    asked = link.act(
        OrderAsk(order_id=order_id), OrderAsked, operator=operator_name(operator), timeout_s=VENUE_S
    )
    said = f"asked {asked.venue} at {iso_z(asked.asked_ns)} about {order_id}: {asked.said}"
    output.show({"asked": asked}, f"{said}; it is {asked.status}, {asked.filled} filled", as_json)


def positions(as_json: Json = False) -> None:
    """List open positions with the age of their prices.

    Example: interlock positions --json
    """
    rows = link.view("positions", PositionsView).rows
    output.show({"positions": rows}, output.table(rows, POSITION_COLUMNS, "flat: no positions"), as_json)
