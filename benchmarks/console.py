"""The console on a terminal of 200x60 with a feeding engine: first frame, keys, bytes, the kill's guard."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks._engine import INTERLOCK, environment, percentile, running_engine
from engine.api.client import EngineClient
from engine.api.commands import SessionStarted
from engine.api.demo import session_request
from seams.clock import SystemClock
from seams.ids import SortableIds

GUARD = b"KILL ARMED"
STARTS, KEYS, KILLS, REST_S = 5, 40, 15, 10.0
CODES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()=>78].?)")


class Terminal:
    """A program on a pseudo terminal; what it wrote is read with the time it came."""

    def __init__(self, home: Path, command: Sequence[str] = (INTERLOCK, "console")) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave,
            env=environment(home), start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def read(self, seconds: float) -> bytes:
        """Return what comes within `seconds`, at the first chunk."""
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return b""
        return os.read(self._master, 1 << 16)

    def count(self, seconds: float) -> int:
        """Return how many bytes come in `seconds`."""
        until, total = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            total += len(self.read(until - time.perf_counter()))
        return total

    def wait(self, text: bytes, began: float, limit_s: float = 5.0) -> float:
        """Return milliseconds from `began` until `text` is painted. Raises TimeoutError, or ChildProcessError
        where the program ended before."""
        seen = b""
        while time.perf_counter() < began + limit_s:
            try:
                seen += self.read(0.5)
            except OSError as gone:
                raise ChildProcessError(f"the program ended: {CODES.sub(b'', seen)[-600:]!r}") from gone
            if text in CODES.sub(b"", seen):
                return (time.perf_counter() - began) * 1e3
        raise TimeoutError(f"{text!r} was not painted; last: {CODES.sub(b'', seen)[-300:]!r}")

    def press(self, keys: bytes, text: bytes) -> float:
        """Return milliseconds from the key until `text` is painted."""
        began = time.perf_counter()
        os.write(self._master, keys)
        return self.wait(text, began)

    def send(self, keys: bytes) -> None:
        os.write(self._master, keys)
        self.count(0.4)

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)


def measure(home: Path) -> dict[str, float]:
    """Return the console's figures against the engine in `home`."""
    paints, armed = [], []
    starts = [_first_frame(home) for _ in range(STARTS)]
    terminal = Terminal(home)
    try:
        terminal.count(3.0)
        rest = terminal.count(REST_S) / REST_S / 1000
        for _ in range(KEYS // 2):
            for key, text in ((b"0", b" HEALTH "), (b"2", b"LEFT")):
                paints.append(terminal.press(key, text))
                terminal.count(0.1)
        for _ in range(KILLS):
            armed.append(terminal.press(b"\x18", GUARD))
            terminal.send(b"\x1b")
    finally:
        terminal.close()
    return {
        "first_frame_median_ms": round(median(first for first, _ in starts), 1),
        "first_frame_max_ms": round(max(first for first, _ in starts), 1),
        "first_data_median_ms": round(median(data for _, data in starts), 1),
        "key_to_paint_p50_ms": round(median(paints), 1),
        "key_to_paint_p95_ms": round(percentile(paints, 0.95), 1),
        "kill_armed_p50_ms": round(median(armed), 1),
        "kill_armed_p95_ms": round(percentile(armed, 0.95), 1),
        "kb_per_s": round(rest, 1),
    }


def main(arguments: list[str]) -> int:
    """Print the figures; the engine runs the demo's paper session meanwhile."""
    with running_engine() as home:
        asyncio.run(_feed(home))
        figures = measure(home)
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:22} {value}" for name, value in figures.items()))
    return 0


def _first_frame(home: Path) -> tuple[float, float]:
    """Start a console: milliseconds to its first frame and to the engine's first figures."""
    terminal = Terminal(home)
    try:
        first = terminal.wait(b" OVERVIEW ", terminal.began)
        return first, terminal.wait(b"ENG ok", terminal.began)
    finally:
        terminal.close()


async def _feed(home: Path) -> None:
    clock = SystemClock()
    client = await EngineClient.connect(home, clock, SortableIds(clock), "bench")
    try:
        await client.demand(session_request(seed=20), SessionStarted, timeout_s=5.0)
    finally:
        await client.close()
