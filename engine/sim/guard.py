"""The watchdog's process in the simulated world: the real watchdog, on its own key, wire and task."""

from __future__ import annotations

import asyncio

from engine.ops.watchdog import LOOK_S, Limits, Page, Watchdog
from engine.sim.world import HOME, World
from safety.beat import BeatPage
from safety.killbyte import KillLevel
from safety.killswitch import trip_on_disk

CLOSE_ONLY_S, CANCEL_S = 5.0, 10.0


class Guard:
    """Watches the engine of a world from outside it; it may hang, the engine's death is nothing to it."""

    def __init__(self, world: World) -> None:
        self._world = world
        venue, self.wire = world.bourse.enter_guard(self._on_sent)
        self.watchdog = Watchdog(
            clock=world.clock,
            engine=world.beat,
            own=BeatPage.anonymous(),
            limits=Limits(CLOSE_ONLY_S, CANCEL_S),
            trip=self._trip,
            page=self._page,
            venue=venue,
            pid=0,
        )
        self.hangs_until_s = 0.0
        self.up_since_s = 0.0
        """Since when it has looked without a break."""
        self.cancelled_s = 0.0
        """When a cancel of all last left it."""

    async def run(self) -> None:
        """Look ten times a second, for ever."""
        loop = self._world.loop
        while True:
            if loop.time() < self.hangs_until_s:
                await asyncio.sleep(self.hangs_until_s - loop.time())
                continue
            await self.watchdog.look()
            await asyncio.sleep(LOOK_S)

    def hang(self, seconds: float) -> None:
        """It stands still for a while."""
        self.hangs_until_s = max(self.hangs_until_s, self._world.loop.time() + seconds)
        self.up_since_s = self.hangs_until_s

    def _trip(self, level: KillLevel, reason: str) -> None:
        world = self._world
        world.fact("guard", f"{level.name} {reason}")
        trip_on_disk(
            world.disk,
            world.clock,
            HOME / "safety",
            world.byte,
            level=level,
            by="watchdog",
            reason=reason,
            source="watchdog",
        )

    async def _page(self, page: Page) -> None:
        self._world.fact("page", f"{page.kind} {page.text}")

    def _on_sent(self, body: bytes) -> None:
        if self._world.bourse.asks_for_all(body):
            self.cancelled_s = self._world.loop.time()
