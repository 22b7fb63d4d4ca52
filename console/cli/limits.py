"""`interlock limits` and `interlock policy`: what bounds the desk, and how an order would be judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from console.cli import facade, link, output
from console.cli.exit_codes import ExitCode
from console.cli.options import Json
from console.cli.order_file import read_form
from engine.api.home import home_folder
from engine.api.views import LimitRow, LimitsView

limits = typer.Typer(help="Limits: how close each rule is to its bound.")
policy = typer.Typer(help="Policy: judge an order by every rule; list the rules.")
LOCAL = "engine.api.local"
COLUMNS = ("state", "used", "code", "level", "subject", "now", "limit")
CHECK_COLUMNS = ("name", "result", "now", "after", "limit", "headroom")
RULE_COLUMNS = ("code", "level", "judges", "says", "controls")


@limits.callback()
def limits_room() -> None:
    """Show how close each rule is to its bound.

    Example: interlock limits show
    """


@limits.command()
def show(as_json: Json = False) -> None:
    """Show every rule by closeness, the limits' epoch and hash, and the raises that wait.

    Example: interlock limits show --json
    """
    view = link.view("limits", LimitsView)
    payload = {
        "limits_epoch": view.limits_epoch,
        "limits_hash": view.limits_hash,
        "rows": view.rows,
        "pending": view.pending,
    }
    output.show(payload, _text(view), as_json)


def _text(view: LimitsView) -> str:
    rows = [{**output.record(row), "used": _percent(row)} for row in view.rows]
    pending = output.table(view.pending, ("name", "before", "after", "left_s"), "no raise waits")
    head = f"limits epoch {view.limits_epoch}, hash {view.limits_hash[:16]}"
    return f"{head}\n\n{output.table(rows, COLUMNS, 'no rules')}\n\n{pending}"


def _percent(row: LimitRow) -> str:
    return "-" if row.used is None else f"{row.used * 100:.0f}%"


@policy.callback()
def policy_room() -> None:
    """Judge an order by every rule, or list the rules.

    Example: interlock policy rules
    """


@policy.command()
def rules(as_json: Json = False) -> None:
    """List the pre-trade table: each rule with its control, its bounds and what to do.

    Example: interlock policy rules --json
    """
    rows = output.records(facade.function(LOCAL, "policy_rows")())
    output.show({"rules": rows}, output.table(rows, RULE_COLUMNS, "no rules"), as_json)


@policy.command()
def check(
    file: Annotated[Path, typer.Option("--file", help="A JSON object with the order's fields.")],
    as_json: Json = False,
) -> None:
    """Judge an order by the whole policy, on an empty paper account; nothing is written or sent.

    Exit 0: allowed; 1: refused; 2: fields are missing or wrong, and the answer says how to correct them.

    Example: interlock policy check --file intent.json --json
    """
    raw = read_form(file)
    made = output.record(facade.function(LOCAL, "check_order")(raw, home_folder(), dict(os.environ)))
    if "error_code" in made:
        output.show({"feedback": made}, output.facts(made), as_json)
        raise typer.Exit(ExitCode.USAGE)
    verdict = output.record(made["preflight"])
    checks = output.records(verdict["checks"])
    word = "allowed" if verdict["allowed"] else f"refused: {output.cell(verdict['reasons'], 400)}"
    output.show(
        {
            "allowed": verdict["allowed"],
            "reasons": verdict["reasons"],
            "guardrail": made["guardrail"],
            "checks": checks,
            "intent": made["intent"],
        },
        f"{output.table(checks, CHECK_COLUMNS, 'no checks')}\n\n{word}",
        as_json,
    )
    if not verdict["allowed"]:
        raise typer.Exit(ExitCode.REFUSED)
