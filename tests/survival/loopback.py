"""A loopback Hyperliquid or Kraken in a process of its own, and a home whose engine trades on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.api.venue_calls import venue_calls
from engine.venue import OPENERS, load_key
from venues.contract import LiveVenue
from venues.sandbox.process import LoopbackReady
from venues.sandbox.programs import Fault
from venues.types import Side

from .conftest import CLOCK, REPOSITORY
from .live import LiveRig

COINS = ("BTC", "ETH", "SOL", "XRP")


class Loopback(NamedTuple):
    """One loopback venue: its server, the keys of the engine and of whoever looks, its symbols' ending."""

    server: str
    engine_key: str
    looking_key: str
    suffix: str

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(f"{coin}-{self.suffix}" for coin in COINS)


LOOPBACKS = {
    "hyperliquid": Loopback("venues.sandbox.hyperliquid.server", "engine-1", "watchdog-1", "PERP"),
    "kraken": Loopback("venues.sandbox.kraken.server", "trader-engine", "trader-watchdog", "USD"),
}


class LoopbackProcess:
    """The venue in a process of its own; every order that arrives there is kept in a file."""

    def __init__(
        self, name: str, folder: Path, faults: Sequence[Fault] = (), more: Sequence[str] = ()
    ) -> None:
        folder.mkdir(parents=True, mode=0o700)
        self.about, self.record = LOOPBACKS[name], folder / "arrived"
        words = [sys.executable, "-P", "-m", self.about.server, "--folder", str(folder)]
        words += ["--bar-seconds", "1", "--ticks-per-second", "8", "--record", str(self.record), *more]
        if faults:
            (folder / "faults.json").write_bytes(msgspec.json.encode(faults))
            words += ["--faults", str(folder / "faults.json")]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        assert self.process.stdout is not None
        self.ready = msgspec.json.decode(self.process.stdout.readline(), type=LoopbackReady)

    def adapter(self) -> LiveVenue:
        """Return an adapter of ours beside the engine's, to look with."""
        key = load_key("test", self.ready.keys[self.about.looking_key])
        return OPENERS[key.venue](self.ready.url, key, CLOCK)

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


class LoopbackRig(LiveRig):
    """A home whose engine trades on a `LoopbackProcess`."""

    def __init__(self, home: Path, venue: LoopbackProcess) -> None:
        self.venue, self.engine_key = venue, venue.about.engine_key
        super().__init__(home, venue)  # type: ignore[arg-type]

    def calls(self) -> set[tuple[str, int]]:
        """Return what was asked of the venue, as its file says: the last word of each, and its status."""
        rows = venue_calls(self.home, 10_000)
        return {(row.asked.split()[-1].rpartition("/")[2], row.status) for row in rows}

    def booked(self) -> dict[str, Decimal]:
        """Return what our record says is held: symbol -> signed quantity, zeroes left out."""
        held: dict[str, Decimal] = {}
        for symbol, side, quantity in self.rows("SELECT symbol, side, quantity FROM fills"):
            signed = Decimal(str(quantity)) * Side(str(side)).sign
            held[str(symbol)] = held.get(str(symbol), Decimal(0)) + signed
        return {symbol: quantity for symbol, quantity in held.items() if quantity}
