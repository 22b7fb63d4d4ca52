"""The Corridor screen over real sessions: a way through an ambiguity, step by step, as people see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.cli.submit import STEP_TIMEOUT_S
from console.tui.outbox import PATIENCE_S
from console.tui.screens.corridor import CorridorRoom
from engine.api.commands import QueryBody
from engine.api.corridor import RunbookTick, Step, SubmitAct, SubmitList, SubmitOpen, SubmitShow
from engine.corridor.case import Ask
from seams.wire import Lost
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import FixtureGateway, reply_with
from tests.console.hand import picture, press, said, sent
from tests.corridor.test_corridor import FORM, UP_TO_GATE, Hall
from tests.corridor.test_corridor import hall as hall
from venues.contract import Busy

SIZES = ((80, 24), (120, 40), (200, 60))


def gateway(hall: Hall) -> FixtureGateway:
    """A gateway that answers from the corridor's own desk."""
    made = desk.gateway()

    def show(asked: QueryBody) -> Any:
        assert isinstance(asked, SubmitShow)
        return hall.desk.show(asked.session_id)

    made.results[SubmitList] = lambda _: hall.desk.sessions()
    made.results[SubmitShow] = show
    return made


async def shown(hall: Hall, size: tuple[int, int] = (120, 40)) -> str:
    app = desk.make_app(gateway(hall))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up")
        return picture(app)


async def test_each_step_of_a_way_through_an_ambiguity_is_told(hall: Hall) -> None:
    session_id = await hall.opened()
    assert "next: n" in await shown(hall)
    for step in UP_TO_GATE[:-1]:
        await hall.do(session_id, step)
    assert "type GATE" in await shown(hall)
    await hall.do(session_id, Step.GATE)
    told = await shown(hall)
    assert "type SUBMIT" in told and "GATE 10 of 10 hold" in told
    hall.house.desk.wire.fault = Lost("silence")
    hall.house.desk.exchange.listeners.clear()
    await hall.do(session_id, Step.SUBMIT)
    told = await shown(hall)
    assert "submit_request_failed" in told and "CRITICAL" in told
    hall.house.desk.wire.fault = None
    hall.house.clock.advance(3.0)
    await hall.do(session_id, Step.STATUS)
    told = await shown(hall)
    assert "order_open" in told and "CRITICAL" not in told


async def test_the_gate_that_is_closed_shows_what_closes_it_first(hall: Hall) -> None:
    session_id = await hall.before_killed_gate()
    await hall.do(session_id, Step.GATE)
    told = await shown(hall)
    assert "GATE 7 of 10 hold" in told and " NO hold_blocks_entry" in told


@pytest.mark.parametrize("size", SIZES)
async def test_a_step_that_the_budget_kept_back_says_when_it_may_be_done(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    session_id = await hall.opened()

    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 901 of 1200 used", 23)

    monkeypatch.setattr(hall.desk.venue, "readiness", kept)
    await hall.do(session_id, Step.READINESS)
    told = await shown(hall, size)
    assert "venue_unreachable" not in told and "try again in 23 s" in told
    (line,) = [row for row in told.splitlines() if "[!]" in row]
    assert "readiness" in line and "venue_busy: " in line


async def test_a_gate_that_stays_closed_is_not_called_ok(hall: Hall) -> None:
    session_id = await hall.before_killed_gate()
    made = gateway(hall)
    made.replies = {**made.replies, SubmitAct: reply_with(await hall.do(session_id, Step.GATE))}
    app = desk.make_app(made)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "1")
        app.send(SubmitAct.of(session_id, "gate", "GATE"), f"gate of {session_id}")
        while "gate of" not in said(app) or "waiting" in said(app):
            await pilot.pause(0.02)
        assert said(app).startswith("NOT PASSED, gate of") and "hold_blocks_entry" in said(app)


async def test_a_step_that_is_done_is_asked_about_at_once(hall: Hall) -> None:
    """The next key is for the next step: a picture two seconds old offered the one that was just done."""
    session_id = await hall.opened()
    made = gateway(hall)
    made.replies = {**made.replies, SubmitAct: reply_with(await hall.do(session_id, Step.READINESS))}
    app = desk.make_app(made)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up", "n")
        before = sum(isinstance(body, SubmitShow) for body in made.asked)
        await press(pilot, "y")
        await pilot.pause(0.1)
        assert sum(isinstance(body, SubmitShow) for body in made.asked) > before


async def test_steps_of_a_person_want_their_word_and_others_a_yes(hall: Hall) -> None:
    session_id = await hall.opened()
    made = gateway(hall)
    app = desk.make_app(made)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up")
        await press(pilot, "n", "y")
        assert sent(app, SubmitAct) == [SubmitAct.of(session_id, "readiness", "")]
        await press(pilot, "C")
        assert "cannot be done: submit was not done" in said(app)


async def test_a_step_of_the_runbook_is_ticked_with_what_was_seen_and_stands_on_the_page(hall: Hall) -> None:
    session_id = await hall.opened()
    hall.desk.tick(RunbookTick(session_id=session_id, step=1), "ann", "nothing was refused")
    app = desk.make_app(gateway(hall))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up", "t")
        assert "corridor 2: `interlock submit readin" in app.prompt.label
        await press(pilot, "enter")
        assert not sent(app, RunbookTick) and "in words" in said(app)
        await press(pilot, "t", *"key is good", "enter")
        assert sent(app, RunbookTick) == [RunbookTick(session_id=session_id, step=2, book="corridor")]
        assert app.gateway.sent[-1][1] == "key is good"  # type: ignore[attr-defined]
        await press(pilot, "enter")
        await pilot.pause(0.1)
        read = picture(app)
        for _ in range(40):
            await press(pilot, "pagedown")
            read += picture(app)
        assert "RUNBOOK corridor" in read and "1 of 8  t = tick" in read
        assert "[x] 1. Open the session" in read and "ann: nothing was refused" in read
        assert "[ ] 2. `interlock submit readiness" in read


async def test_enter_shows_what_every_step_found_on_the_smallest_screen(hall: Hall) -> None:
    """Beside list and steps there is no room for evidence there."""
    session_id = await hall.before_killed_gate()
    await hall.do(session_id, Step.GATE)
    app = desk.make_app(gateway(hall))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up")
        assert "NO hold_blocks_entry" not in picture(app) and "EVIDENCE" not in picture(app)
        await press(pilot, "enter")
        await pilot.pause(0.1)
        read = picture(app)
        assert "EVIDENCE OF" in read and "NO hold_blocks_entry" in read and "STEPS" not in read
        for _ in range(40):
            await press(pilot, "pagedown")
            read += picture(app)
        for step in ("preflight preflight_passed", "readiness account_ready", "approve approved"):
            assert f" {step} " in read
        assert "reviewer" in read and read.count("EVIDENCE OF") > 2
        await press(pilot, "escape")
        await pilot.pause(0.1)
        assert "EVIDENCE" not in picture(app) and app.room_name == "corridor"


async def test_the_session_that_was_opened_is_the_one_under_the_cursor(hall: Hall) -> None:
    """The next key is about it: on an older session it would be a step of another order."""
    await hall.opened()
    app = desk.make_app(gateway(hall))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down", "up")
        room = app.desktop.room("corridor")
        assert isinstance(room, CorridorRoom)
        room.await_opened()
        hall.house.clock.advance(61.0)
        await hall.house.clean()
        opened = await hall.opened()
        for _ in range(50):
            await press(pilot, "space", "space")
            await pilot.pause(0.05)
            if room.row is not None and room.row.session_id == opened:
                break
        assert room.row is not None and room.row.session_id == opened
        await press(pilot, "down")
        assert room.row.session_id != opened, "once: after that the cursor is the operator's"


def test_a_step_is_waited_for_as_long_as_the_command_line_waits() -> None:
    """Two seconds called a supervision of six, and every slow venue, an unknown outcome."""
    step = SubmitAct.of("X-1", "supervise", "")
    assert PATIENCE_S[SubmitAct] >= STEP_TIMEOUT_S + step.polls * step.interval_s
    assert PATIENCE_S[SubmitOpen] >= STEP_TIMEOUT_S


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_corridor_pictures(snap_compare: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    """A session that waits at its gate, beside one whose preflight was refused."""

    async def made() -> Hall:
        hall = Hall(tmp_path)
        await hall.house.clean()
        session_id = await hall.opened()
        for step in UP_TO_GATE[:-1]:
            await hall.do(session_id, step)
        await hall.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "quantity": "100000"}))
        return hall

    found = asyncio.run(made())

    async def steps(pilot: Any) -> None:
        await press(pilot, "o")
        await pilot.pause(0.1)
        await press(pilot, "down")
        await pilot.pause(0.1)

    assert snap_compare(desk.make_app(gateway(found)), terminal_size=size, run_before=steps)
