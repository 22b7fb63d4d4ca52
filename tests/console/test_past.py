"""The past at the console: panels equal to what a live console showed, and nothing there can act."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from console.actions import SCREENS
from console.tui.app import InterlockApp
from console.tui.gateway import EngineGateway
from console.tui.kill import Stage
from console.tui.model import Trust
from console.tui.past import PastClock, PastGateway
from console.tui.widgets.frame import MessageLine
from console.tui.widgets.lines import Lines
from console.tui.widgets.live_table import LiveTable
from engine.api.client import EngineClient
from engine.api.commands import AlarmAck
from engine.api.home import HomePaths
from engine.api.past import Frame, Packer, PastRecord, file_name
from engine.api.views import AlarmsView, StatusView, View
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S, SystemClock
from tests.console import desk_fixture as desk
from tests.survival.conftest import Rig

SIZE = (160, 48)
ROOMS = (*(name for _, name, _ in SCREENS), "limits", "reconcile")
OWN = {"own"}
"""Panes that show the console itself, not the desk."""
Panels = dict[str, str]


def said(app: InterlockApp) -> str:
    return app.desktop.query_one(MessageLine).said[0]


async def panels(pilot: Pilot[Any], app: InterlockApp) -> Panels:
    """Return what each pane of each room shows, and the alarm line."""
    found = {"alarm": app.desktop.query_one("#alarm", Lines).plain()}
    for name in ROOMS:
        app.go(name)
        app.paint()
        await pilot.pause()
        room = app.desktop.room(name)
        assert room is not None
        for table in room.query(LiveTable):
            table.move(-10_000)  # where the cursor stands is the console's own, not the desk's
        room.update()
        for number, pane in enumerate(room.query(Lines)):
            if pane.display and pane.id not in OWN:
                pane.update()
                found[f"{name}/{pane.id}/{number}"] = pane.plain()
    rows = found["events/list/0"].partition("\n")[2]
    return {**found, "events/list/0": rows}  # its title counts what this console remembers beyond the view


def essence(views: Iterable[View]) -> set[bytes]:
    """Return what views say, without their stamps: one that says the same again is not published again."""
    return {msgspec.json.encode(msgspec.structs.replace(view, seq=0, at_ns=0)) for view in views}  # type: ignore[type-var]


async def live_panels(pilot: Pilot[Any], app: InterlockApp) -> tuple[int, set[bytes], Panels]:
    """Hold the live console's picture, and return its instant, what its views say, and its panes."""
    clock, at_ns = app.desk.clock, app.clock.now_ns()
    views = essence(app.desk._views.values())
    app.desk.clock = PastClock(at_ns)
    app.desk._heard_ns = at_ns
    app.desktop.query_one("#alarm", Lines).update()
    app.desk.toggle_freeze()
    shown = await panels(pilot, app)
    app.desk.toggle_freeze()
    app.desk.clock = clock
    return at_ns, views, shown


async def captured(pilot: Pilot[Any], app: InterlockApp, rig: Rig) -> tuple[int, Panels]:
    """Capture at an instant at which no view was on its way to the console."""
    for _ in range(10):
        at_ns, views, shown = await live_panels(pilot, app)
        await asyncio.sleep(5.0)  # what was published by then is written by now
        moment = PastRecord(rig.home).at(at_ns)
        if essence(moment.views) == views:
            return at_ns, shown
    raise AssertionError("a view was on its way at each of ten instants")


async def drive(rig: Rig, client: EngineClient, step: str) -> None:
    """Do the next thing that happens on this desk."""
    if step == "trade":
        await rig.trade(client)
    elif step == "kill":
        await rig.kill(client)
        view = await client.query_view("alarms", AlarmsView)
        await client.demand(AlarmAck(alarm_id=view.rows[0].alarm_id), object)


@pytest.mark.timeout(400)
async def test_panels_of_the_past_equal_what_a_live_console_showed(tmp_path: Path) -> None:
    rig, seen = Rig(tmp_path / "home"), list[tuple[int, Panels]]()
    client = await rig.start()
    try:
        app = InterlockApp(EngineGateway(rig.home, SystemClock(), "ada"), SystemClock(), "ada")
        async with app.run_test(size=SIZE) as pilot:
            deadline = time.monotonic() + 60
            while app.desk.trust is not Trust.OK or app.desktop.room("limits") is None:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            for step in ("idle", "trade", "kill"):
                await drive(rig, client, step)
                await asyncio.sleep(1.5)
                seen.append(await captured(pilot, app, rig))
    finally:
        await rig.close()
    differ = {name for name in seen[0][1] if len({shown.get(name) for _, shown in seen}) > 1}
    assert {"alarm", "overview/positions/1"} & differ, "the three instants are told apart"
    for at_ns, shown in seen:
        app = InterlockApp(PastGateway(rig.home, at_ns, "ada"), SystemClock(), "ada")
        async with app.run_test(size=(SIZE[0], SIZE[1] + 1)) as pilot:  # the banner has its own line
            await pilot.pause(0.3)
            assert await panels(pilot, app) == shown


async def test_the_keys_move_the_instant_and_nothing_acts(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "home")
    await rig.start()
    try:
        await asyncio.sleep(6.0)
        (span, *_) = PastRecord(rig.home).spans()
        middle = span.from_ns + 2 * NS_PER_S
        gateway = PastGateway(rig.home, middle, "ada", "I-x")
        app = InterlockApp(gateway, SystemClock(), "ada", is_readonly=True)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause(0.2)
            banner = app.desktop.query_one("#past", Lines)
            assert "PAST" in banner.plain() and "I-x" in banner.plain()
            for key, moved_s in (("]", 1), ("[", -1)):
                before = gateway.clock.at_ns
                await pilot.press(key)
                assert gateway.clock.at_ns - before == moved_s * NS_PER_S
            await pilot.press(".")
            await pilot.press(",")
            assert 0 <= middle - gateway.clock.at_ns < NS_PER_S
            await pilot.press("{")
            assert "nothing is recorded" in said(app)
            await pilot.press("p")
            at_ns = gateway.clock.at_ns
            await pilot.pause(0.8)
            assert gateway.speed == 1 and gateway.clock.at_ns > at_ns
            app.send(AlarmAck(alarm_id="A-x"), "ack")
            assert "PAST" in said(app)
            await pilot.press("ctrl+x", *"KILL", "enter")
            deadline = time.monotonic() + 10
            while app.flow.stage is not Stage.DONE:
                assert time.monotonic() < deadline, app.flow.stage
                await asyncio.sleep(0.05)
        assert rig.latch() is KillLevel.HALT_ALL, "the kill reaches the engine of the present"
    finally:
        await rig.close()


@pytest.mark.parametrize("gap_s", [0.5, 30.0])
async def test_an_instant_long_after_the_last_view_is_shown_as_stale(tmp_path: Path, gap_s: float) -> None:
    rig = Rig(tmp_path / "home")
    client = await rig.start()
    del client
    await asyncio.sleep(5.0)
    await rig.kill_hard()
    end_ns = PastRecord(rig.home).spans()[-1].to_ns
    app = InterlockApp(PastGateway(rig.home, end_ns + round(gap_s * NS_PER_S), "ada"), SystemClock(), "ada")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.2)
        assert app.desk.latest(StatusView) is not None
        assert app.desk.trust is (Trust.OK if gap_s < 2 else Trust.STALE)


def recorded_desk(home: Path) -> PastGateway:
    """Return the console's past over a record of the fixture's desk."""
    frames = [
        Frame(at_ns=desk.NOW_NS, name=str(number), body=msgspec.json.encode(view))
        for number, view in enumerate(desk.desk_views())
    ]
    folder = HomePaths(home).past
    folder.mkdir(parents=True)
    (folder / file_name(desk.NOW_NS, 7)).write_bytes(Packer().pack(frames))
    return PastGateway(home, desk.NOW_NS, desk.OPERATOR, "I-20261121T031407Z-41")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_the_past_looks_like_the_desk_with_a_banner(
    snap_compare: Any, size: tuple[int, int], tmp_path: Path
) -> None:
    app = desk.make_app(recorded_desk(tmp_path))
    assert snap_compare(app, terminal_size=size)


def test_the_past_without_colour(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.make_app(recorded_desk(tmp_path), is_utf8=False)
    assert snap_compare(app, terminal_size=(80, 24))
