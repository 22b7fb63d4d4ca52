"""A real engine on a real exchange, its watchdog beside it, and a line to the exchange that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys

from safety.beat import WATCHDOG_BEAT_FILE, BeatPage, BeatState

from .conftest import REPOSITORY
from .live import LiveRig
from .test_exchange import order

FAST = {"INTERLOCK_WATCHDOG__CLOSE_ONLY_AFTER_S": "4.0", "INTERLOCK_WATCHDOG__CANCEL_AFTER_S": "5.0"}
"""Sooner than in service, and later than a loaded host keeps a living engine waiting."""


class WatchedRig(LiveRig):
    """A live rig with its watchdog process."""

    watchdog: subprocess.Popen[bytes] | None = None
    timing: dict[str, str] = FAST

    def environ(self) -> dict[str, str]:
        return (
            super().environ()
            | self.timing
            | {"INTERLOCK_WATCHDOG__KEY_FILE": self.exchange.ready.keys["watchdog"]}
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

    async def rest_orders(self, count: int) -> None:
        """Put orders on the book that only a cancel ends."""
        link = self.exchange.link("engine")
        for number in range(count):
            request = order(f"resting-{number}")
            await link.submit(link.sign(request, await link.time_ns() // 1_000_000 + number, 0))

    async def is_open(self) -> bool:
        return bool(await self.exchange.link().open_orders())

    async def close(self) -> None:
        if self.watchdog is not None:
            self.watchdog.terminate()
            self.watchdog.wait(60)
        await super().close()


class Relay:
    """A line between an engine and its exchange that can be cut: bytes stop, connections stay open."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self.is_cut = False
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> str:
        """Return the address that leads over this line."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _join(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [near_out, far_out]
        await asyncio.gather(self._pump(near_in, far_out), self._pump(far_in, near_out))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while (data := await source.read(65_536)) and not target.is_closing():
                if not self.is_cut:
                    target.write(data)
            target.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()


def beats(rig: WatchedRig) -> bool:
    beat = BeatPage.shared(rig.paths.safety / WATCHDOG_BEAT_FILE).read()
    return beat is not None and beat.state is BeatState.RUNNING
