"""Approvals over the real bus: exactly what was shown, once, in time, by who may."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import TicketApprove, TicketReject, TicketSelect
from engine.api.views import TicketRow, TicketsView
from seams.net import NetDown, NoAnswer

from .conftest import Rig, eventually

GRACE_S = 0.6


async def _first_open(client: EngineClient, skip: str = "") -> TicketRow:
    found: list[TicketRow] = []

    async def is_there() -> bool:
        rows = (await client.query_view("tickets", TicketsView)).rows
        found[:] = [row for row in rows if row.state == "proposed" and row.ticket_id != skip]
        return bool(found)

    await eventually(is_there)
    return found[0]


def _approval(row: TicketRow, **changes: str) -> TicketApprove:
    size = row.quantity if row.worst == "warn" else None
    hash_ = changes.get("ticket_hash", row.ticket_hash)
    return TicketApprove(ticket_id=row.ticket_id, ticket_hash=hash_, typed_size=size)


async def test_an_approval_counts_only_for_what_was_reviewed_and_only_once(rig: Rig) -> None:
    # The market runs at four times its pace: two seconds under load can take it past a collar of 1 %.
    calm = {"INTERLOCK_RISK__PRICE_COLLAR": "0.5", "INTERLOCK_RISK__MARK_STALE_MS": "60000"}
    client = await rig.start(**calm, INTERLOCK_RISK__PRICE_DRIFT_5MIN="0.9")
    await rig.trade(client, is_supervised=True, speed=4.0)
    row = await _first_open(client)
    assert (await client.command(_approval(row))).code == "ticket_review_required"
    shown = await client.demand(TicketSelect(ticket_id=row.ticket_id), TicketRow)
    await asyncio.sleep(GRACE_S)
    altered = shown.ticket_hash[:-1] + ("0" if shown.ticket_hash[-1] != "0" else "1")
    assert (await client.command(_approval(shown, ticket_hash=altered))).code == "ticket_hash_mismatch"
    other = await rig.client(operator="bob")
    assert (await other.command(_approval(shown))).code == "lease_held"
    observer = await rig.client("observer", "eve")
    with pytest.raises((NoAnswer, NetDown)):
        await observer.command(_approval(shown), timeout_s=0.5)
    assert rig.entries() == 0
    accepted = await client.command(_approval(shown), request_id="C-approve")
    while accepted.code in ("ticket_hash_mismatch", "ticket_changed", "checks_failed"):  # the market moved on
        assert rig.entries() == 0
        if accepted.code == "checks_failed":  # past its very stop: another ticket is looked at
            await client.command(TicketReject(ticket_id=row.ticket_id, reason_digit=1))
            row = await _first_open(client, skip=row.ticket_id)
        shown = await client.demand(TicketSelect(ticket_id=row.ticket_id), TicketRow)
        await asyncio.sleep(GRACE_S)
        accepted = await client.command(_approval(shown), request_id=f"C-{row.ticket_id}-{shown.version}")
    assert accepted.ok, accepted
    assert rig.entries() == 1
    assert (await client.command(_approval(shown))).code == "ticket_used"
    assert await client.command(_approval(shown), request_id=accepted.request_id) == accepted
    assert rig.rows("SELECT count(*) FROM orders WHERE ticket_id = '" + row.ticket_id + "'") == [(1,)]


async def test_a_ticket_that_expired_cannot_be_approved(rig: Rig) -> None:
    client = await rig.start(INTERLOCK_EXECUTION__TICKET_EXPIRY_S="1.2")
    await rig.trade(client, is_supervised=True)
    shown = None
    while shown is None:  # one that expires before it is looked at is no example
        row = await _first_open(client)
        with suppress(EngineRefused):
            shown = await client.demand(TicketSelect(ticket_id=row.ticket_id), TicketRow)
    await asyncio.sleep(1.4)
    assert (await client.command(_approval(shown))).code == "ticket_expired"
    assert rig.entries() == 0
