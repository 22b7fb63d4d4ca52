"""The watchdog as a process beside a real engine: frozen, killed, stopped in order, and missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from engine.api.commands import EngineStop
from engine.api.views import StatusView
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE

from .conftest import eventually
from .live import ExchangeProcess
from .watched import FAST, Relay, WatchedRig, beats


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[WatchedRig]:
    exchange = ExchangeProcess(tmp_path / "exchange")
    made = WatchedRig(tmp_path / "home", exchange)
    yield made
    await made.close()
    exchange.close()


async def begun(rig: WatchedRig) -> None:
    await rig.start()
    await rig.synced()
    rig.watch()
    await rig.rest_orders(1)
    await eventually(rig.is_open)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_an_engine_that_freezes_or_dies_is_latched_and_its_orders_go(
    rig: WatchedRig, number: signal.Signals
) -> None:
    await begun(rig)
    await eventually(lambda: beats(rig), rig.log)
    os.kill(rig.pid, number)
    await eventually(lambda: rig.latch() is KillLevel.CLOSE_ONLY, rig.log)
    assert KillByte.shared(rig.paths.safety / BYTE_FILE).level is KillLevel.CLOSE_ONLY

    async def is_gone() -> bool:
        return not await rig.is_open()

    await eventually(is_gone, rig.log)
    await eventually(lambda: rig.pages()[-1:] == ["cancelled"], rig.log)
    assert rig.pages()[0] == "close_only"
    if number is signal.SIGSTOP:
        os.kill(rig.pid, signal.SIGCONT)
        await eventually(lambda: rig.pages()[-1:] == ["engine_back"], rig.log)
        assert rig.latch() is KillLevel.CLOSE_ONLY, "the watchdog never loosens"


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_engine_cut_off_from_its_venue_is_latched_and_its_orders_go_within_fifteen_seconds(
    rig: WatchedRig,
) -> None:
    """S14 with the times in service: only the engine's line is cut, the watchdog has its own."""
    relay = Relay(int(rig.exchange.ready.url.rsplit(":", 1)[1]))
    address = await relay.open()
    try:
        rig.timing = {}
        await rig.start(INTERLOCK_EXECUTION__VENUE_URL=address)
        await rig.synced()
        rig.watch()
        await rig.rest_orders(1)
        await eventually(lambda: beats(rig), rig.log)
        await asyncio.sleep(3.0)
        began = time.monotonic()
        relay.is_cut = True
        await eventually(lambda: rig.latch() is KillLevel.CLOSE_ONLY, rig.log)
        latched_s = time.monotonic() - began

        async def is_gone() -> bool:
            return not await rig.is_open()

        await eventually(is_gone, rig.log)
        gone_s = time.monotonic() - began
        await eventually(lambda: "cancelled" in rig.pages(), rig.log)
        print(f"cut off: close_only {latched_s:.1f} s, no order left {gone_s:.1f} s, "
              f"proved {time.monotonic() - began:.1f} s")  # fmt: skip
        assert latched_s < 9.5 and gone_s < 15.0
    finally:
        await relay.close()


@pytest.mark.parametrize("end", ["exit 3", "sleep 60"])
async def test_each_page_is_given_to_the_command_and_one_that_fails_or_hangs_stops_nothing(
    rig: WatchedRig, tmp_path: Path, end: str
) -> None:
    heard, script = tmp_path / "heard", tmp_path / "page.sh"
    script.write_text(f"#!/bin/sh\nread line\necho $line >> {heard}\nenv > {heard}.env\n{end}\n")
    script.chmod(0o700)
    rig.timing = FAST | {"INTERLOCK_WATCHDOG__ALARM_COMMAND": json.dumps([str(script)])}
    await begun(rig)
    await eventually(lambda: beats(rig), rig.log)
    os.kill(rig.pid, signal.SIGSTOP)
    await eventually(lambda: rig.pages()[-1:] == ["cancelled"], rig.log)

    def kinds() -> set[str]:
        lines = heard.read_text().splitlines() if heard.exists() else []
        return {str(json.loads(line)["kind"]) for line in lines}

    await eventually(lambda: kinds() == set(rig.pages()), rig.log)
    assert rig.latch() is KillLevel.CLOSE_ONLY and not await rig.is_open()
    assert "INTERLOCK" not in Path(f"{heard}.env").read_text(), "no setting reaches a foreign program"


async def test_a_working_engine_and_one_that_stops_in_order_are_left_alone(rig: WatchedRig) -> None:
    client = await rig.start()
    await rig.synced()
    rig.watch()
    await rig.trade_live(client)
    await client.command(EngineStop())
    await rig.ended()
    await asyncio.sleep(5.5)  # longer than it waits for an engine that gives no sign
    assert rig.pages() == [] and rig.latch() is KillLevel.CLEAR


async def test_without_a_required_watchdog_only_exits_pass_until_itbeats(rig: WatchedRig) -> None:
    client = await rig.start(INTERLOCK_WATCHDOG__IS_REQUIRED="true")

    def holds(code: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            view = await client.query_view("status", StatusView)
            return code in {hold.code for hold in view.holds}

        return look

    def free_of(code: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return not await holds(code)()

        return look

    await eventually(holds("watchdog"), rig.log)
    rig.watch()
    await eventually(free_of("watchdog"), rig.log)
    assert rig.watchdog is not None
    rig.watchdog.kill()
    await eventually(holds("watchdog"), rig.log)
