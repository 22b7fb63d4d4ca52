"""What keys do to orders, alarms, incidents, drills, holds and differences, and what a refusal says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from textual.widgets import Markdown

from console.actions import ACTIONS, SCREENS, SIDE_SCREENS, find
from console.tui.app import MOVES
from console.tui.model import Link
from console.tui.palette import entry
from console.tui.screens.runbooks import Runbooks
from engine.api.commands import (
    AlarmAck,
    AlarmShelve,
    AlarmUnshelve,
    DrillStart,
    IncidentClose,
    IncidentWrite,
    OrderCancel,
    Reply,
    Resume,
    TicketApprove,
    TicketSelect,
)
from engine.api.reconcile import Reconcile
from engine.api.views import AlarmsView
from safety.alarm_codes import ALARMS
from safety.reasons import REASONS
from tests.console import desk_fixture as desk
from tests.console.hand import SIZE, picture, press, said, sent


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
    app = desk.make_app(desk.gateway(tickets=desk.tickets(desk.REVIEWED)))
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


async def test_a_long_answer_shows_its_end_where_the_hand_is() -> None:
    app = desk.make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.prompt.ask("RESUME 1. Why is it safe to go on?", lambda _: None)
        await press(pilot, *"the feed of the venue was down for an hour and", *"END")
        assert "hour andEND_" in picture(app)
        assert "the feed of" not in picture(app)
