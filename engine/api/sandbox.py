"""The sandbox exchange beside a desk: started as a process of its own, found again, stopped."""

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
from venues.sandbox.server import Market, Ready

READY_S = 15.0
STOP_S = 5.0
LOG, STATE = "exchange.log", "exchange.json"


class ExchangeNotReady(Exception):
    """The exchange did not come up; its log says why."""

    code = "engine_not_ready"


def folder_of(home: Path) -> Path:
    """Return where a desk keeps its sandbox exchange: key files, its address, its log."""
    return HomePaths(home).home / "sandbox"


def running(home: Path) -> Ready | None:
    """Return the exchange that runs for this home, or None."""
    try:
        found = msgspec.json.decode(RealDisk().read(folder_of(home) / STATE), type=Ready)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if is_alive(found.pid) else None


async def start(home: Path, port: int, market: Market, record: Path | None = None) -> Ready:
    """Start the exchange of a home in the background, or return the one that runs already.

    Raises `ExchangeNotReady`; nothing stays behind.
    """
    known = running(home)
    if known is not None:
        return known
    folder, disk = folder_of(home), RealDisk()
    disk.make_folder(folder)
    process = _spawn(folder, port, market, record)
    try:
        ready = _first_line(process)
    except BaseException:
        process.kill()
        raise
    if ready is None:
        process.kill()
        process.wait()
        words = " | ".join(tail(folder / LOG, 4))
        raise ExchangeNotReady(f"the exchange did not come up; its log ends: {words or '(empty)'}")
    disk.write_atomic(folder / STATE, msgspec.json.encode(ready))
    return ready


async def stop(home: Path) -> bool:
    """End the exchange of a home and its books with it; False where none runs."""
    found = running(home)
    if found is None:
        return False
    clock = SystemClock()
    os.kill(found.pid, signal.SIGTERM)
    deadline_ns = clock.monotonic_ns() + round(STOP_S * NS_PER_S)
    while is_alive(found.pid) and clock.monotonic_ns() < deadline_ns:
        await clock.sleep(0.02)
    if is_alive(found.pid):
        os.kill(found.pid, signal.SIGKILL)
    RealDisk().remove(folder_of(home) / STATE)
    return True


def _spawn(folder: Path, port: int, market: Market, record: Path | None) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-P", "-m", "venues.sandbox.server"]
    words += ["--folder", str(folder), "--port", str(port)]
    words += ["--scenario", market.scenario, "--seed", str(market.seed)]
    words += ["--bar-seconds", str(market.bar_s), "--ticks-per-second", str(market.ticks_per_s)]
    words += ["--lag-ms", str(market.lag_ms)]
    words += [] if record is None else ["--record", str(record)]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


def _first_line(process: subprocess.Popen[bytes]) -> Ready | None:
    """Return what the process says when it answers; None where it ends or takes too long."""
    assert process.stdout is not None
    with process.stdout as said:
        if not select.select([said], [], [], READY_S)[0]:
            return None
        line = said.readline()
    try:
        return msgspec.json.decode(line, type=Ready)
    except msgspec.MsgspecError:
        return None
