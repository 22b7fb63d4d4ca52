"""An engine on a loopback Kraken, another process: it trades, is killed, and finds everything again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.api.commands import Flatten, FlattenDone, PaperStart, SessionStarted
from engine.venue import load_key, open_kraken
from venues.kraken.adapter import KrakenAdapter
from venues.sandbox.process import LoopbackReady
from venues.sandbox.programs import Fault, Strike
from venues.types import Side

from .conftest import CLOCK, REPOSITORY, eventually
from .live import LiveRig

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD")


class KrakenProcess:
    """The loopback Kraken in a process of its own; every order that arrives there is kept in a file."""

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        folder.mkdir(parents=True, mode=0o700)
        self.record = folder / "arrived"
        words = [sys.executable, "-P", "-m", "venues.sandbox.kraken.server", "--folder", str(folder)]
        words += ["--bar-seconds", "1", "--ticks-per-second", "8", "--record", str(self.record)]
        if faults:
            (folder / "faults.json").write_bytes(msgspec.json.encode(faults))
            words += ["--faults", str(folder / "faults.json")]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        assert self.process.stdout is not None
        self.ready = msgspec.json.decode(self.process.stdout.readline(), type=LoopbackReady)

    def adapter(self) -> KrakenAdapter:
        """Return an adapter of ours beside the engine's, to look with."""
        path = self.ready.keys["trader-watchdog"]
        return open_kraken(self.ready.url, load_key("test", path), CLOCK)

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


class KrakenRig(LiveRig):
    """A home whose engine trades on a `KrakenProcess`."""

    def __init__(self, home: Path, kraken: KrakenProcess) -> None:
        self.kraken = kraken
        super().__init__(home, kraken)  # type: ignore[arg-type]

    def environ(self) -> dict[str, str]:
        return {
            "INTERLOCK_ENGINE__MODE": "live",
            "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
            "INTERLOCK_EXECUTION__VENUE_URL": self.kraken.ready.url,
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": self.kraken.ready.keys["trader-engine"],
            "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.5",
        }


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[KrakenRig]:
    kraken = KrakenProcess(tmp_path / "kraken")
    rig = KrakenRig(tmp_path / "home", kraken)
    yield rig
    await rig.close()
    kraken.close()


async def test_an_engine_trades_on_kraken_is_killed_and_finds_everything_again(live: KrakenRig) -> None:
    client = await live.start()
    assert await live.synced() == "clean"
    request = PaperStart(feed="exchange", strategies=("ema_cross", "rsi_ma_cross"), symbols=SYMBOLS)
    await client.demand(request, SessionStarted, timeout_s=10.0)
    await eventually(lambda: bool(live.rows("SELECT 1 FROM fills")), 60.0, live.log)
    await live.kill_hard()
    client = await live.start()
    assert await live.synced(after=1) == "clean"
    bodies = live.kraken.arrived()
    assert bodies and len(set(bodies)) == len(bodies), "no bytes arrived twice"
    booked: dict[str, Decimal] = {}
    for symbol, side, quantity in live.rows("SELECT symbol, side, quantity FROM fills"):
        signed = Decimal(str(quantity)) * Side(str(side)).sign
        booked[str(symbol)] = booked.get(str(symbol), Decimal(0)) + signed
    looking = live.kraken.adapter()
    held = {each.symbol: each.quantity for each in (await looking.account()).positions}
    assert not live.rows("SELECT 1 FROM orders WHERE status = 'rejected'"), "a short was not even asked for"
    assert {symbol: quantity for symbol, quantity in booked.items() if quantity} == held
    done = await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="residue", timeout_s=15.0)
    assert done.is_flat
    assert not (await looking.account()).positions


FAULTS = (
    Fault(nth=1, on="AddOrder", strike=Strike.APPLY_THEN_DROP),
    Fault(nth=2, on="AddOrder", strike=Strike.DROP_WITHOUT_APPLY),
    Fault(nth=3, on="AddOrder", strike=Strike.STATUS, value=502),
    Fault(nth=4, on="AddOrder", strike=Strike.STATUS_WITHOUT_APPLY, value=520),
    Fault(nth=5, on="AddOrder", strike=Strike.TRUNCATED),
    Fault(nth=2, on="TradesHistory", strike=Strike.STATUS, value=503),
)


@pytest.mark.slow
async def test_every_doubtful_order_ends_proved_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    """Lost answers and lost orders: what was applied is found by its name, what was not is fenced by its
    deadline; the account agrees at the end."""
    kraken = KrakenProcess(tmp_path / "kraken", FAULTS)
    live = KrakenRig(tmp_path / "home", kraken)
    try:
        client = await live.start()
        assert await live.synced() == "clean"
        request = PaperStart(feed="exchange", strategies=("ema_cross", "rsi_ma_cross"), symbols=SYMBOLS)
        await client.demand(request, SessionStarted, timeout_s=10.0)
        proved = "SELECT 1 FROM orders WHERE status = 'rejected' AND reason LIKE 'used up or expired%'"
        await eventually(lambda: bool(live.rows(proved)), 100.0, live.log)

        def doubts() -> list[object]:
            return live.rows("SELECT 1 FROM orders WHERE status IN ('unknown', 'submitting')")

        await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="enough", timeout_s=15.0)
        await eventually(lambda: not doubts(), 40.0, live.log)
        bodies = kraken.arrived()
        assert len(set(bodies)) == len(bodies)
        looking = kraken.adapter()
        ((mark,),) = live.rows("SELECT value FROM kv WHERE key = 'desk_mark'")
        looking.use_desk(str(mark))  # to find the engine's orders by the ids that carry its mark
        ended = {
            str(name): str(status) for name, status in live.rows("SELECT client_order_id, status FROM orders")
        }
        assert "filled" in ended.values()
        for name, status in ended.items():
            found = await looking.query(name)
            is_executed = found is not None and found.filled > 0
            booked = live.rows(f"SELECT 1 FROM fills WHERE client_order_id = '{name}'")
            assert bool(booked) is is_executed, f"{name} is {status}"
    finally:
        await live.close()
        kraken.close()
