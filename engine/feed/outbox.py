"""A feed's way to the bus: what is told goes out in order, and waits for nobody.

The bus comes and goes with the engine. While there is none, nothing is kept for it: an old price is of no
use, and candles are in the store. What was left out shows as a jump of `seq`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from engine.feed.messages import HEARTBEAT_S, Push, subject_of
from seams.clock import Clock
from seams.net import Net, NetDown
from venues.public import PublicEvent

MOST_WAITING = 20_000
MOST_IN_PUSH = 200
Connect = Callable[[Net | None], Awaitable[Net | None]]
"""Returns the connection to use: the given one, another, or None where there is no bus now."""


class Outbox:
    """The pushes of one feed process."""

    def __init__(self, venue: str, boot_ns: int, clock: Clock, connect: Connect) -> None:
        self._venue, self._boot_ns, self._clock, self._connect = venue, boot_ns, clock, connect
        self._waiting: deque[PublicEvent] = deque()
        self._wake = asyncio.Event()
        self._net: Net | None = None
        self.is_whole, self.stale = False, tuple[str, ...]()
        """What every push says beside its events; set by the process."""
        self.seq = self.pushes = self.dropped = 0

    @property
    def is_on_bus(self) -> bool:
        return self._net is not None and self._net.is_connected

    def put(self, event: PublicEvent) -> None:
        """Take one event; where nobody can hear it, it is let go."""
        if not self.is_on_bus:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
            self.seq += 1  # whoever hears the next push sees the jump
        self._waiting.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Push what waits, at once, and a heartbeat where nothing does; until cancelled."""
        beat = asyncio.get_running_loop().create_task(self._beats(), name="feed heartbeat")
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._push_all()
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            if self._net is not None:
                await self._net.close()

    async def _beats(self) -> None:
        while True:
            self._net = await self._connect(self._net)
            self._wake.set()
            await self._clock.sleep(HEARTBEAT_S)

    async def _push_all(self) -> None:
        is_first = True
        while (self._waiting or is_first) and self._net is not None:
            is_first = False
            size = min(len(self._waiting), MOST_IN_PUSH)
            events = tuple(self._waiting.popleft() for _ in range(size))
            self.seq += 1
            push = Push(
                venue=self._venue,
                boot_ns=self._boot_ns,
                seq=self.seq,
                at_ns=self._clock.now_ns(),
                is_whole=self.is_whole,
                stale=self.stale,
                events=events,
            )
            try:
                await self._net.publish(subject_of(self._venue), msgspec.json.encode(push))
                self.pushes += 1
            except NetDown:
                self.dropped += size + len(self._waiting)
                self._waiting.clear()
                return
