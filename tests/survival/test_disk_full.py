"""A disk that takes nothing more: the engine halts, says so, and goes on answering.

The limit on file sizes stands in for the full disk: from one moment on every write of the engine fails.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.commands import EngineStop, Kill, Resume, TicketSelect
from engine.api.run_views import RunsView
from engine.api.views import AlarmsView, StatusView
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE

from .conftest import Rig, eventually, level_of


def _allow(rig: Rig, size_bytes: int) -> None:
    """Let the engine write no file beyond this size."""
    hard = resource.prlimit(rig.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(rig.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


@pytest.mark.parametrize("spare_bytes", [None, 40], ids=["nothing can be written", "a line is torn"])
async def test_a_full_disk_halts_the_engine_and_it_goes_on_answering(
    rig: Rig, spare_bytes: int | None
) -> None:
    client = await rig.start()
    session_id = await rig.trade(client)
    before = rig.entries()
    _allow(rig, 0 if spare_bytes is None else rig.paths.audit.stat().st_size + spare_bytes)

    async def is_halted() -> bool:
        return await level_of(client) == "halt_all"

    await eventually(is_halted, rig.log)
    assert KillByte.shared(rig.paths.safety / BYTE_FILE).level is KillLevel.HALT_ALL
    entries = rig.entries()
    assert entries <= before + 4

    async def is_ended() -> bool:
        runs = await client.query_view("runs", RunsView)
        return [r.status for r in runs.sessions if r.session_id == session_id] == ["failed"]

    await eventually(is_ended, rig.log)
    alarms = {row.code for row in (await client.query_view("alarms", AlarmsView)).rows}
    assert alarms & {"audit_broken", "database_error"} and "kill_latched" in alarms
    assert (await client.query_view("status", StatusView)).level == "halt"

    killed = await client.command(Kill(confirm="KILL"), reason="disk is full")
    assert killed.ok or killed.code == "disk_full"
    assert (await client.command(TicketSelect(ticket_id="T-none"))).code
    refused = await client.command(Resume(confirm="RESUME"), reason="too early")
    assert not refused.ok and await level_of(client) == "halt_all"
    assert rig.entries() == entries
    assert rig.process is not None and rig.process.poll() is None

    _allow(rig, resource.RLIM_INFINITY)
    await eventually(lambda: rig.latch() is KillLevel.HALT_ALL, rig.log)
    assert not (await client.command(Resume(confirm="RESUME"), reason="too early")).ok
    await client.command(EngineStop())
    assert await rig.ended() == 0

    client = await rig.start()
    assert await level_of(client) == "halt_all"
    assert rig.audit().ok
    status = rig.status_of(session_id)
    assert (status.status, status.status_reason) == ("failed", "exception")
    assert rig.rows("SELECT 1 FROM orders WHERE status IN ('submitting','open','partial')") == []
    await rig.resume(client)
    await rig.trade(client)


def _fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(b"x" * 4096)


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes, where this user may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "interlock-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
async def test_a_home_that_fills_up_can_still_be_killed(small_home: Path) -> None:
    rig = Rig(small_home / "home")
    try:
        client = await rig.start()
        await rig.trade(client)
        _fill(small_home / "ballast")

        async def is_halted() -> bool:
            return await level_of(client) == "halt_all"

        await eventually(is_halted, rig.log)
        killed = await client.command(Kill(confirm="KILL"))
        assert killed.code in ("ok", "disk_full")
        entries = rig.entries()
        assert await level_of(client) == "halt_all" and rig.entries() == entries
        (small_home / "ballast").unlink()
        await eventually(lambda: rig.latch() is KillLevel.HALT_ALL, rig.log)
    finally:
        await rig.close()
