"""`interlock tickets`: what waits for a person. Nothing is approved without the hash that was seen."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.options import Json, Operator, Reason, operator_name
from console.cli.order_file import read_form
from engine.api.client import EngineClient
from engine.api.commands import (
    REJECT_REASONS,
    OrderJudge,
    OrderJudged,
    RejectedAll,
    TicketApprove,
    TicketCosign,
    TicketDefer,
    TicketReject,
    TicketRejectAll,
    TicketSelect,
    TicketShow,
    TicketSubmit,
)
from engine.api.views import TicketRow, TicketsView
from seams.clock import iso_z

app = typer.Typer(help="Tickets: list, show, review, approve, cosign, reject, defer.")
COLUMNS = ("ticket_id", "state", "symbol", "side", "quantity", "limit_price", "worst", "ticket_hash")
POLICY = ("source", "title", "text")
CHECKS = ("name", "now", "after", "limit", "result", "reason")
OPEN_STATES = ("PROPOSED", "REVIEWING", "COSIGNING")
SAID = ("field", "code", "said")
MIN_HASH = 8
FORM_CODES = ("order_incomplete", "order_invalid")
REASON_HELP = ", ".join(f"{digit} {text}" for digit, text in REJECT_REASONS.items())


@app.callback()
def room() -> None:
    """List, show, approve and reject tickets.

    Example: interlock tickets ls
    """


@app.command("list", hidden=True)
@app.command("ls")
def list_tickets(
    everything: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List open tickets by expiry.

    Example: interlock tickets ls --json
    """
    rows = link.view("tickets", TicketsView).rows
    wanted = [row for row in rows if everything or row.state.upper() in OPEN_STATES]
    output.show({"tickets": wanted}, output.table(wanted, COLUMNS, "no open tickets"), as_json)


@app.command()
def show(ticket_id: str, as_json: Json = False) -> None:
    """Show one ticket with its checks and the hash that an approval must name.

    Example: interlock tickets show T-00412
    """
    row = link.ask(TicketShow(ticket_id=ticket_id), TicketRow)
    output.show({"ticket": row}, _picture(row), as_json)


@app.command()
def select(ticket_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Review a ticket: re-run its checks at fresh prices and reserve it for you.

    Example: interlock tickets select T-00412
    """

    async def review(client: EngineClient) -> TicketRow:
        await client.demand(TicketSelect(ticket_id=ticket_id), object)
        return await client.query(TicketShow(ticket_id=ticket_id), TicketRow)

    row = link.talk(review, operator=operator_name(operator))
    output.show({"ticket": row}, _picture(row), as_json)


@app.command()
def approve(
    ticket_id: str,
    ticket_hash: Annotated[str, typer.Option("--hash", help="The hash you saw, 8 characters or more.")],
    size: Annotated[str, typer.Option("--size", help="The size, typed again; needed over a WARN.")] = "",
    override: Annotated[
        str, typer.Option("--override", help="Why the failed checks are passed over; needs a second person.")
    ] = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Approve exactly the ticket you saw: the hash must match before and after the fresh checks.

    What `select` showed you is approved as it was shown, within 30 seconds. The ticket waits for a second
    person where two are needed: `interlock tickets cosign`.

    Example: interlock tickets approve T-00412 --hash 9c1e44d0
    """
    seen = _named_hash(ticket_hash, ticket_id)
    typed, name = _size(size), operator_name(operator)
    row = link.talk(lambda client: _approve(client, ticket_id, seen, typed, override), operator=name)
    waits = f"; a second person: interlock tickets cosign {row.ticket_id} --hash {row.ticket_hash[:12]}"
    said = f"{row.ticket_id} is {row.state}{waits if row.state == 'cosigning' else ''}"
    output.show({"ticket": row}, said, as_json)


@app.command()
def cosign(
    ticket_id: str,
    ticket_hash: Annotated[str, typer.Option("--hash", help="The hash you saw, 8 characters or more.")],
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Approve, as the second person, exactly what the first one approved.

    Example: interlock tickets cosign T-00412 --hash 9c1e44d0
    """
    seen = _named_hash(ticket_hash, ticket_id)

    async def sign(client: EngineClient) -> TicketRow:
        row = await client.query(TicketShow(ticket_id=ticket_id), TicketRow)
        _demand_same(row, seen)
        body = TicketCosign(ticket_id=ticket_id, ticket_hash=row.ticket_hash)
        return await client.demand(body, TicketRow)

    row = link.talk(sign, operator=operator_name(operator))
    output.show({"ticket": row}, f"{row.ticket_id} is {row.state}", as_json)


@app.command()
def reject(
    ticket_ids: Annotated[list[str], typer.Argument(metavar="TICKET_ID...", help="One or several.")],
    digit: Annotated[int, typer.Option("--reason", min=1, max=len(REJECT_REASONS), help=REASON_HELP)],
    text: Annotated[str, typer.Option("--text", help="In your own words.")] = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Reject tickets with one of the fixed reasons. Several may be rejected at once, never approved.

    Example: interlock tickets reject T-00412 --reason 1 --text "book is empty above 2 lots"
    """
    if len(ticket_ids) == 1:
        one = TicketReject(ticket_id=ticket_ids[0], reason_digit=digit, text=text)
        link.act(one, object, operator=operator_name(operator))
        payload = {"ticket_id": ticket_ids[0], "reason": REJECT_REASONS[digit]}
        output.show(payload, f"{ticket_ids[0]} rejected: {REJECT_REASONS[digit]}", as_json)
        return
    several = TicketRejectAll(ticket_ids=tuple(ticket_ids), reason_digit=digit, text=text)
    done = link.act(several, RejectedAll, operator=operator_name(operator))
    said = [f"{name} rejected: {REJECT_REASONS[digit]}" for name in done.rejected]
    said += [f"{name} not rejected: {code}" for name, code in done.refused]
    output.show({"rejected": done.rejected, "refused": done.refused}, "\n".join(said), as_json)
    if done.refused:
        raise typer.Exit(int(ExitCode.REFUSED))


@app.command()
def defer(
    ticket_id: str,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="For how long; 0: half of what is left of its life.")
    ] = 0.0,
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Put a ticket back: others are read first. It expires when it would, and comes back in time to be read.

    Example: interlock tickets defer T-00412 --seconds 30 --reason "waiting for the funding print"
    """
    body = TicketDefer(ticket_id=ticket_id, seconds=seconds)
    row = link.act(body, TicketRow, operator=operator_name(operator), reason=reason)
    said = f"{row.ticket_id} is deferred until {iso_z(row.deferred_until_ns)}"
    output.show({"ticket": row}, f"{said}; it expires {iso_z(row.expires_ns)}", as_json)


@app.command()
def submit(
    file: Annotated[Path, typer.Option("--file", help="A JSON object with the order's fields.")],
    session: Annotated[str, typer.Option("--session", help="Which session, where several trade it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only judge it now; make no ticket.")] = False,
    reason: Reason = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Make a ticket of an order that you wrote; limit price and protective stop are mandatory.

    Exit 2: fields are missing or wrong, and the answer says how to correct them. Figures are text.
    With --dry-run the rules judge it as they would now, nothing is recorded, and exit 1 is a refusal.

    Example: interlock tickets submit --file order.json --reason "hedge of the spot leg"
    """
    if dry_run:
        _judge(OrderJudge(order=read_form(file), session_id=session), as_json)
        return
    body = TicketSubmit(order=read_form(file), session_id=session)
    name = operator_name(operator)
    reply = link.talk(lambda client: client.command(body, reason=reason), operator=name)
    if reply.code in FORM_CODES:
        feedback = msgspec.json.decode(reply.result, type=dict[str, object])
        output.show({"feedback": feedback}, output.facts(feedback), as_json)
        raise typer.Exit(int(ExitCode.USAGE))
    if not reply.ok:
        raise Failure(reply.code, reply.message, reply.correction)
    row = msgspec.json.decode(reply.result, type=TicketRow)
    output.show({"ticket": row}, f"{row.ticket_id} waits for a review, worst check: {row.worst}", as_json)


def _judge(body: OrderJudge, as_json: bool) -> None:
    """Show what the pre-trade table says of an order now."""
    found = link.ask(body, OrderJudged)
    facts = {name: getattr(found, name) for name in ("goes", "venue", "account", "session_id", "worst")}
    tables = (output.table(found.checks, CHECKS, "not judged"), output.table(found.said, SAID, "all is well"))
    output.show({"judged": found}, "\n\n".join((output.facts(facts), *tables)), as_json)
    if not found.can_submit:
        raise typer.Exit(int(ExitCode.REFUSED if found.checks else ExitCode.USAGE))


def _picture(row: TicketRow) -> str:
    """Write a ticket with its checks and what the desk's policies say about it."""
    checks = output.table(row.checks, CHECKS, "no checks yet")
    policy = output.table(row.policy, POLICY, "no policy speaks to it")
    return f"{output.facts(row)}\n\n{checks}\n\n{policy}"


async def _approve(
    client: EngineClient, ticket_id: str, seen: str, typed: Decimal | None, override: str
) -> TicketRow:
    """Check the hash; where it is not under my review, have the checks run afresh and check it again."""
    row = await client.query(TicketShow(ticket_id=ticket_id), TicketRow)
    _demand_same(row, seen)
    if (row.state, row.reviewer) != ("reviewing", client.operator):
        await client.demand(TicketSelect(ticket_id=ticket_id), object)
        row = await client.query(TicketShow(ticket_id=ticket_id), TicketRow)
        _demand_same(row, seen)
    body = TicketApprove(
        ticket_id=ticket_id, ticket_hash=row.ticket_hash, typed_size=typed, is_override=bool(override)
    )
    await client.demand(body, object, reason=override)
    return await client.query(TicketShow(ticket_id=ticket_id), TicketRow)


def _named_hash(given: str, ticket_id: str) -> str:
    seen = given.strip().lower()
    if len(seen) < MIN_HASH:
        raise Failure(
            "hash_too_short",
            f"--hash needs at least {MIN_HASH} characters",
            f"copy it from `interlock tickets show {ticket_id}`",
        )
    return seen


def _demand_same(row: TicketRow, seen: str) -> None:
    if not row.ticket_hash.lower().startswith(seen):
        raise Failure(
            "ticket_changed",
            f"{row.ticket_id} is now version {row.version}, hash {row.ticket_hash[:12]}; you named {seen}",
            f"look again with `interlock tickets show {row.ticket_id}`",
        )


def _size(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Failure("bad_parameter", f"--size {text!r} is not a number", "type the size as shown") from None
