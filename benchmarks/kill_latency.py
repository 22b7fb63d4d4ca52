"""How long from pulling the kill switch to the gate being shut, for each path, on a real engine.

    python -m benchmarks.kill_latency --trials 200

The gate of every process reads one shared byte, so an observer process that spins on that byte sees the
instant from which nothing is sent. Both ends take the host's monotonic clock. The engine is a paper
engine of its own home; between two trials a named operator resumes it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.api import direct_kill
from engine.api.client import EngineClient
from engine.api.commands import Kill, Resume
from engine.api.home import HomePaths
from engine.api.launch import Launched, end, start
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, REQUEST_FILE
from seams.clock import SystemClock
from seams.ids import SortableIds

CLOCK = SystemClock()
STAMP = struct.Struct("<Q")
TIMEOUT_S = 20.0


class Observer:
    """A forked process that spins on a byte and tells when it left `clear`."""

    def __init__(self, path: Path) -> None:
        self._read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            byte = KillByte.shared(path)
            while True:
                while byte.level is KillLevel.CLEAR:
                    pass
                os.write(write, STAMP.pack(time.monotonic_ns()))
                while byte.level is not KillLevel.CLEAR:
                    pass
        os.close(write)
        os.set_blocking(self._read, False)

    async def seen_ns(self) -> int:
        """Return when the byte was seen to leave clear."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                return int(STAMP.unpack(os.read(self._read, STAMP.size))[0])
            except BlockingIOError:
                await asyncio.sleep(0.002)
        raise TimeoutError("the byte was never set")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)


class Bench:
    """One engine, one observer, one operator's connection."""

    def __init__(self, paths: HomePaths, engine: Launched, client: EngineClient, observer: Observer) -> None:
        self.paths, self.engine, self.client, self.observer = paths, engine, client, observer
        self.byte = KillByte.shared(paths.safety / BYTE_FILE)

    async def by_byte(self) -> None:
        self.byte.raise_to(KillLevel.HALT_ALL)

    async def by_signal(self) -> None:
        os.kill(self.engine.process.pid, signal.SIGUSR1)

    async def by_file(self) -> None:
        (self.paths.safety / REQUEST_FILE).touch()

    async def by_console(self) -> None:
        """What a console does: its own hand first, then the engine is asked."""
        direct_kill.shut(self.paths.home)
        await self.by_command()

    async def by_command(self) -> None:
        body = Kill(level="halt_all", confirm="KILL")
        await self.client.command(body, reason="bench", timeout_s=5.0)

    async def by_cli(self, *more: str) -> None:
        words = [sys.executable, "-P", "-m", "interlock", "--home", str(self.paths.home), "kill"]
        process = await asyncio.create_subprocess_exec(
            *words, "--confirm", "KILL", *more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await process.wait()

    async def by_cli_direct(self) -> None:
        await self.by_cli("--direct")

    async def measure(self, pull: Callable[[], Awaitable[None]], trials: int) -> list[float]:
        """Return so many latencies in microseconds, sorted."""
        taken = []
        for _ in range(trials):
            began_ns = time.monotonic_ns()
            await pull()
            taken.append((await self.observer.seen_ns() - began_ns) / 1e3)
            await self.resume()
        return sorted(taken)

    async def resume(self) -> None:
        """Wait until the engine has obeyed, then let an operator clear the latch."""
        (self.paths.safety / REQUEST_FILE).unlink(missing_ok=True)
        deadline = time.monotonic() + TIMEOUT_S
        while self.byte.level is not KillLevel.CLEAR and time.monotonic() < deadline:
            await asyncio.sleep(0.15)  # one turn of the main loop takes over what was pulled outside
            await self.client.command(Resume(confirm="RESUME", note="bench"), reason="bench", timeout_s=5.0)
        assert self.byte.level is KillLevel.CLEAR, "the latch did not open again"


async def at_start(home: Path, trials: int) -> int:
    """Start engines with INTERLOCK_KILL set; return how many were halted when they first answered."""
    halted = 0
    os.environ["INTERLOCK_KILL"] = "halt"
    try:
        for number in range(trials):
            paths = HomePaths(home / str(number))
            engine = await start(paths)
            halted += KillByte.shared(paths.safety / BYTE_FILE).level is KillLevel.HALT_ALL
            end(engine.process)
    finally:
        del os.environ["INTERLOCK_KILL"]
    return halted


async def run(trials: int) -> dict[str, object]:
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="kill-latency-") as folder:
        paths = HomePaths(Path(folder) / "home")
        engine = await start(paths)
        client = await EngineClient.connect(paths.home, CLOCK, SortableIds(CLOCK), "bench")
        observer = Observer(paths.safety / BYTE_FILE)
        bench = Bench(paths, engine, client, observer)
        few = max(5, trials // 20)
        try:
            rows = {
                "shared byte": await bench.measure(bench.by_byte, trials),
                "signal SIGUSR1": await bench.measure(bench.by_signal, trials),
                "console": await bench.measure(bench.by_console, trials),
                "command on the bus": await bench.measure(bench.by_command, trials),
                "file kill.request": await bench.measure(bench.by_file, trials),
                "command line": await bench.measure(bench.by_cli, few),
                "command line --direct": await bench.measure(bench.by_cli_direct, few),
            }
        finally:
            observer.close()
            await client.close()
            end(engine.process)
        halted = await at_start(Path(folder) / "starts", 3)
    return {
        "load": [round(load, 1) for load in os.getloadavg()],
        "paths_us": {
            name: {"n": len(taken), "p50": _at(taken, 0.5), "p99.9": _at(taken, 0.999), "max": taken[-1]}
            for name, taken in rows.items()
        },
        "environment_at_start": f"{halted} of 3 engines halted before they answered",
    }


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    print(json.dumps(asyncio.run(run(parser.parse_args().trials)), indent=1))


if __name__ == "__main__":
    main()
