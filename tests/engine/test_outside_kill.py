"""A kill file trips the switch at the host's word, without a turn of the main loop; and without it too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.daemon import Engine
from engine.outside_kill import tell_of_kill_file
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.killswitch import REQUEST_FILE, read_latch
from tests.ops.cores import make_core


@pytest.mark.parametrize(
    ("text", "level"),
    [("", KillLevel.HALT_ALL), ("close_only", KillLevel.CLOSE_ONLY), ("clear", KillLevel.CLEAR)],
)
async def test_a_file_that_is_told_of_needs_no_turn_of_the_main_loop(
    tmp_path: Path, text: str, level: KillLevel
) -> None:
    core = make_core(tmp_path)
    engine = Engine(core)
    looked = asyncio.Event()
    look = engine.outside.look
    engine.outside.look = lambda: (look(), looked.set())[0]  # type: ignore[method-assign]
    told = tell_of_kill_file(core.paths.safety, engine.outside)
    assert told is not None
    (core.paths.safety / REQUEST_FILE).write_text(text)
    await asyncio.wait_for(looked.wait(), 2.0)
    assert core.kill.level is level and engine.desk.obeyed is level
    assert core.interlock.has("kill") is (level is not KillLevel.CLEAR)
    assert read_latch(core.disk, core.paths.safety).level is level
    if level is KillLevel.HALT_ALL:
        assert core.interlock.level is HoldLevel.HALT and core.kill.record.by == "file"
    await asyncio.gather(*engine.handlers.background)
    told.close()
    core.store.close()


async def test_without_a_host_that_tells_the_main_loop_still_looks(tmp_path: Path) -> None:
    core = make_core(tmp_path / "home")
    outside = Engine(core).outside
    assert tell_of_kill_file(tmp_path / "missing", outside) is None
    (core.paths.safety / REQUEST_FILE).write_text("clear")
    outside.look()
    assert core.kill.is_clear
    core.store.close()
