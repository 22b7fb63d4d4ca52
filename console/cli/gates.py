"""`interlock gates`: what holds risk, what keeps a strategy from its next stage, and a person's part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.options import Json, Operator, Reason, operator_name
from console.cli.status import HOLD_COLUMNS
from engine.api.gates import ChecklistRow, ChecklistTick, ChecklistUntick, ClosedOut, SessionCloseOut, Ticked
from engine.api.views import OverviewView, PromotionRow, StatusView
from seams.clock import iso_z

app = typer.Typer()
STAGE_COLUMNS = ("strategy", "stage", "candidate", "blockers")
ITEM_COLUMNS = ("done", "item", "by", "at", "audit", "says")
NOTE_COLUMNS = ("done", "session_id", "by", "at", "audit", "note")
EXIT_COLUMNS = ("holds", "result", "said")
SHOWN_HASH = 16
Strategy = Annotated[str, typer.Argument(help="The strategy; `interlock gates` lists them.")]
Item = Annotated[str, typer.Argument(help="An item of the checklist; `interlock gates show` lists them.")]


@app.callback(invoke_without_command=True)
def gates(context: typer.Context, as_json: Json = False) -> None:
    """Show every hold with the rule that clears it, and what keeps each strategy from its next stage.

    Example: interlock gates --json
    """
    if context.invoked_subcommand is not None:
        return
    holds = link.view("status", StatusView).holds
    overview = link.view("overview", OverviewView)
    promotion = overview.promotion
    text = output.table(holds, HOLD_COLUMNS, "no holds")
    rows = [{**output.record(row), "candidate": row.candidate[:SHOWN_HASH]} for row in promotion]
    stages = output.table(rows, STAGE_COLUMNS, "no strategies")
    payload = {"holds": holds, "promotion": promotion, "exit_condition": overview.exit_condition}
    output.show(payload, f"{text}\n\n{stages}", as_json)


@app.command()
def show(
    strategy: Annotated[str, typer.Argument(help="One strategy; left out: the first.")] = "",
    as_json: Json = False,
) -> None:
    """Show one strategy's checklist and close-out notes, with who and when, and the exit condition.

    Exit 1 where something blocks its next stage. The exit condition has four results, each with what it saw;
    they decide about leaving the micro stage.

    Example: interlock gates show ema_cross --json
    """
    view = link.view("overview", OverviewView)
    row = _row(view, strategy)
    facts = output.facts(
        {
            "strategy": row.strategy,
            "stage": row.stage,
            "candidate": row.candidate or "none: no run proves one",
        }
    )
    items = output.table(_items(row.checklist), ITEM_COLUMNS, "no checklist")
    notes = [
        {"done": _done(note.problem), "session_id": note.session_id, "by": note.operator,
         "at": _at(note.at_ns), "audit": note.audit_seq or "", "note": note.note}
        for note in row.notes
    ]  # fmt: skip
    blockers = "\n".join(f"blocks: {each}" for each in row.blockers) or "nothing blocks the next stage"
    results = [
        {"holds": "[x]" if each.ok else "[ ]", "result": each.name, "said": each.said}
        for each in view.exit_condition
    ]
    leaving = f"to leave the micro stage\n{output.table(results, EXIT_COLUMNS, 'not judged yet')}"
    parts = (facts, items, output.table(notes, NOTE_COLUMNS, "no session counts yet"), leaving, blockers)
    payload = {"promotion": row, "exit_condition": view.exit_condition}
    output.show(payload, "\n\n".join(parts), as_json)
    if row.blockers:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def tick(
    strategy: Strategy,
    item: Item,
    candidate: Annotated[
        str, typer.Option("--candidate", help="The hash shown by `gates show`, 8 characters or more.")
    ],
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Tick one item of the checklist, in your name, for exactly this candidate. It counts for 30 days.

    Example: interlock gates tick ema_cross risk_limits --candidate 9c1e44d0 --reason "read all caps"
    """
    body = ChecklistTick(strategy=strategy, candidate=candidate.strip().lower(), item=item)
    _ticked(link.act(body, Ticked, operator=operator_name(operator), reason=reason), as_json)


@app.command()
def untick(
    strategy: Strategy, item: Item, reason: Reason = "", operator: Operator = "", as_json: Json = False
) -> None:
    """Take the ticks of one item back; they stay in the audit log, and so does why.

    Example: interlock gates untick ema_cross risk_limits --reason "the account was changed"
    """
    body = ChecklistUntick(strategy=strategy, item=item)
    _ticked(link.act(body, Ticked, operator=operator_name(operator), reason=reason), as_json)


@app.command("close-out")
def close_out(
    session_id: Annotated[str, typer.Argument(help="A session that is over.")],
    text: Annotated[str, typer.Option("--text", help="What happened, what surprised, what changes.")],
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Write the close-out note of a session, bound to what it left; without it nothing is promoted.

    Example: interlock gates close-out PS-00001 --text "five trades, no surprise; the stop was never near"
    """
    body = SessionCloseOut(session_id=session_id, text=text)
    made = link.act(body, ClosedOut, operator=operator_name(operator))
    said = f"{made.session_id} is closed out: audit record {made.audit_seq}, of {made.evidence[:SHOWN_HASH]}"
    output.show({"close_out": made}, said, as_json)


def _row(view: OverviewView, strategy: str) -> PromotionRow:
    rows = view.promotion
    found = next((row for row in rows if strategy in ("", row.strategy)), None)
    if found is None:
        known = ", ".join(row.strategy for row in rows) or "none: run or trade one first"
        raise Failure("not_found", f"no strategy {strategy!r} is known here", f"strategies: {known}")
    return found


def _ticked(made: Ticked, as_json: bool) -> None:
    count = sum(1 for row in made.rows if not row.problem)
    head = f"{made.strategy} {made.candidate[:SHOWN_HASH]}: {count} of {len(made.rows)} items count"
    text = f"{head}\n\n{output.table(_items(made.rows), ITEM_COLUMNS, 'no checklist')}"
    output.show({"checklist": made}, text, as_json)


def _items(rows: Sequence[ChecklistRow]) -> list[dict[str, object]]:
    return [
        {"done": _done(row.problem), "item": row.item, "by": row.operator, "at": _at(row.at_ns),
         "audit": row.audit_seq or "", "says": row.said}
        for row in rows
    ]  # fmt: skip


def _done(problem: str) -> str:
    return "[x]" if not problem else f"[ ] {problem}"


def _at(at_ns: int) -> str:
    return iso_z(at_ns)[:16] + "Z" if at_ns else ""
