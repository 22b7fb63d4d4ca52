"""A feed process beside a real engine: the engine is killed and the feed goes on; the feed is killed and
the engine goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api.client import EngineClient
from engine.api.commands import Health, PaperStart, SessionStarted
from engine.api.feed import feed_health
from engine.api.views import HealthReport, PartHealth
from engine.feed.messages import FeedHealth

from .conftest import REPOSITORY, eventually
from .loopback import LoopbackProcess, LoopbackRig

pytestmark = pytest.mark.slow


class FeedRig(LoopbackRig):
    """A home with a loopback Kraken, an engine on it, and a feed process."""

    def start_feed(self) -> None:
        self.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        words = [
            sys.executable,
            "-P",
            "-m",
            "engine.feed.process",
            "--home",
            str(self.home),
            "--venue",
            "kraken",
        ]
        with (self.paths.run / "feed-kraken.log").open("ab") as log:
            self.feed = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": str(REPOSITORY),
                    "INTERLOCK_FEED__KRAKEN_URL": self.venue.ready.url,
                },
                start_new_session=True,
            )

    async def health(self) -> FeedHealth:
        found: list[FeedHealth] = []

        async def answers() -> bool:
            said = await feed_health(self.home, "kraken")
            found[:] = [] if said is None else [said]
            return bool(found)

        await eventually(answers, (self.paths.run / "feed-kraken.log").read_text)
        return found[0]

    async def until(self, client: EngineClient, part: str, state: str) -> str:
        """Wait until a part of the engine is in this state; return what it says."""
        found: dict[str, PartHealth] = {}

        async def is_so() -> bool:
            report = await client.query(Health(), HealthReport)
            found.update({each.part: each for each in report.parts})
            return part in found and found[part].state == state

        await eventually(is_so, lambda: f"{part} never was {state}: {found}")
        return found[part].detail


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[FeedRig]:
    kraken = LoopbackProcess("kraken", tmp_path / "kraken")
    rig = FeedRig(tmp_path / "home", kraken)
    rig.start_feed()
    yield rig
    rig.feed.kill()
    rig.feed.wait()
    await rig.close()
    kraken.close()


async def test_the_feed_goes_on_without_the_engine_and_the_engine_without_the_feed(rig: FeedRig) -> None:
    client = await rig.start()
    assert await rig.synced() == "clean"
    await rig.until(client, "feed kraken", "ok")
    request = PaperStart(feed="exchange", strategies=("ema_cross",), symbols=("BTC-USD", "ETH-USD"))
    await client.demand(request, SessionStarted)
    await rig.until(client, "feed", "ok")
    before = await rig.health()
    assert before.is_whole and before.is_on_bus and before.pid == rig.feed.pid

    await rig.kill_hard()
    gone = await rig.health()
    found: list[FeedHealth] = []

    async def hears_alone() -> bool:
        """It hears the market while there is no engine."""
        found[:] = [await rig.health()]
        goes_on = found[0].events > gone.events and found[0].is_whole and not found[0].stale
        return goes_on and not found[0].is_on_bus

    await eventually(hears_alone, lambda: str(found))
    (alone,) = found
    assert (alone.pid, alone.boot_ns) == (before.pid, before.boot_ns)
    assert alone.breaks == before.breaks

    client = await rig.start()
    assert await rig.synced(after=1) == "clean"
    await rig.until(client, "feed kraken", "ok")
    again = await rig.health()
    assert again.boot_ns == before.boot_ns and again.is_on_bus and again.pushes > alone.pushes
    await client.demand(request, SessionStarted)
    await rig.until(client, "feed", "ok")

    os.kill(rig.feed.pid, signal.SIGKILL)
    rig.feed.wait()
    said = await rig.until(client, "feed kraken", "lost")
    assert "own streams" in said
    await asyncio.sleep(6.0)  # longer than quotes may be old
    await rig.until(client, "feed", "ok")
    rig.start_feed()
    await rig.until(client, "feed kraken", "ok")
    assert b"feed_lost" in rig.paths.audit.read_bytes() and b"feed_found" in rig.paths.audit.read_bytes()


async def test_a_second_feed_of_a_venue_is_refused_and_the_first_goes_on(rig: FeedRig) -> None:
    await eventually(lambda: (rig.paths.run / "feed-kraken.sock").exists(), rig.log)
    words = [sys.executable, "-P", "-m", "engine.feed.process", "--home", str(rig.home), "--venue", "kraken"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    second = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, text=True, env=environ, timeout=60
    )
    assert second.returncode == 2 and "already_running" in second.stderr
    assert (await rig.health()).pid == rig.feed.pid
