"""The watchdog as a process beside a real engine: frozen, killed, stopped in order, and missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from engine.api.commands import EngineStop
from engine.api.views import StatusView
from safety.beat import WATCHDOG_BEAT_FILE, BeatPage, BeatState
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE

from .conftest import REPOSITORY, eventually
from .live import ExchangeProcess, LiveRig
from .test_exchange import order

FAST = {"INTERLOCK_WATCHDOG__CLOSE_ONLY_AFTER_S": "1.5", "INTERLOCK_WATCHDOG__CANCEL_AFTER_S": "2.5"}


class WatchedRig(LiveRig):
    """A live rig with its watchdog process."""

    watchdog: subprocess.Popen[bytes] | None = None

    def environ(self) -> dict[str, str]:
        return (
            super().environ() | FAST | {"INTERLOCK_WATCHDOG__KEY_FILE": self.exchange.ready.keys["watchdog"]}
        )

    def watch(self) -> None:
        """Start the watchdog as an operator would."""
        base = {k: v for k, v in os.environ.items() if not k.startswith("INTERLOCK_")}
        words = [sys.executable, "-P", "-m", "interlock", "--home", str(self.home), "watchdog", "run"]
        environ = {**base, "PYTHONPATH": str(REPOSITORY), **self.environ()}
        with self.paths.log.open("ab") as log:
            self.watchdog = subprocess.Popen(words, env=environ, stdout=log, stderr=log)

    def pages(self) -> list[str]:
        """Return the kinds of the messages it has sent."""
        path = self.paths.safety / "watchdog.pages.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [json.loads(line)["kind"] for line in lines]

    async def rest_an_order(self) -> None:
        """Put an order on the book that only a cancel ends."""
        link = self.exchange.link("engine")
        await link.submit(link.sign(order("resting-1"), await link.time_ns() // 1_000_000, 0))

    async def is_open(self) -> bool:
        return bool(await self.exchange.link().open_orders())

    async def close(self) -> None:
        if self.watchdog is not None:
            self.watchdog.terminate()
            self.watchdog.wait(10)
        await super().close()


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
    await rig.rest_an_order()
    await eventually(rig.is_open, 5.0)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_an_engine_that_freezes_or_dies_is_latched_and_its_orders_go(
    rig: WatchedRig, number: signal.Signals
) -> None:
    await begun(rig)
    await eventually(lambda: _beats(rig), 5.0, rig.log)
    os.kill(rig.pid, number)
    await eventually(lambda: rig.latch() is KillLevel.CLOSE_ONLY, 6.0, rig.log)
    assert KillByte.shared(rig.paths.safety / BYTE_FILE).level is KillLevel.CLOSE_ONLY

    async def is_gone() -> bool:
        return not await rig.is_open()

    await eventually(is_gone, 8.0, rig.log)
    await eventually(lambda: rig.pages()[-1:] == ["cancelled"], 8.0, rig.log)
    assert rig.pages()[0] == "close_only"
    if number is signal.SIGSTOP:
        os.kill(rig.pid, signal.SIGCONT)
        await eventually(lambda: rig.pages()[-1:] == ["engine_back"], 8.0, rig.log)
        assert rig.latch() is KillLevel.CLOSE_ONLY, "the watchdog never loosens"


async def test_a_working_engine_and_one_that_stops_in_order_are_left_alone(rig: WatchedRig) -> None:
    client = await rig.start()
    await rig.synced()
    rig.watch()
    await rig.trade_live(client)
    await client.command(EngineStop())
    await rig.ended()
    await asyncio.sleep(3.5)
    assert rig.pages() == [] and rig.latch() is KillLevel.CLEAR


async def test_without_a_required_watchdog_only_exits_pass_until_it_beats(rig: WatchedRig) -> None:
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

    await eventually(holds("watchdog"), 5.0, rig.log)
    rig.watch()
    await eventually(free_of("watchdog"), 8.0, rig.log)
    assert rig.watchdog is not None
    rig.watchdog.kill()
    await eventually(holds("watchdog"), 6.0, rig.log)


def _beats(rig: WatchedRig) -> bool:
    beat = BeatPage.shared(rig.paths.safety / WATCHDOG_BEAT_FILE).read()
    return beat is not None and beat.state is BeatState.RUNNING
