"""What a kill leaves is looked at anew: no start forgets it, no old verdict clears it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.daemon import Engine
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S
from seams.wire import Unsent
from tests.engine.custody_house import House
from venues.sandbox.link import ExchangeLink


class Pulled(House):
    """An engine with custody of an account, its kill switch pulled."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.engine = Engine(self.custody.core, self.desk.link, "a")
        assert self.engine.custody is not None
        self.custody = self.engine.custody

    async def ask(self, body: c.CommandBody) -> c.Reply:
        core = self.engine.core
        command = c.Command(
            request_id=f"C-{self.clock.now_ns()}",
            operator="ada",
            reason="looked at everything",
            epoch=core.epoch,
            expires_at_ns=self.clock.now_ns() + 5 * NS_PER_S,
            body=body,
        )
        answer = await self.engine.handlers.on_command("", c.encode(command))
        return msgspec.json.decode(answer, type=c.Reply)


async def test_a_verdict_from_before_clears_no_latch(tmp_path: Path) -> None:
    house = Pulled(tmp_path)
    core = house.engine.core
    await house.clean()
    core.kill.trip(KillLevel.CLOSE_ONLY, by="watchdog", reason="no progress", source="watchdog")
    house.clock.advance(1.0)
    house.desk.wire.fault = Unsent("no route")
    reply = await house.ask(c.Resume(confirm="RESUME"))
    assert (reply.ok, reply.code) == (False, "reconciliation_not_clean")
    assert core.kill.level is KillLevel.CLOSE_ONLY
    house.desk.wire.fault = None
    house.clock.advance(1.0)
    assert (await house.ask(c.Resume(confirm="RESUME"))).ok
    assert core.kill.is_clear


async def test_a_kill_while_the_engine_starts_is_held_and_obeyed_by_its_first_turn(tmp_path: Path) -> None:
    engine = Pulled(tmp_path).engine
    engine.core.kill.byte.raise_to(KillLevel.HALT_ALL)  # after the start has read the latch
    engine.recover()
    engine.outside.look()
    assert engine.core.interlock.has("kill") and engine.core.interlock.level is HoldLevel.HALT
    assert engine.desk.obeyed is KillLevel.HALT_ALL
    await asyncio.gather(*engine.handlers.background)
    assert engine.desk.kills == 1
    engine.outside.look()
    await asyncio.gather(*engine.handlers.background)
    assert engine.desk.kills == 1


@pytest.mark.parametrize("price", [0.0, 100.0])
async def test_an_ended_session_hears_nothing_more_however_it_ended(tmp_path: Path, price: float) -> None:
    house = Pulled(tmp_path)
    link = house.desk.link
    assert isinstance(link, ExchangeLink)
    await house.clean()
    start = c.PaperStart(feed="exchange", strategies=("ema_cross",), params={"fast": 2.0, "slow": 4.0})
    entry = house.engine.desk.start_paper(start, "ada", "R-1")
    assert entry.task is not None and link.listening == 1
    await asyncio.sleep(0)
    house.desk.quote(price)  # no market has a price of 0: the session cannot go on
    await asyncio.sleep(0)
    if price:
        await house.engine.desk.stop_paper(entry.session.plan.session_id, "ada")
    await asyncio.wait_for(entry.task, 10)
    assert link.listening == 0 and not house.engine.desk.running
