"""`interlock orders`, `positions` and `alarms`: what works, what is held, what is abnormal."""

from __future__ import annotations

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import AlarmAck, OrderCancel
from engine.api.views import AlarmsView, OrdersView, PositionsView

orders = typer.Typer(help="Orders: list, cancel.")
alarms = typer.Typer(help="Alarms: list, acknowledge.")
ORDER_COLUMNS = ("order_id", "symbol", "side", "quantity", "filled", "limit_price", "status", "pending")
POSITION_COLUMNS = (
    "symbol", "venue", "side", "quantity", "entry_price", "mark_price", "unrealised_usd", "stop_price",
    "is_stale",
)  # fmt: skip
ALARM_COLUMNS = ("alarm_id", "priority", "state", "code", "subject", "message", "runbook")


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


def positions(as_json: Json = False) -> None:
    """List open positions with the age of their prices.

    Example: interlock positions --json
    """
    rows = link.view("positions", PositionsView).rows
    output.show({"positions": rows}, output.table(rows, POSITION_COLUMNS, "flat: no positions"), as_json)


@alarms.callback()
def alarms_room() -> None:
    """List and acknowledge alarms.

    Example: interlock alarms ls
    """


@alarms.command("list", hidden=True)
@alarms.command("ls")
def list_alarms(as_json: Json = False) -> None:
    """List alarms, most urgent first.

    Example: interlock alarms ls
    """
    view = link.view("alarms", AlarmsView)
    payload = {"alarms": view.rows, "rate_10min": view.rate_10min, "suppressed": view.suppressed}
    output.show(payload, output.table(view.rows, ALARM_COLUMNS, "no alarms"), as_json)


@alarms.command()
def ack(alarm_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Acknowledge one alarm: you have seen it and you own it.

    Example: interlock alarms ack A-00003
    """
    link.act(AlarmAck(alarm_id=alarm_id), object, operator=operator_name(operator))
    output.show({"alarm_id": alarm_id}, f"{alarm_id} acknowledged", as_json)
