"""`interlock arm`: two steps, by named persons, before an engine may risk real money."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.options import Json, Operator, Reason, operator_name
from engine.api.arming import ArmAsk, ArmConfirm, ArmingView, ArmShow, Disarm
from seams.clock import SystemClock

app = typer.Typer(help="Arming: show, ask, confirm, off.")
COLUMNS = ("code", "ok", "said", "correction")
STEP_S = 20.0
REFUSED = "arming_refused"


@app.callback()
def room() -> None:
    """Arm an engine that is configured for a real venue, and take it back.

    Example: interlock arm show
    """


@app.command()
def show(as_json: Json = False) -> None:
    """Say how arming stands, with every condition; exit 1 where one does not hold.

    Example: interlock arm show --json
    """
    view = link.ask(ArmShow(), ArmingView)
    _said(view, as_json)
    if view.failing:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def ask(reason: Reason = "", operator: Operator = "", as_json: Json = False) -> None:
    """Make the first step: the venue may be looked at. Everything that stands against it is listed.

    Example: interlock arm ask --reason "first small orders on testnet"
    """
    try:
        view = link.act(ArmAsk(), ArmingView, operator=operator_name(operator), reason=reason)
    except Failure as failure:
        _explain(failure, as_json)
        raise
    _said(view, as_json)


@app.command()
def confirm(
    step: Annotated[str, typer.Option("--hash", help="The hash of the first step, 8 characters or more.")],
    phrase: Annotated[str, typer.Option("--phrase", help="The phrase, exactly as shown.")],
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Make the second step: every condition is judged again, with what the venue says.

    Where two persons are needed it is another person, with a key of their own (INTERLOCK_OPERATOR_KEY).

    Example: interlock arm confirm --hash 9c1e44d0 --phrase "ARM HYPERLIQUID TESTNET 100 USD" --operator bob
    """
    body = ArmConfirm(hash=step.strip().lower(), phrase=phrase)
    try:
        view = link.act(body, ArmingView, operator=operator_name(operator), timeout_s=STEP_S)
    except Failure as failure:
        _explain(failure, as_json)
        raise
    _said(view, as_json)


@app.command()
def off(reason: Reason = "", operator: Operator = "", as_json: Json = False) -> None:
    """Hold new risk back at once; anybody may. What is at the venue is still watched and reduced.

    Example: interlock arm off --reason "done for today"
    """
    _said(link.act(Disarm(), ArmingView, operator=operator_name(operator), reason=reason), as_json)


def _explain(failure: Failure, as_json: bool) -> None:
    """Show the conditions beside a refusal; with --json they stand in the failure's message."""
    if failure.code == REFUSED and not as_json:
        view = link.ask(ArmShow(), ArmingView)
        output.write_line(output.table(view.failing, COLUMNS, "the conditions hold by now"))


def _said(view: ArmingView, as_json: bool) -> None:
    where = f"{view.mode} / {view.environment}" + (f", {view.venue} {view.account}" if view.venue else "")
    lines = [f"{view.state}: {where}"]
    if view.armed_by:
        lines.append(f"armed by {view.armed_by}: {view.reason}{_left(view)}")
    if view.hash:
        who = "another person" if view.needs_two else "you"
        lines.append(f"asked by {view.asked_by}: {view.reason}{_left(view)}; {who} confirms with")
        lines.append(f'  interlock arm confirm --hash {view.hash[:12]} --phrase "{view.phrase}"')
    if view.conditions:
        lines += ["", output.table(view.conditions, COLUMNS, "")]
    output.show({"arming": view}, "\n".join(lines), as_json)


def _left(view: ArmingView) -> str:
    left_s = max(0, (view.until_ns - SystemClock().now_ns()) // 10**9)
    return f", {left_s // 60} min left"
