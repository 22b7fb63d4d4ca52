"""`interlock approvals`: what waits for a second person, and their signature."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, Reason, operator_name
from engine.api.commands import PairConfirm, PairRefuse
from engine.api.ticket_views import PairRow
from engine.api.views import StatusView, TicketsView

app = typer.Typer(help="Two persons: list what waits, confirm, refuse.")
COLUMNS = ("pair_id", "kind", "subject", "signed_by", "pair_hash", "reason")


@app.callback()
def room() -> None:
    """List, confirm or refuse what needs two persons.

    Example: interlock approvals ls
    """


@app.command("list", hidden=True)
@app.command("ls")
def list_pairs(as_json: Json = False) -> None:
    """List what waits for a second person: resets, raises of limits, and tickets.

    Example: interlock approvals ls --json
    """
    pairs = link.view("status", StatusView).pairs
    tickets = [row for row in link.view("tickets", TicketsView).rows if row.state == "cosigning"]
    said = [output.table(pairs, COLUMNS, "no request waits")] if pairs or not tickets else []
    said += [
        f"{row.ticket_id} {row.side} {row.quantity} {row.symbol}: approved by {row.first_approver}; "
        f"interlock tickets cosign {row.ticket_id} --hash {row.ticket_hash[:12]}"
        for row in tickets
    ]
    output.show({"pairs": pairs, "tickets": tickets}, "\n".join(said), as_json)


@app.command()
def confirm(
    pair_id: str,
    pair_hash: Annotated[str, typer.Option("--hash", help="The hash you saw, 8 characters or more.")],
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Sign a request under your own name and key (INTERLOCK_OPERATOR_KEY).

    Example: interlock approvals confirm P-1-0003 --hash 9c1e44d0
    """
    body = PairConfirm(pair_id=pair_id, pair_hash=pair_hash.strip().lower())
    pair = link.act(body, PairRow, operator=operator_name(operator), timeout_s=10.0)
    is_done = len(pair.signed_by) == 2
    word = "done" if is_done else "signed; another person must sign it too"
    output.show({"pair": pair, "done": is_done}, f"{pair.kind} {pair.subject}: {word}", as_json)


@app.command()
def refuse(pair_id: str, reason: Reason = "", operator: Operator = "", as_json: Json = False) -> None:
    """Take a request away.

    Example: interlock approvals refuse P-1-0003 --reason "not before the drill"
    """
    link.act(PairRefuse(pair_id=pair_id), object, operator=operator_name(operator), reason=reason)
    output.show({"refused": pair_id}, f"{pair_id} is refused", as_json)
