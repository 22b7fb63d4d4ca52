"""`interlock rollback`: back to the last configuration whose run ended well. No engine is needed."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from console.cli import facade, output
from console.cli.guard import failures
from console.cli.options import Confirm, Json, Operator, Reason, demand_word, operator_name
from engine.api.home import home_folder

ROLLBACK = "engine.api.rollback"
COLUMNS = ("number", "at", "epoch", "sha256", "is_present")


def rollback(
    to: Annotated[int, typer.Option("--to", min=0, help="Which number; 0: the last good one.")] = 0,
    list_kept: Annotated[bool, typer.Option("--list", help="List what ended well; change nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    confirm: Confirm = "",
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Put the last configuration that ended well in the place of the present one; needs --confirm ROLLBACK.

    A running engine takes it up like any edit: a looser limit waits for its cool-down, some keys for a
    restart. Strategy builds are not rolled back: that needs their seals.

    Example: interlock rollback --confirm ROLLBACK --reason "the new limits stop every entry"
    """
    if list_kept:
        with failures():
            rows = output.records(facade.function(ROLLBACK, "list_kept")(home_folder()))
        output.show({"kept": rows}, output.table(rows, COLUMNS, "nothing has ended well here yet"), as_json)
        return
    if dry_run:
        with failures():
            plan = output.record(facade.function(ROLLBACK, "rollback_plan")(home_folder(), to))
    else:
        demand_word(confirm, "ROLLBACK", "the rollback")
        with failures():
            act = facade.function(ROLLBACK, "rollback")
            plan = output.record(act(home_folder(), dict(os.environ), to, operator_name(operator), reason))
    word = "is in force with the next reload or start" if plan["is_done"] else "would replace the present one"
    said = "\n".join(_lines(plan["difference"])) or "no line differs"
    output.show({"rollback": plan}, f"configuration {plan['to_number']} {word}\n\n{said}", as_json)


def _lines(found: object) -> list[str]:
    return [str(line) for line in found] if isinstance(found, (list, tuple)) else []
