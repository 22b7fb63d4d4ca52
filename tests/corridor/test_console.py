"""The Corridor screen over real sessions: a way through an ambiguity, step by step, as people see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.api.commands import QueryBody
from engine.api.corridor import Step, SubmitAct, SubmitList, SubmitShow
from engine.corridor.case import Ask
from seams.wire import Lost
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import FixtureGateway, reply_with
from tests.console.hand import picture, press, said, sent
from tests.corridor.test_corridor import FORM, UP_TO_GATE, Hall
from tests.corridor.test_corridor import hall as hall

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
