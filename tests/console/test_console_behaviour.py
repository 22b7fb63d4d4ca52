"""What keys do: the guard, the tickets, refusals, hostile text."""

from __future__ import annotations

import asyncio
import gc
import time
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace
from textual import events
from textual.pilot import Pilot
from textual.widgets import Markdown

from console.actions import ACTIONS, SCREENS, SIDE_SCREENS, find
from console.tui.app import MOVES, InterlockApp
from console.tui.kill import Stage
from console.tui.model import Link, Trust
from console.tui.palette import entry
from console.tui.screens.runbooks import Runbooks
from console.tui.text import clean
from console.tui.widgets.frame import MessageLine
from console.tui.widgets.guard_bar import GuardBar
from console.tui.widgets.hold_line import HOW, HoldLines
from console.tui.widgets.lines import Lines, settle
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.commands import (
    REJECT_REASONS,
    AlarmAck,
    AlarmShelve,
    AlarmUnshelve,
    DrillStart,
    Flatten,
    IncidentClose,
    IncidentWrite,
    Kill,
    KillArm,
    KillDone,
    LeaseGive,
    LeaseKeep,
    LeaseTake,
    OrderCancel,
    PairConfirm,
    Reply,
    Resume,
    TicketApprove,
    TicketCosign,
    TicketReject,
    TicketRejectAll,
    TicketSelect,
    TicketShow,
)
from engine.api.reconcile import Reconcile
from engine.api.views import AlarmsView
from safety.alarm_codes import ALARMS
from safety.interlock import HOLDS
from safety.reasons import REASONS
from seams.clock import FixedClock
from seams.net import NetDown, NoAnswer
from tests.console import desk_fixture as desk

SIZE = (120, 40)


async def press(pilot: Pilot[Any], *keys: str, is_engine_heard: bool = True) -> None:
    """Press keys as a hand does: never two within the auto-repeat gap."""
    for key in keys:
        app = pilot.app
        assert isinstance(app, InterlockApp)
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(0.16)
        if is_engine_heard:
            app.desk.note_resync()
        await pilot.press(key)
    await pilot.pause()


def sent(app: InterlockApp, kind: type) -> list[Any]:
    return [body for body, _, _ in app.gateway.sent if isinstance(body, kind)]  # type: ignore[attr-defined]


def said(app: InterlockApp) -> str:
    return app.desktop.query_one(MessageLine).said[0]


def picture(app: InterlockApp) -> str:
    return "\n".join(pane.plain() for pane in app.desktop.query(Lines) if pane.size.height)


REVIEWED = desk.ticket(state="reviewing", reviewer=desk.OPERATOR, worst="ok", checks=desk.calm_checks())


async def test_approve_sends_the_hash_that_was_seen() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert [a.ticket_hash for a in sent(app, TicketApprove)] == [REVIEWED.ticket_hash]


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
    app = desk.make_app(desk.gateway(tickets=desk.tickets(REVIEWED)))
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
    app = desk.make_app(desk.gateway(status=desk.status(lease=desk.OTHERS), tickets=desk.tickets(REVIEWED)))
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
    gateway = desk.gateway(tickets=desk.tickets(REVIEWED))
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


async def test_kill_is_one_id_one_word_and_is_shown_with_its_time() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", *"kill")
        assert not sent(app, Kill)
        await press(pilot, "enter")
        kills = [(body, request) for body, _, request in app.gateway.sent if isinstance(body, Kill)]  # type: ignore[attr-defined]
        assert {body.confirm for body, _ in kills} == {"KILL"}
        assert len({request for _, request in kills}) == 1
        assert kills[0][0].nonce == "n1"
        assert app.flow.stage is Stage.DONE
        assert "HALTED" in picture(app)
        assert "ms from Enter" in picture(app)
        assert "positions kept 4" in picture(app)


async def test_a_wrong_letter_a_repeat_a_paste_and_escape_do_not_kill() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "k", "k", "k", "enter", "enter")
        app.desktop.on_paste(events.Paste("KILL"))
        await press(pilot, "enter")
        assert app.flow.stage is Stage.ARMED
        await press(pilot, "ctrl+x", "ctrl+x", "escape")
        assert app.flow.stage is Stage.DOWN
        assert not sent(app, Kill)


async def test_the_guard_closes_by_itself_after_ten_seconds() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "k")
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(10)
        app._tick()
        assert app.flow.stage is Stage.DOWN
        assert "disarmed" in said(app)
        await pilot.pause()


async def test_tab_moves_to_flatten_with_its_own_word() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "tab", "tab", *"flatten", "enter")
        assert sent(app, Flatten)[0].confirm == "FLATTEN"
        assert not sent(app, Kill)


async def test_close_only_is_a_kill_that_keeps_orders_and_carries_the_word_the_engine_wants() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "tab", *"close", "enter")
        assert sent(app, Kill)[0] == Kill(level="close_only", cancel_orders=False, confirm="KILL", nonce="n1")


async def test_an_unanswered_kill_is_unconfirmed_and_repeats_under_its_id() -> None:
    gateway = desk.gateway()
    gateway.replies = {KillArm: NetDown("gone"), Kill: NoAnswer("silence")}
    app = desk.make_app(gateway)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await asyncio.sleep(0.4)
        await pilot.pause()
        assert app.flow.stage is Stage.UNCONFIRMED
        assert "interlock kill --direct --confirm KILL" in picture(app)
        await press(pilot, "r")
        await asyncio.sleep(0.4)
        requests = [request for body, _, request in gateway.sent if isinstance(body, Kill)]
        assert len(requests) == 6
        assert len(set(requests)) == 1


@pytest.mark.parametrize("before", [("colon",), ("slash", "b"), ("question_mark",), ("2", "R")])
async def test_kill_arms_from_palette_input_help_and_question(before: tuple[str, ...]) -> None:
    app = desk.make_app(is_readonly=before == ("question_mark",))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *before, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


@pytest.mark.parametrize("closing", ["enter", "escape"])
async def test_keys_are_the_consoles_again_once_the_palette_has_closed(closing: str) -> None:
    """The screen gave its focus to a field of the hidden order form, which then ate every letter."""
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "colon", *"limits")
        await pilot.pause(0.5)  # the palette gathers what fits
        await press(pilot, closing)
        while len(app.screen_stack) > 1:
            await pilot.pause(0.05)
        assert app.focused is None
        await press(pilot, "3")
        assert app.room_name == "positions"


async def test_the_too_small_page_still_kills() -> None:
    app = desk.make_app()
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.pause()
        assert "needs 80x24, has 60x15" in picture(app)
        assert "P1 UNACK" in picture(app)
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


async def test_a_stale_console_refuses_commands_but_not_a_kill() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2")
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(2.5)
        assert app.desk.trust is Trust.STALE
        await press(pilot, "A", "a", is_engine_heard=False)
        assert not sent(app, TicketApprove)
        assert not sent(app, AlarmAck)
        assert "STALE" in said(app)
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


async def test_a_lost_link_shows_at_once_and_frozen_or_readonly_consoles_send_nothing() -> None:
    app = desk.make_app(is_readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "enter")
        assert not sent(app, TicketSelect)
        assert "READ-ONLY" in said(app)
        app.desk.set_link(Link.DOWN)
        app._tick()
        assert "DISCONNECTED" in picture(app)


async def test_freeze_holds_the_picture_and_refuses_commands() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "space", "A")
        assert not sent(app, TicketApprove)
        assert "FROZEN" in said(app)


async def test_resume_wants_a_reason_and_the_word() -> None:
    halted = desk.status(level="halt", kill_level="halt_all", killed_by="mara", holds=desk.HALT_HOLDS)
    app = desk.make_app(desk.gateway(status=halted))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "u", *"fixed", "enter", *"resum", "enter")
        assert not sent(app, Resume)
        await press(pilot, *"resume", "enter")
        (command,) = [c for c in app.gateway.sent if isinstance(c[0], Resume)]  # type: ignore[attr-defined]
        assert command[:2] == (Resume(confirm="RESUME"), "fixed")


async def test_a_halt_that_nobody_explained_is_resumed_from_with_a_note() -> None:
    hold = msgspec.structs.replace(desk.HALT_HOLDS[0], code="incident:I-1")  # type: ignore[type-var]
    halted = desk.status(level="halt", kill_level="halt_all", killed_by="mara", holds=(hold,))
    app = desk.make_app(desk.gateway(status=halted))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "u", *"fixed", "enter", "enter")
        assert "in words" in said(app) and not sent(app, Resume)
        await press(pilot, "u", *"fixed", "enter", *"feed", "enter", *"resume", "enter")
        assert sent(app, Resume) == [Resume(confirm="RESUME", note="feed")]


async def test_a_drill_begins_with_a_reason_and_its_word() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "x", "S", "enter")
        assert "has a reason" in said(app)
        await press(pilot, "S", *"monthly", "enter", *"drop", "enter")
        assert not sent(app, DrillStart)
        await press(pilot, *"drill", "enter")
        (command,) = [c for c in app.gateway.sent if isinstance(c[0], DrillStart)]  # type: ignore[attr-defined]
        assert command[:2] == (DrillStart(kind="kill", confirm="DRILL"), "monthly")


async def test_an_incident_is_noted_closed_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "i", "n", *"feed", "enter", "c", "enter")
        assert "say it in words" in said(app)
        await press(pilot, "c", *"done", "enter", "e")
        name = "I-20261121T030755Z-412"
        assert sent(app, IncidentWrite) == [IncidentWrite(incident_id=name, text="feed")]
        assert sent(app, IncidentClose) == [IncidentClose(incident_id=name, text="done")]
        report = (tmp_path / "outputs" / "exports" / f"{name}.md").read_text()
        assert "halt_all latched" in report and "quotes looked frozen" in report
        await press(pilot, "down")
        assert "lag bound is 4 s now" in picture(app)


async def test_cancel_wants_a_yes_and_a_refusal_shows_its_correction() -> None:
    gateway = desk.gateway()
    gateway.replies[OrderCancel] = Reply(
        request_id="", ok=False, code="ORDER_GONE", message="already filled", correction="look at positions"
    )
    app = desk.make_app(gateway)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4", "c", "n")
        assert not sent(app, OrderCancel)
        await press(pilot, "c", "y")
        assert [c.order_id for c in sent(app, OrderCancel)] == ["O-77121"]
        assert said(app) == "refused ORDER_GONE: already filled — look at positions"


HOSTILE = "[bold]x[/] [@click=app.quit]go[/] \x1b[31mred\x1b]0;title\x07 \u202eabc\u200b\x9b1m"


async def test_hostile_text_is_shown_inert() -> None:
    rows = (desk.order(0, reason=HOSTILE, symbol=HOSTILE),)
    app = desk.make_app(desk.gateway(orders=desk.v.OrdersView(seq=41, at_ns=1, rows=rows)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4")
        shown = picture(app)
        assert "[bold]x[/] [@click=app.quit]go[/] red abc" in shown
        assert all(char == "\n" or char.isprintable() for char in shown)
        assert clean(HOSTILE).isprintable()


async def test_every_action_has_a_key_a_meaning_and_a_place_in_the_palette() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "1")
        names = [name for _, name, _ in SCREENS]
        for action in ACTIONS:
            assert action.keys
            assert entry(action)
            screens = action.screens or tuple(names)
            for screen in screens:
                assert all(find(key, screen) is action for key in action.keys), (action.id, screen)
            if not action.keys[0].isdigit() and not action.screens:
                known = (*MOVES, *SIDE_SCREENS)
                assert action.id in known or hasattr(app, f"_do_{action.id}"), action.id


async def test_an_alarm_is_shelved_with_a_typed_reason_and_priority_1_is_not() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", "z")
        assert not sent(app, AlarmShelve) and "priority 1" in said(app)
        await press(pilot, "j", "z", "enter")
        assert not sent(app, AlarmShelve) and "needs a reason" in said(app)
        await press(pilot, "z", "w", "h", "y", "enter", "1", "enter")
        assert not sent(app, AlarmShelve) and "1 to 240" in said(app), "601 minutes are too many"
        await press(pilot, "z", "w", "h", "y", "enter", "enter")
        (shelf,) = sent(app, AlarmShelve)
        assert shelf.minutes == 60 and [reason for body, reason, _ in app.gateway.sent if body is shelf] == [
            "why"
        ]  # type: ignore[attr-defined]
        await press(pilot, "Z")
        assert [body.alarm_id for body in sent(app, AlarmUnshelve)] == [shelf.alarm_id]


async def test_a_page_of_alarms_is_acknowledged_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", "A")
        view = app.desk.latest(AlarmsView)
        assert view is not None
        unseen = {row.alarm_id for row in view.rows if row.state in ("UNACK", "RTN-UN", "LATCH")}
        assert {body.alarm_id for body in sent(app, AlarmAck)} == unseen and len(unseen) > 1
        await press(pilot, "e")
        lines = (tmp_path / "outputs" / "exports" / "alarms.tsv").read_text().splitlines()
        assert lines[0].split("\t")[:2] == ["P", "STATE"] and len(lines) == len(view.rows) + 1


async def test_an_alarms_runbook_opens_at_its_heading() -> None:
    """One of each book; that every code has a heading in its book is tested with the tables."""
    app = desk.make_app()
    named = {spec.runbook.partition("#")[0]: spec.runbook for spec in (*ALARMS.values(), *REASONS.values())}
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "8")
        for name in named.values():
            app.open_runbook(name)
            await pilot.pause()
            room = app.room
            assert isinstance(room, Runbooks)
            assert name.startswith(f"{room.opened}.md#"), name
            assert "not among" not in said(app)
            page = room.query_one(Markdown)
            assert page.goto_anchor(name.partition("#")[2]), f"{name} has no such heading"


async def test_all_six_reasons_are_readable_on_a_narrow_terminal() -> None:
    app = desk.make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "R")
        await pilot.pause()
        shown = " ".join(picture(app).split())
        for reason in REJECT_REASONS.values():
            assert reason in shown


async def test_what_was_said_goes_with_the_screen_it_was_said_on() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert said(app)
        await press(pilot, "5")
        assert said(app) == ""


def test_a_cut_is_marked_and_blanks_are_not_a_cut() -> None:
    assert settle((("abcdef", "text"),), 4) == (("abc~", "text"),)
    assert settle((("abc      ", "text"),), 4) == (("abc ", "text"),)


async def test_idle_paints_nothing() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "1")
        app.paint()
        await pilot.pause()
        assert sum(pane.update() for pane in app.desktop.query(Lines)) == 0


async def test_a_hundred_thousand_rows_are_shown_at_once() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4")
        table = app.desktop.query_one("#room-orders #list", LiveTable)
        template = desk.order(0)
        rows = [template] * 100_000
        before = time.perf_counter()
        table.set_rows(rows)
        table.move(99_999)
        took_s = time.perf_counter() - before
        assert "99,9" in table.plain()
        assert took_s < 0.2


def test_the_cursor_stays_on_its_key_when_rows_move() -> None:
    table: LiveTable[str] = LiveTable("T", [Column("A", 0, str)], str, look=desk.Look())
    table.set_rows(["a", "b", "c"])
    table.move(1)
    table.set_rows(["z", "y", "a", "b"])
    assert table.selected == "b"


async def test_a_collector_held_off_for_the_start_works_again_after_the_first_frame() -> None:
    gc.disable()
    try:
        async with desk.make_app().run_test(size=SIZE) as pilot:
            await pilot.pause()
            assert gc.isenabled() and gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()


async def test_the_theme_is_on_before_the_style_sheets_are_read_and_they_are_read_once() -> None:
    app = desk.make_app()
    read: list[int] = []
    reparse = app.stylesheet.reparse
    app.stylesheet.reparse = lambda: (read.append(1), reparse())[1]  # type: ignore[method-assign]
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.theme == "interlock-grey" and app.has_class("-theme-interlock-grey", "-dark-mode")
    assert read == []


async def test_a_difference_is_decided_only_as_it_was_selected_and_with_a_reason() -> None:
    app = desk.make_app(desk.gateway())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "d", "A")
        assert "select it first" in said(app) and not app.prompt.is_open
        await press(pilot, "enter", "A")
        assert app.prompt.is_open
        await press(pilot, "enter")
        assert "reason" in said(app) and not sent(app, Reconcile)
        changed = [replace(row, seen="ffff" * 4) for row in desk.reconcile().rows]
        app.desk.store(replace(desk.reconcile(), seq=42, rows=tuple(changed)))
        await press(pilot, "A")
        assert "has changed" in said(app) and not sent(app, Reconcile)
        await press(pilot, "enter", "A", *"mine", "enter")
        (body,) = sent(app, Reconcile)
        assert (body.act, body.key, body.seen) == ("adopt", "foreign:HAND-7", "ffff" * 4)
        assert app.gateway.sent[-1][1] == "mine"  # type: ignore[attr-defined]
        await press(pilot, "j", "enter", "A")
        assert "foreign orders of this symbol first" in said(app), "one hand trade is not booked twice"
        assert len(sent(app, Reconcile)) == 1


async def test_a_readonly_console_decides_nothing_about_differences() -> None:
    app = desk.make_app(desk.gateway(), is_readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "d", "enter", "F")
        assert "READ-ONLY" in said(app) and not app.prompt.is_open and not sent(app, Reconcile)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_hold_is_in_sight_with_its_reason_and_where_it_is_cleared(size: tuple[int, int]) -> None:
    held = desk.status(level="halt", holds=desk.MORE_HOLDS[:2])
    app = desk.make_app(desk.gateway(status=held))
    async with app.run_test(size=size) as pilot:
        for key in ("1", "2", "4", "9", "d"):
            await press(pilot, key)
            shown = app.desktop.query_one(HoldLines).plain()
            for hold in desk.MORE_HOLDS[:2]:
                assert hold.code in shown and hold.evidence[:12] in shown
            assert "7, then u" in shown and ("-> d" in shown or "booked adjustment" in shown)
        app.desk.store(desk.status(seq=43))
        await press(pilot, "1")
        assert not app.desktop.query_one(HoldLines).display, "no hold, no line"


def test_every_kind_of_hold_says_where_it_is_cleared() -> None:
    for code, spec in HOLDS.items():
        assert HOW.get(code) or spec.cleared_by, code
    assert set(HOW) <= set(HOLDS)


async def test_a_kill_that_latched_while_the_venue_is_silent_says_what_is_done_and_what_is_not() -> None:
    given = desk.gateway()
    given.replies = {**given.replies, Kill: NoAnswer("no answer within 2 s")}
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await pilot.pause(0.6)
        assert app.flow.stage is Stage.UNCONFIRMED
        app.paint()
        assert "Assume NOTHING was stopped" in app.desktop.query_one(GuardBar).plain()
        latched = {"kill_level": "halt_all", "killed_by": "mara", "killed_at_ns": desk.ago(1)}
        app.desk.store(desk.status(seq=50, level="halt", orders_working=2, venues_up=1, **latched))
        app.desk.note_resync()
        app.paint()
        shown = app.desktop.query_one(GuardBar).plain()
        assert "LATCHED, CANCELS UNCONFIRMED" in shown and "BLOCKED: halt_all" in shown
        assert "2 orders still work" in shown and "1/2" in shown and "NOTHING" not in shown
        app.desk.set_link(Link.DOWN)
        app.paint()
        assert "Assume NOTHING" in app.desktop.query_one(GuardBar).plain(), "an old picture proves nothing"


async def test_cancels_that_nobody_confirmed_are_said_aloud() -> None:
    given = desk.gateway()
    done = KillDone(
        kill_id="K-1", level="halt_all", latched_at_ns=desk.NOW_NS, latch_ms=0.4, cancels_sent=3,
        cancels_confirmed=1, positions_kept=0,
    )  # fmt: skip
    given.replies = {**given.replies, Kill: desk.reply_with(done)}
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await pilot.pause()
        assert "CANCEL UNCONFIRMED, 3 still work" in app.desktop.query_one(GuardBar).plain()
