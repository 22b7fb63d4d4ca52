"""The loopback exchanges beside a desk: each started as a process of its own, found again, stopped."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from engine.api.endpoint import is_alive
from engine.api.home import HomePaths
from engine.api.launch import ROOT, tail
from seams.clock import NS_PER_S, SystemClock
from seams.disk import RealDisk
from venues.sandbox.process import LoopbackReady
from venues.sandbox.programs import read_program
from venues.sandbox.server import Market, Ready

READY_S = 45.0
STOP_S = 5.0
EXCHANGE = "exchange"
PROGRAMS = {
    EXCHANGE: "venues.sandbox.server",
    "hyperliquid": "venues.sandbox.hyperliquid.server",
    "kraken": "venues.sandbox.kraken.server",
}
"""Every loopback exchange and the module that is its process."""
BAR_S = {EXCHANGE: 1.0}
"""How long a bar lasts where nobody says: `exchange` hurries, for strategies. The doubles of real venues keep
the venue's own pace: their market must stand near enough for a person to read, approve and send."""
VENUE_BAR_S = 60.0
Running = Ready | LoopbackReady


class ExchangeNotReady(Exception):
    """The exchange did not come up; its log says why."""

    code = "engine_not_ready"


def folder_of(home: Path) -> Path:
    """Return where a desk keeps its sandbox exchange: key files, its address, its log."""
    return HomePaths(home).home / "sandbox"


def running(home: Path) -> Ready | None:
    """Return the sandbox exchange that runs for this home, or None."""
    found = running_venue(home, EXCHANGE)
    return found if isinstance(found, Ready) else None


def running_venue(home: Path, venue: str) -> Running | None:
    """Return the loopback exchange of this venue that runs for this home, or None."""
    try:
        found = _read(venue, RealDisk().read(folder_of(home) / f"{venue}.json"))
    except FileNotFoundError:
        return None
    return found if found is not None and is_alive(found.pid) else None


def judge_faults(venue: str, faults: Path) -> None:
    """Read what shall go wrong at a venue's double. Raises `BadProgram`: it could not strike there."""
    from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
    from venues.sandbox.kraken.exchange import KrakenExchange

    clock = SystemClock()
    double = KrakenExchange(clock, (), ()) if venue == "kraken" else HyperliquidExchange(clock)
    read_program(RealDisk().read(faults), double.program)


async def start(home: Path, port: int, market: Market, record: Path | None = None) -> Ready:
    """Start the sandbox exchange of a home in the background, or return the one that runs already.

    Raises `ExchangeNotReady`; nothing stays behind.
    """
    ready = await start_venue(home, EXCHANGE, port, market, record)
    assert isinstance(ready, Ready)
    return ready


async def start_venue(
    home: Path,
    venue: str,
    port: int,
    market: Market,
    record: Path | None = None,
    faults: Path | None = None,
) -> Running:
    """Start a venue's loopback exchange for a home, or return the one that runs already.

    `faults` is a file with what goes wrong there (`venues.sandbox.programs`).
    Raises `ExchangeNotReady`; nothing stays behind.
    """
    known = running_venue(home, venue)
    if known is not None:
        return known
    folder, disk = folder_of(home), RealDisk()
    disk.make_folder(folder)
    process = _spawn(folder, venue, port, market, record, faults)
    try:
        ready = _first_line(process, venue)
    except BaseException:
        process.kill()
        raise
    if ready is None:
        process.kill()
        process.wait()
        words = " | ".join(tail(folder / f"{venue}.log", 4))
        raise ExchangeNotReady(f"the exchange did not come up; its log ends: {words or '(empty)'}")
    disk.write_atomic(folder / f"{venue}.json", msgspec.json.encode(ready), 0o600)
    return ready


async def stop(home: Path, venue: str = EXCHANGE) -> bool:
    """End a venue's loopback exchange of a home and its books with it; False where none runs."""
    found = running_venue(home, venue)
    if found is None:
        return False
    clock = SystemClock()
    os.kill(found.pid, signal.SIGTERM)
    deadline_ns = clock.monotonic_ns() + round(STOP_S * NS_PER_S)
    while is_alive(found.pid) and clock.monotonic_ns() < deadline_ns:
        await clock.sleep(0.02)
    if is_alive(found.pid):
        os.kill(found.pid, signal.SIGKILL)
    RealDisk().remove(folder_of(home) / f"{venue}.json")
    return True


def _spawn(
    folder: Path, venue: str, port: int, market: Market, record: Path | None, faults: Path | None
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-P", "-m", PROGRAMS[venue]]
    words += ["--folder", str(folder), "--port", str(port)]
    words += ["--scenario", market.scenario, "--seed", str(market.seed)]
    words += ["--bar-seconds", str(market.bar_s), "--ticks-per-second", str(market.ticks_per_s)]
    words += ["--lag-ms", str(market.lag_ms)]
    words += [] if record is None else ["--record", str(record.resolve())]
    words += [] if faults is None else ["--faults", str(faults.resolve())]
    with (folder / f"{venue}.log").open("ab") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


def _first_line(process: subprocess.Popen[bytes], venue: str) -> Running | None:
    """Return what the process says when it answers; None where it ends or takes too long."""
    assert process.stdout is not None
    with process.stdout as said:
        if not select.select([said], [], [], READY_S)[0]:
            return None
        return _read(venue, said.readline())


def _read(venue: str, text: bytes) -> Running | None:
    try:
        if venue == EXCHANGE:
            return msgspec.json.decode(text, type=Ready)
        return msgspec.json.decode(text, type=LoopbackReady)
    except msgspec.MsgspecError:
        return None
