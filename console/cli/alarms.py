"""`interlock alarms`: what is abnormal, who saw it, what waits on a shelf, and where alarms go."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import AlarmAck, AlarmShelve, AlarmSinks, AlarmUnshelve
from engine.api.views import AlarmRow, AlarmsView, SinksView

app = typer.Typer(help="Alarms: list, acknowledge, shelve, sinks.")
COLUMNS = ("alarm_id", "priority", "state", "code", "subject", "message", "runbook")
SINK_COLUMNS = ("name", "kind", "state", "queued", "delivered", "failed", "dead", "slowest_ms", "last_error")
DEFAULT_MINUTES = 60.0


@app.callback()
def room() -> None:
    """List, acknowledge and shelve alarms, and see where they go.

    Example: interlock alarms ls
    """


@app.command("list", hidden=True)
@app.command("ls")
def list_alarms(as_json: Json = False) -> None:
    """List alarms, most urgent first; in a flood also by groups.

    Example: interlock alarms ls
    """
    view = link.view("alarms", AlarmsView)
    payload = {
        "alarms": view.rows,
        "rate_10min": view.rate_10min,
        "suppressed": view.suppressed,
        "is_flood": view.is_flood,
        "groups": view.groups,
    }
    text = output.table(view.rows, COLUMNS, "no alarms")
    if view.is_flood:
        groups = output.table(view.groups, ("code", "count", "priority", "first_subject"), "no groups")
        text = f"FLOOD: {view.rate_10min} in ten minutes; work by priority\n\n{groups}\n\n{text}"
    output.show(payload, text, as_json)


@app.command()
def ack(alarm_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Acknowledge one alarm: you have seen it and you own it.

    Example: interlock alarms ack A-00003
    """
    link.act(AlarmAck(alarm_id=alarm_id), object, operator=operator_name(operator))
    output.show({"alarm_id": alarm_id}, f"{alarm_id} acknowledged", as_json)


@app.command()
def shelve(
    alarm_id: str,
    reason: Annotated[str, typer.Option("--reason", help="Why it may wait; written to the audit log.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=1, max=240, help="When it comes back by itself.")
    ] = DEFAULT_MINUTES,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Put one alarm aside for a while, with a reason; not one of priority 1.

    Example: interlock alarms shelve A-00003 --minutes 60 --reason "exchange maintenance until 14:00"
    """
    body = AlarmShelve(alarm_id=alarm_id, minutes=minutes)
    row = link.act(body, AlarmRow, operator=operator_name(operator), reason=reason)
    output.show({"alarm": row}, f"{row.code} {row.subject} shelved for {minutes:g} minutes", as_json)


@app.command()
def unshelve(alarm_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Take one alarm off its shelf before its time; what still stands rings.

    Example: interlock alarms unshelve A-00003
    """
    row = link.act(AlarmUnshelve(alarm_id=alarm_id), AlarmRow, operator=operator_name(operator))
    output.show({"alarm": row}, f"{row.code} {row.subject} is {row.state}", as_json)


@app.command()
def sinks(as_json: Json = False) -> None:
    """Show where alarms go: what was delivered, what was given up, and the last error of each sink.

    Example: interlock alarms sinks --json
    """
    rows = link.ask(AlarmSinks(), SinksView).rows
    output.show({"sinks": rows}, output.table(rows, SINK_COLUMNS, "no sinks: only consoles see"), as_json)
