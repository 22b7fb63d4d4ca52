"""The console against a real engine process: what an operator does on a bad day, by keys alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.tui.app import InterlockApp
from console.tui.gateway import EngineGateway
from console.tui.kill import Stage
from console.tui.model import Trust
from console.tui.screens.tickets import Tickets
from console.tui.widgets.frame import MessageLine
from engine.api.commands import PaperStart, SessionStarted
from engine.api.demo import session_request
from engine.api.views import StatusView, TicketsView
from safety.killbyte import KillLevel
from seams.clock import SystemClock
from tests.survival.conftest import Rig
from tests.survival.patience import PATIENCE_S

SIZE = (120, 40)


async def until(pilot: Pilot[Any], check: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.02)
    await pilot.pause()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await asyncio.sleep(0.02)


def console(rig: Rig, *, is_readonly: bool = False) -> InterlockApp:
    clock = SystemClock()
    gateway = EngineGateway(rig.home, clock, "ada", is_readonly=is_readonly)
    return InterlockApp(gateway, clock, "ada", is_readonly=is_readonly)


def said(app: InterlockApp) -> str:
    return app.desktop.query_one(MessageLine).said[0]


def holds(app: InterlockApp) -> str:
    view = app.desk.latest(StatusView)
    return " ".join(hold.code for hold in view.holds) if view else ""


async def approve_one(pilot: Pilot[Any], app: InterlockApp) -> None:
    """Review and approve a ticket; another one where the market has moved on from the first."""
    room = app.desktop.room("tickets")
    assert isinstance(room, Tickets)
    deadline = time.monotonic() + PATIENCE_S
    while not said(app).startswith("ok: approval"):
        assert time.monotonic() < deadline, said(app)
        view = app.desk.latest(TicketsView)
        waiting = [t for t in view.rows if t.state == "proposed" and t.worst == "ok"] if view else []
        if not waiting:
            await asyncio.sleep(0.1)
            continue
        app.go("tickets", waiting[0].ticket_id)
        await press(pilot, "enter")
        await asyncio.sleep(0.7)  # the grace after a change under the operator's eyes
        chosen = room.ticket
        await press(pilot, "A")
        await asyncio.sleep(0.3)
        while "has just changed" in said(app) and time.monotonic() < deadline:
            await asyncio.sleep(0.6)  # its new version came late: look again, then press again
            await press(pilot, "A")
            await asyncio.sleep(0.3)
        assert room.ticket is not None and chosen is not None
        assert room.ticket.ticket_id == chosen.ticket_id == waiting[0].ticket_id


@pytest.mark.timeout(300)
async def test_a_day_at_the_desk(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "home")
    try:
        client = await rig.start()
        await client.demand(session_request(1), SessionStarted)
        app = console(rig)
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: app.desk.trust is Trust.OK and app.desk.latest(StatusView), "views")
            await approve_one(pilot, app)

            await press(pilot, "ctrl+x", *"kill", "enter")
            await until(pilot, lambda: app.flow.stage is Stage.DONE, "the latch")
            assert rig.latch() is KillLevel.HALT_ALL
            await asyncio.sleep(1.1)  # a result is read before it closes
            await until(pilot, lambda: "incident" in holds(app), "the incident")
            await press(pilot, "enter", "7", "u")
            await press(pilot, *"all is well", "enter", *"a test pulled it", "enter", *"resume", "enter")
            await until(pilot, lambda: rig.latch() is KillLevel.CLEAR, said(app))

            pid = rig.pid
            await rig.kill_hard()
            await until(pilot, lambda: app.desk.trust is Trust.DISCONNECTED, "DISCONNECTED")
            await rig.start()
            assert rig.pid != pid
            await until(pilot, lambda: app.desk.trust is Trust.OK, "the new engine")
            status = app.desk.latest(StatusView)
            assert status is not None and status.epoch == 2
    finally:
        await rig.close()


@pytest.mark.timeout(300)
async def test_a_readonly_console_kills_and_changes_nothing_else(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "home")
    try:
        client = await rig.start()
        app = console(rig, is_readonly=True)
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: app.desk.trust is Trust.OK, "views")
            app.send(PaperStart(strategies=("ema_cross",)), "start")
            assert "READ-ONLY" in said(app)
            await press(pilot, "ctrl+x", "tab", "tab", *"flatten", "enter")
            await until(pilot, lambda: app.flow.stage is Stage.REFUSED, "a clear refusal")
            await press(pilot, "ctrl+x")
            await until(pilot, lambda: app.flow.counts is not None, "the counts")
            await press(pilot, *"kill", "enter")
            await until(pilot, lambda: app.flow.stage is Stage.DONE, "the latch")
        assert rig.latch() is KillLevel.HALT_ALL
        await rig.resume(client)
    finally:
        await rig.close()
