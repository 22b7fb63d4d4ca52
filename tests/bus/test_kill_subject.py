"""Anyone may stop: with an observer's credential a kill passes, and nothing but a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.api import subjects
from engine.api.client import EngineClient
from engine.api.commands import (
    Command,
    CommandBody,
    EngineStop,
    Flatten,
    Kill,
    KillArm,
    KillArmed,
    KillDone,
    PaperStart,
    Reply,
    Resume,
    TicketApprove,
    encode,
)
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S
from seams.net import NetDown, NoAnswer
from tests.survival.conftest import CLOCK, Rig

OTHERS: tuple[CommandBody, ...] = (
    Resume(confirm="RESUME"),
    Flatten(confirm="FLATTEN"),
    EngineStop(),
    PaperStart(strategies=("ema_cross",)),
    TicketApprove(ticket_id="T-1-0001", ticket_hash="0" * 64),
)


async def _on_kill_subject(client: EngineClient, body: CommandBody, request_id: str) -> Reply:
    message = Command(
        request_id=request_id,
        operator="eve",
        reason="trying",
        epoch=client.epoch,
        expires_at_ns=CLOCK.now_ns() + 5 * NS_PER_S,
        body=body,
    )
    return msgspec.json.decode(await client.net.request(subjects.KILL, encode(message), 2.0), type=Reply)


@pytest.fixture
def made_rig(tmp_path: Path) -> Callable[[], Rig]:
    return lambda: Rig(tmp_path / "home")


async def test_an_observer_kills_and_can_do_nothing_else(made_rig: Callable[[], Rig]) -> None:
    rig = made_rig()
    try:
        operator = await rig.start()
        observer = await rig.client("observer", "watcher")
        armed = await observer.demand(KillArm(), KillArmed)
        assert armed.nonce
        for number, body in enumerate(OTHERS):
            with pytest.raises((NetDown, NoAnswer)):
                await observer.command(body, timeout_s=0.2)
            reply = await _on_kill_subject(observer, body, f"X-{number}")
            assert (reply.ok, reply.code) == (False, "not_permitted"), body
            assert reply.correction
        assert rig.latch() is KillLevel.CLEAR
        done = await observer.demand(Kill(confirm="KILL"), KillDone, reason="saw smoke")
        assert done.level == "halt_all"
        assert rig.latch() is KillLevel.HALT_ALL
        reply = await _on_kill_subject(observer, Resume(confirm="RESUME"), "X-resume")
        assert reply.code == "not_permitted"
        assert rig.latch() is KillLevel.HALT_ALL
        await rig.resume(operator)
    finally:
        await rig.close()
