"""Keys of tickets and of the lease: what an approval, a rejection or an override sends, and what stops it."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from msgspec.structs import asdict

from engine.api.commands import (
    Kill,
    LeaseGive,
    LeaseKeep,
    LeaseTake,
    PairConfirm,
    TicketApprove,
    TicketCosign,
    TicketReject,
    TicketRejectAll,
    TicketSelect,
    TicketShow,
)
from seams.clock import FixedClock
from seams.net import NoAnswer
from tests.console import desk_fixture as desk
from tests.console.hand import SIZE, picture, press, said, sent


async def test_approve_sends_the_hash_that_was_seen() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(desk.REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert [a.ticket_hash for a in sent(app, TicketApprove)] == [desk.REVIEWED.ticket_hash]


async def test_approve_without_a_review_sends_nothing_and_says_why() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert not sent(app, TicketApprove)
        assert "review it first" in said(app)
        await press(pilot, "enter")
        assert [s.ticket_id for s in sent(app, TicketSelect)] == ["T-00412"]


async def test_a_review_by_another_operator_does_not_count() -> None:
    other = desk.ticket(state="reviewing", reviewer="ops2", worst="ok")
    app = desk.make_app(desk.gateway(tickets=desk.tickets(other)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert not sent(app, TicketApprove)


@pytest.mark.parametrize(("typed", "expected"), [("1.2", [D("1.2")]), ("12", []), ("", [])])
async def test_a_warning_wants_the_size_typed(typed: str, expected: list[D]) -> None:
    ticket = desk.ticket(state="reviewing", reviewer=desk.OPERATOR)
    app = desk.make_app(desk.gateway(tickets=desk.tickets(ticket)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A", *("full_stop" if c == "." else c for c in typed), "enter")
        assert [a.typed_size for a in sent(app, TicketApprove)] == expected


async def test_a_failed_check_switches_approval_off() -> None:
    ticket = desk.ticket(state="reviewing", reviewer=desk.OPERATOR, worst="fail")
    app = desk.make_app(desk.gateway(tickets=desk.tickets(ticket)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert not sent(app, TicketApprove)
        assert "FAILED" in said(app)


async def test_keys_in_flight_are_ignored_after_a_ticket_changed() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(desk.REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2")
        changed = desk.ticket(state="reviewing", reviewer=desk.OPERATOR, worst="ok", version=4)
        app.desk.store(desk.tickets(changed, seq=42))
        app.paint()
        await press(pilot, "A")
        assert not sent(app, TicketApprove)
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(0.5)
        await press(pilot, "A")
        assert len(sent(app, TicketApprove)) == 1


async def test_a_size_typed_for_an_older_version_approves_nothing() -> None:
    ticket = desk.ticket(state="reviewing", reviewer=desk.OPERATOR)
    app = desk.make_app(desk.gateway(tickets=desk.tickets(ticket)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A", "1", "full_stop", "2")
        changed = desk.ticket(state="reviewing", reviewer=desk.OPERATOR, version=4, ticket_hash="ee" * 32)
        app.desk.store(desk.tickets(changed, seq=42))
        await press(pilot, "enter")
        assert not sent(app, TicketApprove)
        assert "changed while you typed" in said(app)


async def test_all_shown_tickets_are_rejected_for_one_reason_and_none_is_approved_with_another() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "X", "3", "enter")
        assert sent(app, TicketRejectAll) == [
            TicketRejectAll(ticket_ids=("T-00412", "T-00413"), reason_digit=3)
        ]


async def test_a_second_person_types_the_size_and_the_first_one_cannot_sign_again() -> None:
    waits = {"state": "cosigning", "needs_second": True}
    for first, expected in (("ops2", ["9c1e55d0a7" + "f" * 54]), (desk.OPERATOR, [])):
        mine = desk.ticket(first_approver=first, reviewer=first, **waits)
        app = desk.make_app(desk.gateway(tickets=desk.tickets(mine)))
        async with app.run_test(size=SIZE) as pilot:
            await press(pilot, "2", "A", *(("1", "full_stop", "2", "enter") if expected else ()))
            assert [c.ticket_hash for c in sent(app, TicketCosign)] == expected


async def test_an_override_wants_a_reason_the_size_and_a_failed_check() -> None:
    failed = desk.ticket(state="reviewing", reviewer=desk.OPERATOR, worst="fail", checks=desk.failed_checks())
    app = desk.make_app(desk.gateway(tickets=desk.tickets(failed)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "O", *"hedge", "enter", "1", "full_stop", "2", "enter")
        (command,) = [c for c in app.gateway.sent if isinstance(c[0], TicketApprove)]  # type: ignore[attr-defined]
        assert command[0].is_override and command[0].typed_size == D("1.2") and command[1] == "hedge"


async def test_a_request_for_two_persons_is_signed_by_its_hash_and_its_word() -> None:
    app = desk.make_app(desk.gateway(status=desk.status(pairs=(desk.PAIR,))))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "A", *"sig", "enter")
        assert not sent(app, PairConfirm)
        await press(pilot, *"sign", "enter")
        assert sent(app, PairConfirm) == [PairConfirm(pair_id="P-7-0003", pair_hash="5d" * 32)]
    mine = desk.PAIR.__class__(**{**asdict(desk.PAIR), "signed_by": (desk.OPERATOR,)})
    app = desk.make_app(desk.gateway(status=desk.status(pairs=(mine,))))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "A")
        assert "nothing here waits for your signature" in said(app)


async def test_keys_keep_the_lease_now_and_then_and_only_where_it_is_held() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "j", "k")
        assert len(sent(app, LeaseKeep)) == 1
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(6)
        await press(pilot, "j")
        assert len(sent(app, LeaseKeep)) == 2
    other = desk.make_app(desk.gateway(status=desk.status(lease=desk.OTHERS)))
    async with other.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "j")
        assert not sent(other, LeaseKeep)


async def test_a_watching_console_starts_nothing_but_rejects_and_kills() -> None:
    app = desk.make_app(
        desk.gateway(status=desk.status(lease=desk.OTHERS), tickets=desk.tickets(desk.REVIEWED))
    )
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A", "enter")
        assert not sent(app, TicketApprove) and not sent(app, TicketSelect)
        assert "READ-ONLY: ops2 has the lease" in said(app)
        assert "READ-ONLY" in picture(app) and "LEASE ops2 0:31" in picture(app)
        await press(pilot, "R", "1", "enter")
        assert len(sent(app, TicketReject)) == 1
        await press(pilot, "T", *"adaleft", "enter")
        (taken,) = [c for c in app.gateway.sent if isinstance(c[0], LeaseTake)]  # type: ignore[attr-defined]
        assert taken[1] == "adaleft"
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


async def test_leaving_with_the_lease_asks_and_gives_it_up() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "ctrl+q", "n")
        assert not sent(app, LeaseGive) and app.is_running
        await press(pilot, "ctrl+q", "y")
        assert len(sent(app, LeaseGive)) == 1


async def test_an_approval_without_an_answer_is_unknown_and_only_asked_about() -> None:
    gateway = desk.gateway(tickets=desk.tickets(desk.REVIEWED))
    gateway.replies[TicketApprove] = NoAnswer("no answer within 1 s")
    gateway.results[TicketShow] = desk.ticket(state="sent")
    app = desk.make_app(gateway)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        await pilot.pause(0.05)
        assert len(sent(app, TicketApprove)) == 1
        assert "do NOT repeat it. The engine has it as SENT." in said(app)


async def test_reject_takes_a_digit_and_a_text() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "R", "1", "n", "o", "enter")
        assert sent(app, TicketReject) == [TicketReject(ticket_id="T-00412", reason_digit=1, text="no")]
