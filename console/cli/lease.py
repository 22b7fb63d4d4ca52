"""`interlock lease`: who acts at the desk. Everybody may stop; only who holds the lease may start."""

from __future__ import annotations

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, Reason, operator_name
from engine.api.commands import LeaseGive, LeaseHeld, LeaseTake
from engine.api.views import StatusView
from seams.clock import SystemClock

app = typer.Typer(help="The operator lease: show, take, give.")


@app.callback()
def room() -> None:
    """Show, take or give up the operator lease.

    Example: interlock lease show
    """


@app.command()
def show(as_json: Json = False) -> None:
    """Say who holds the lease, where, and for how long.

    Example: interlock lease show --json
    """
    lease = link.view("status", StatusView).lease
    if lease is None:
        output.show({"lease": None}, "free: nobody holds the operator lease", as_json)
        return
    left_s = max(0.0, (lease.until_ns - SystemClock().now_ns()) / 1e9)
    where = f"console {lease.console}" if lease.console else "the command line"
    output.show({"lease": lease}, f"{lease.operator} at {where}, {left_s:.0f} s left", as_json)


@app.command()
def take(operator: Operator = "", reason: Reason = "", as_json: Json = False) -> None:
    """Take the lease for a minute; from another person it needs a reason. Each act of yours renews it.

    Example: interlock lease take --reason "ada is off duty"
    """
    held = link.act(LeaseTake(), LeaseHeld, operator=operator_name(operator), reason=reason)
    output.show({"lease": held}, f"{held.operator} holds the lease for {held.left_ms / 1000:.0f} s", as_json)


@app.command()
def give(operator: Operator = "", as_json: Json = False) -> None:
    """Give the lease up; tickets that you review are rejected.

    Example: interlock lease give
    """
    link.act(LeaseGive(), object, operator=operator_name(operator))
    output.show({"lease": None}, "the lease is free", as_json)
