"""The operator lease: one person at one console acts; what is lost with it is rejected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api import commands as c
from engine.attendance import CATEGORY, UNRECORDED
from engine.views import lease_row
from safety.approval import TicketState
from safety.intent import IntentCategory
from safety.lease import LEASE_NS
from tests.engine.supervised import START, Supervised, approval


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    await made.close()


async def test_the_first_act_takes_the_lease_and_others_may_stop_but_not_start(desk: Supervised) -> None:
    ticket = await desk.open()
    held = lease_row(desk.core)
    assert held is not None and (held.operator, held.console) == ("ada", "")
    assert await desk.code(c.TicketSelect(ticket_id=ticket.id), "bob") == "lease_held"
    assert await desk.code(START, "bob") == "lease_held"
    assert await desk.code(c.TicketReject(ticket_id=ticket.id, reason_digit=1), "bob") == "ok"
    assert await desk.code(c.Kill(confirm="KILL"), "bob") == "ok"
    assert await desk.code(c.Resume(confirm="RESUME"), "bob", reason="looked") == "lease_held"


async def test_one_console_acts_and_the_command_line_acts_under_its_operators_lease(desk: Supervised) -> None:
    ticket = await desk.open()
    select = c.TicketSelect(ticket_id=ticket.id)
    assert await desk.code(select, console="W-1") == "ok"
    assert await desk.code(select, console="W-2") == "lease_held"
    assert await desk.code(select) == "ok"
    held = lease_row(desk.core)
    assert held is not None and held.console == "W-1"
    assert await desk.code(c.LeaseTake(), console="W-2") == "ok"
    assert await desk.code(select, console="W-1") == "lease_held"
    assert desk.state(ticket) is TicketState.REVIEWING


async def test_a_takeover_wants_a_reason_and_rejects_what_was_under_review(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    assert await desk.code(c.LeaseTake(), "bob") == "reason_required"
    assert await desk.code(c.LeaseTake(), "bob", reason="ada left") == "ok"
    assert desk.state(ticket) is TicketState.REJECTED
    assert "bob took it over" in desk.core.tickets.get(ticket.id).closed_reason
    assert await desk.code(approval(shown)) == "lease_held"


async def test_a_lease_without_keys_ends_and_rejects_what_was_under_review(desk: Supervised) -> None:
    ticket = await desk.open()
    desk.clock.step_ns += LEASE_NS // 2
    await desk.reviewed(ticket, console="W-1")
    desk.clock.step_ns += LEASE_NS - 10**9
    assert await desk.code(c.LeaseKeep(), console="W-2") == "lease_required"
    assert await desk.code(c.LeaseKeep(), console="W-1") == "ok"
    desk.engine.handlers.people.tend()
    assert lease_row(desk.core) is not None
    desk.clock.step_ns += LEASE_NS
    assert lease_row(desk.core) is None
    desk.engine.handlers.people.tend()
    assert desk.state(ticket) is TicketState.REJECTED
    assert await desk.code(c.LeaseKeep(), console="W-1") == "lease_required"


async def test_giving_the_lease_up_frees_it_and_rejects(desk: Supervised) -> None:
    ticket = await desk.open()
    await desk.reviewed(ticket)
    assert await desk.code(c.LeaseGive(), "bob") == "lease_required"
    assert await desk.code(c.LeaseGive()) == "ok"
    assert desk.state(ticket) is TicketState.REJECTED
    assert await desk.code(c.LeaseTake(), "bob") == "ok"


async def test_every_act_has_a_category_and_what_policy_answered(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    assert await desk.code(approval(shown, ticket_hash="0" * 64)) == "ticket_hash_mismatch"
    assert await desk.code(approval(shown)) == "ok"
    assert await desk.code(c.OrderCancel(order_id="O-none")) == "unknown_order"
    assert await desk.code(c.Kill(confirm="no")) == "bad_confirmation"
    found = [
        (d["act"], d["intent_category"], d["policy_result"]["allowed"], d["outcome"])
        for d in desk.decisions()
    ]
    assert found == [
        ("PaperStart", "paper_trade", True, "executed"),
        ("TicketSelect", "query", True, "executed"),
        ("TicketApprove", "risk_increase", False, "blocked"),
        ("TicketApprove", "risk_increase", True, "executed"),
        ("OrderCancel", "cancel", False, "blocked"),
        ("Kill", "kill", False, "blocked"),
    ]
    assert all(d["operator"] == "ada" for d in desk.decisions())


def test_every_command_of_the_bus_has_a_category() -> None:
    kinds = set(c.CommandBody.__args__)
    assert kinds - UNRECORDED == set(CATEGORY) - UNRECORDED
    assert set(CATEGORY.values()) <= set(IntentCategory)
