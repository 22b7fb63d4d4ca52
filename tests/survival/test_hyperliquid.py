"""An engine on a loopback Hyperliquid, another process: it trades, is killed, and finds everything again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.api.commands import Flatten, FlattenDone, PaperStart, SessionStarted
from engine.venue import load_key, open_hyperliquid
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.sandbox.process import LoopbackReady
from venues.types import Side

from .conftest import CLOCK, REPOSITORY, eventually
from .live import LiveRig

SYMBOLS = ("BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP")


class HyperliquidProcess:
    """The loopback Hyperliquid in a process of its own; every order that arrives there is kept in a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, mode=0o700)
        self.record = folder / "arrived"
        words = [sys.executable, "-P", "-m", "venues.sandbox.hyperliquid.server", "--folder", str(folder)]
        words += ["--bar-seconds", "1", "--ticks-per-second", "8", "--record", str(self.record)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        assert self.process.stdout is not None
        self.ready = msgspec.json.decode(self.process.stdout.readline(), type=LoopbackReady)

    def adapter(self) -> HyperliquidAdapter:
        """Return an adapter of ours beside the engine's, to look with."""
        path = self.ready.keys["watchdog-1"]
        return open_hyperliquid(self.ready.url, load_key("test", path), CLOCK)

    def arrived(self) -> list[bytes]:
        """Return the exact bodies of every order that arrived."""
        if not self.record.exists():
            return []
        return [line.split(b" ", 1)[1] for line in self.record.read_bytes().splitlines()]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class HyperliquidRig(LiveRig):
    """A home whose engine trades on a `HyperliquidProcess`."""

    def __init__(self, home: Path, hyperliquid: HyperliquidProcess) -> None:
        self.hyperliquid = hyperliquid
        super().__init__(home, hyperliquid)  # type: ignore[arg-type]

    def environ(self) -> dict[str, str]:
        return {
            "INTERLOCK_ENGINE__MODE": "live",
            "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
            "INTERLOCK_EXECUTION__VENUE_URL": self.hyperliquid.ready.url,
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": self.hyperliquid.ready.keys["engine-1"],
            "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.5",
        }


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[HyperliquidRig]:
    hyperliquid = HyperliquidProcess(tmp_path / "hyperliquid")
    rig = HyperliquidRig(tmp_path / "home", hyperliquid)
    yield rig
    await rig.close()
    hyperliquid.close()


async def test_an_engine_trades_on_hyperliquid_is_killed_and_finds_everything_again(
    live: HyperliquidRig,
) -> None:
    client = await live.start()
    assert await live.synced() == "clean"
    request = PaperStart(feed="exchange", strategies=("ema_cross", "rsi_ma_cross"), symbols=SYMBOLS)
    await client.demand(request, SessionStarted, timeout_s=10.0)
    await eventually(lambda: bool(live.rows("SELECT 1 FROM fills")), 60.0, live.log)
    await live.kill_hard()
    client = await live.start()
    assert await live.synced(after=1) == "clean"
    bodies = live.hyperliquid.arrived()
    assert bodies and len(set(bodies)) == len(bodies), "no bytes arrived twice"
    booked: dict[str, Decimal] = {}
    for symbol, side, quantity in live.rows("SELECT symbol, side, quantity FROM fills"):
        signed = Decimal(str(quantity)) * Side(str(side)).sign
        booked[str(symbol)] = booked.get(str(symbol), Decimal(0)) + signed
    looking = live.hyperliquid.adapter()
    held = {each.symbol: each.quantity for each in (await looking.account()).positions}
    assert {symbol: quantity for symbol, quantity in booked.items() if quantity} == held
    done = await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="residue", timeout_s=15.0)
    assert done.is_flat
    assert not (await looking.account()).positions
