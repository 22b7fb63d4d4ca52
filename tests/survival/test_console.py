"""A console is a window: killing it changes nothing in the engine, unless it was the demo's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.api.client import EngineClient
from engine.api.endpoint import read_endpoint
from engine.api.home import HomePaths
from engine.api.run_views import RunsView, SessionRow
from engine.api.views import StatusView
from engine.research.sessions import read_status
from safety.killbyte import KillLevel
from safety.killswitch import read_latch
from seams.disk import RealDisk

from .conftest import Rig, bars_of, eventually, is_gone
from .terminal import REPOSITORY, Terminal, surroundings

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_one(home: Path, *words: str) -> Terminal:
        opened.append(Terminal(home, *words))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.fixture
def started_home(tmp_path: Path) -> Iterator[Path]:
    """A home whose engine was started by the command line, as an operator starts it."""
    home = tmp_path / "home"
    command = [sys.executable, "-P", "-m", "interlock", "engine", "start"]
    done = subprocess.run(command, env=surroundings(home), cwd=REPOSITORY, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    pid = read_endpoint(HomePaths(home).endpoint).pid
    yield home
    if not is_gone(pid):
        os.kill(pid, signal.SIGKILL)


async def _session(client: EngineClient, session_id: str) -> SessionRow:
    rows = (await client.query_view("runs", RunsView)).sessions
    return next(row for row in rows if row.session_id == session_id)


async def _goes_on(client: EngineClient, session_id: str, bars: int) -> None:
    """The session still runs, and its market has moved beyond `bars`."""

    async def has_grown() -> bool:
        return (await _session(client, session_id)).bars > bars

    await eventually(has_grown)
    assert (await _session(client, session_id)).status == "running"


@pytest.mark.parametrize("moment", ["at rest", "with the kill armed"])
async def test_a_killed_console_leaves_engine_and_session_as_they_are(
    moment: str, started_home: Path, open_terminal: Open
) -> None:
    rig = Rig(started_home)
    client = await rig.client()
    before = read_endpoint(rig.paths.endpoint)
    session_id = await rig.trade(client)
    holds = {hold.code for hold in (await client.query_view("status", StatusView)).holds}
    console = open_terminal(started_home)
    console.wait_for(b" OVERVIEW ")
    console.wait_for(b"ENG ok")
    if moment == "with the kill armed":
        console.press(b"\x18")
        console.wait_for(b"KILL ARMED")
    bars = await bars_of(client)
    console.kill_hard()

    await _goes_on(client, session_id, bars + 1)
    assert read_endpoint(rig.paths.endpoint) == before, "the same engine, in the same epoch"
    status = await client.query_view("status", StatusView)
    assert (status.epoch, status.kill_level, status.sessions_active) == (before.epoch, "clear", 1)
    assert {hold.code for hold in status.holds} <= holds, "a lost console is no reason to hold"
    assert rig.latch() is KillLevel.CLEAR

    again = open_terminal(started_home)
    again.wait_for(b" OVERVIEW ")
    again.wait_for(b"ENG ok")
    await _goes_on(client, session_id, await bars_of(client))
    await rig.close()


async def test_a_console_beside_a_demo_can_be_killed_and_the_demo_itself_ends_in_order(
    tmp_path: Path, open_terminal: Open
) -> None:
    """The demo's process is its console and the owner of its engine (`--follow-parent`): killed, it takes
    the engine with it, in order. A console that only looks at the demo's home owns nothing."""
    demo = open_terminal(tmp_path, "demo")
    demo.wait_for(b"ENG ok")
    rig = Rig(tmp_path / "demo")
    client = await rig.client()
    endpoint = read_endpoint(rig.paths.endpoint)
    runs = await client.query_view("runs", RunsView)
    (session,) = (row for row in runs.sessions if row.status == "running")
    guest = open_terminal(rig.home)
    guest.wait_for(b"ENG ok")
    guest.kill_hard()
    await _goes_on(client, session.session_id, await bars_of(client))
    await rig.close()

    demo.kill_hard()
    await eventually(lambda: is_gone(endpoint.pid), rig.log)
    assert not rig.paths.endpoint.exists(), "the engine stopped in order"
    status = read_status(rig.paths.sessions / session.session_id, RealDisk())
    assert status.terminal and status.error_type != "engine_restart", status
    assert read_latch(RealDisk(), rig.paths.safety).level is KillLevel.CLEAR
    assert rig.audit().ok
