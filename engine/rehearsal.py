"""A throw-away desk of real processes (exchange, engine, watchdog): drills touch nothing of the desk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from engine.api import sandbox
from engine.api.client import EngineClient
from engine.api.endpoint import live_endpoint
from engine.api.home import HomePaths
from engine.api.launch import ROOT
from engine.venue import load_key, open_link
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.ids import SortableIds
from venues.sandbox.link import ExchangeLink
from venues.sandbox.server import Market, Ready
from venues.types import OrderRequest, OrderType, Side, TimeInForce

LOOK_S = 0.02
MARKET = Market(bar_s=2.0, ticks_per_s=0.5, lag_ms=200)
"""One price every two seconds: a market order waits that long at the exchange, and can be cancelled."""


class Rehearsal:
    """One such desk under `folder`; use `open` and `close`."""

    def __init__(self, folder: Path) -> None:
        self.home, self.clock = folder, SystemClock()
        self.paths = HomePaths(folder)
        self.record = folder / "arrived"
        self.exchange: Ready | None = None
        self.engine: subprocess.Popen[bytes] | None = None
        self.watchdog: subprocess.Popen[bytes] | None = None

    async def open(self) -> None:
        """Start exchange and engine and wait until both agree. Raises `Refusal` or `ExchangeNotReady`."""
        shutil.rmtree(self.home, ignore_errors=True)
        RealDisk().make_folder(self.home)
        self.exchange = await sandbox.start(self.home, 0, MARKET, self.record)
        self.engine = self._spawn("-m", "engine.daemon", "--home", str(self.home))
        await self.until(lambda: live_endpoint(self.paths) is not None, 20.0, "the engine does not answer")
        await self.until(self._is_synced, 20.0, "the engine does not agree with the exchange")

    def watch(self) -> None:
        """Start the watchdog, with the timing it has in service."""
        self.watchdog = self._spawn("-m", "interlock", "--home", str(self.home), "watchdog", "run")

    async def client(self) -> EngineClient:
        """Connect to the engine as an operator."""
        return await EngineClient.connect(self.home, self.clock, SortableIds(self.clock), "drill")

    def link(self, key: str = "watchdog") -> ExchangeLink:
        """Return a link to the exchange of our own."""
        assert self.exchange is not None
        return open_link(self.exchange.url, load_key(key, self.exchange.keys[key]), self.clock)

    async def rest_orders(self, count: int) -> None:
        """Put limit orders on the book that only a cancel ends."""
        link = self.link("engine")
        for number in range(count):
            request = OrderRequest(
                client_order_id=f"drill-{number}",
                symbol="BTC-PERP",
                side=Side.BUY,
                quantity=Decimal("0.01"),
                order_type=OrderType.LIMIT,
                limit_price=Decimal(1_000 + number),
                time_in_force=TimeInForce.GTC,
                reduce_only=False,
                mark_price=Decimal(64_000),
            )
            await link.submit(link.sign(request, await link.time_ns() // NS_PER_MS + number, 0))

    def arrivals(self, tag: bytes) -> list[int]:
        """Return when requests of this kind arrived at the exchange (UTC ns), oldest first."""
        if not self.record.exists():
            return []
        wanted = b'"type":"' + tag + b'"'
        return [
            int(line.split(b" ", 1)[0])
            for line in RealDisk().read(self.record).splitlines()
            if wanted in line
        ]

    async def verified_empty(self, seconds: float) -> bool:
        """Wait until the exchange has twice shown no open order."""
        link, looks = self.link(), 0

        async def look() -> bool:
            nonlocal looks
            looks = 0 if await link.open_orders() else looks + 1
            return looks >= 2

        try:
            await self.until(look, seconds, "")
        except Refusal:
            return False
        return True

    async def until(self, check: Callable[[], bool | Awaitable[bool]], seconds: float, problem: str) -> None:
        """Wait for something. Raises `Refusal("drill_failed")` with `problem`."""
        deadline_ns = self.clock.monotonic_ns() + round(seconds * NS_PER_S)
        while self.clock.monotonic_ns() < deadline_ns:
            found = check()
            if (await found) if isinstance(found, Awaitable) else found:
                return
            await self.clock.sleep(LOOK_S)
        raise Refusal("drill_failed", problem or "not in time")

    def hurt(self, number: signal.Signals) -> None:
        """Send the engine a signal."""
        assert self.engine is not None
        os.kill(self.engine.pid, number)

    async def close(self) -> None:
        """End every process and remove the folder."""
        for process in (self.watchdog, self.engine):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        await sandbox.stop(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    def environ(self) -> dict[str, str]:
        """Return the surroundings of its processes: ours, with the configuration of this desk only."""
        assert self.exchange is not None
        own = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        return own | {
            "PYTHONPATH": str(ROOT),
            "INTERLOCK_ENGINE__MODE": "live",
            "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
            "INTERLOCK_EXECUTION__VENUE_URL": self.exchange.url,
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": self.exchange.keys["engine"],
            "INTERLOCK_WATCHDOG__KEY_FILE": self.exchange.keys["watchdog"],
            "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.5",
        }

    def _is_synced(self) -> bool:
        audit = self.paths.audit
        return audit.exists() and b"hydration : synced" in RealDisk().read(audit)

    def _spawn(self, *words: str) -> subprocess.Popen[bytes]:
        self.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.paths.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ(),
                start_new_session=True,
            )
