"""An engine that is going down: a second stop is no failure, and a kill is still a kill."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.daemon import Engine, Seams, build_core
from safety.killbyte import KillByte, KillLevel
from seams.clock import NS_PER_S
from seams.disk import MemoryDisk
from seams.rng import Rng
from seams.virtual import VirtualClock, VirtualLoop, run_virtual


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "db").mkdir(mode=0o700)
    seams = Seams(VirtualClock(VirtualLoop()), None, Rng(1), MemoryDisk(), pid=7, commit="0" * 40)
    engine = Engine(build_core(seams, tmp_path, {}, KillByte.anonymous()))
    engine.handlers.stop_requested.set()
    engine.core.store.close()
    return engine


def ask(engine: Engine, body: c.CommandBody) -> c.Reply:
    command = c.Command(
        request_id="C-1",
        operator="ada",
        reason="end of the day",
        epoch=engine.core.epoch,
        expires_at_ns=engine.core.clock.now_ns() + 5 * NS_PER_S,
        body=body,
    )
    answers: list[bytes] = []

    async def send() -> None:
        answers.append(await engine.handlers.on_command("", c.encode(command)))

    run_virtual(send(), VirtualLoop())
    return msgspec.json.decode(answers[0], type=c.Reply)


def test_a_stop_of_an_engine_that_stops_is_answered_with_ok(engine: Engine) -> None:
    assert ask(engine, c.EngineStop()).ok


def test_a_kill_latches_although_the_database_is_closed(engine: Engine) -> None:
    ask(engine, c.Kill(confirm="KILL", level="halt_all"))
    assert engine.core.kill.level is KillLevel.HALT_ALL
