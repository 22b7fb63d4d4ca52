"""Tickets at a desk: looked at with fresh prices, decided once, UNKNOWN where the venue is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.api.ticket_views import TicketRow
from engine.store.failures import StoreConflict
from safety.approval import CONFIRMED_WITHIN_NS, TicketEvent, TicketState
from safety.canonical import changed
from seams.clock import NS_PER_S
from tests.engine.supervised import Supervised, approval
from tests.store.looking import approval_of


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    await made.close()


async def test_a_look_shows_drift_position_why_and_where_it_came_from(desk: Supervised) -> None:
    ticket = await desk.open()
    await desk.reviewed(ticket)
    shown = await desk.reviewed(ticket)
    looks = {row.name: row for row in shown.looks}
    assert list(looks) == ["px vs proposal", "px vs last look", "position", "same in 60s"]
    assert looks["px vs last look"].limit.endswith(" bp")
    assert (looks["position"].now, looks["same in 60s"].now) == ("0", "none")
    assert shown.why.startswith("ema_cross: ") and shown.parent
    assert shown.reviewer == "ada" and shown.state == "reviewing"


async def test_an_approval_is_one_durable_decision(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    assert await desk.code(approval(shown)) == "ok"
    kept = approval_of(desk.core.store.link, ticket.id)
    assert kept is not None
    assert (kept.operator, kept.decision, kept.ticket_hash) == ("ada", "approved", shown.ticket_hash)
    again = changed(kept, approval_id="A-other")
    stored = desk.core.store.tickets.ticket(ticket.id)
    assert stored is not None
    with pytest.raises(StoreConflict):
        desk.core.store.tickets.record_approval(again, stored)


async def test_several_are_rejected_at_once_each_with_its_answer(desk: Supervised) -> None:
    ticket = await desk.open()
    body = c.TicketRejectAll(ticket_ids=(ticket.id, "T-none", ticket.id), reason_digit=3)
    reply = await desk.ask(body, "bob")
    done = msgspec.json.decode(reply.result, type=c.RejectedAll)
    assert done == c.RejectedAll(rejected=(ticket.id,), refused=(("T-none", "unknown_ticket"),))
    kept = approval_of(desk.core.store.link, ticket.id)
    assert kept is not None and kept.decision == "rejected" and kept.reason == "bob: market conditions"


async def test_a_ticket_without_a_word_from_its_venue_is_unknown_after_a_second(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    book, moment = desk.core.tickets, desk.core.moment
    book.approve(
        ticket.id,
        shown.ticket_hash,
        "ada",
        typed_size=str(shown.quantity),
        epoch=desk.core.epoch,
        moment=moment(),
    )
    book.advance(ticket.id, TicketEvent.SEND, moment=moment())
    desk.engine.handlers.tickets.tend()
    assert desk.state(ticket) is TicketState.SENT
    desk.clock.step_ns += CONFIRMED_WITHIN_NS
    desk.engine.handlers.tickets.tend()
    assert desk.state(ticket) is TicketState.UNKNOWN
    assert ("ticket_unconfirmed", ticket.id) in desk.core.standing
    row = next(
        r for r in desk.core.alarms.view(1, desk.clock.now_ns()).rows if r.code == "ticket_unconfirmed"
    )
    assert row.priority == 2 and "do not send it again" in row.message
    book.advance(ticket.id, TicketEvent.ACK)
    desk.engine.handlers.tickets.tend()
    assert ("ticket_unconfirmed", ticket.id) not in desk.core.standing


async def test_a_check_that_comes_out_otherwise_resets_the_review(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    desk.core.interlock.raise_hold("incident", since_ns=1, source="test", evidence="test")
    desk.engine.handlers.tickets.tend()
    now = desk.core.tickets.get(ticket.id)
    assert now.version == shown.version + 1 and "hold_blocks_entry" in now.altered
    assert await desk.code(approval(shown)) == "ticket_hash_mismatch"
    fresh = approval(shown, ticket_hash=now.hash)
    assert await desk.code(fresh) == "ticket_changed"
    desk.clock.step_ns += 10**9
    assert await desk.code(fresh) == "checks_failed"


async def test_a_ticket_shown_by_itself_is_what_the_list_shows(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    listed = desk.engine.questions._ask(c.TicketShow(ticket_id=ticket.id))
    assert isinstance(listed, TicketRow) and listed.ticket_hash == shown.ticket_hash


async def test_the_policy_that_an_approver_saw_stands_beside_the_decision(desk: Supervised) -> None:
    folder = desk.core.paths.policies
    desk.core.disk.make_folder(folder)
    desk.core.disk.write_atomic(folder / "house.md", b"# Bitcoin\nBTC-PERP is bought in small parts only.")
    ticket = await desk.open()
    row = await desk.reviewed(ticket)
    assert row.policy[0].source == "house.md" and "small parts" in row.policy[0].text
    desk.core.disk.write_atomic(folder / "house.md", b"# Bitcoin\nchanged since")
    assert await desk.code(approval(row)) == "ok"
    lines = [msgspec.json.decode(line) for line in desk.core.paths.audit.read_bytes().splitlines()]
    (noted,) = [each["body"] for each in lines if each["kind"] == "ticket_approved"]
    assert noted["policy"] == [msgspec.to_builtins(each) for each in row.policy], (
        "what was shown, not what is written now"
    )


async def test_an_empty_chair_is_one_alarm_and_an_expiry_after_somebody_looked_rings_again(
    desk: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, core, sessions = await desk.open(), desk.core, desk.engine.desk
    for session_id in list(sessions.running):
        await sessions.stop_paper(session_id, "ada")
    due: list[str] = []
    monkeypatch.setattr(core.tickets, "expire", lambda moment: [changed(ticket, id=due.pop())] if due else [])
    monkeypatch.setattr(core.store.tickets, "save_ticket", lambda row: None)

    async def alarm(expires: str, after_s: int) -> tuple[str, str, int, str]:
        desk.clock.step_ns += after_s * NS_PER_S
        due[:] = [expires] if expires else []
        await sessions.tend()
        (row,) = (each for each in core.alarms.rows() if each.code == "ticket_expired")
        return row.alarm_id, row.state, row.count, row.message

    alarm_id, *first = await alarm("T-1", 0)
    assert first == ["UNACK", 1, "T-1 expired unanswered"]
    _, *second = await alarm("T-2", 300)
    assert second == ["UNACK", 1, "2 tickets, the last T-2, expired unanswered"], "and no second ring"
    core.alarms.ack(alarm_id, "ada", desk.clock.now_ns())
    desk.clock.step_ns += 30 * NS_PER_S
    await sessions.tend()
    assert not [each for each in core.alarms.rows() if each.code == "ticket_expired"]
    _, *third = await alarm("T-3", 120)
    assert third == ["UNACK", 2, "T-3 expired unanswered"]
