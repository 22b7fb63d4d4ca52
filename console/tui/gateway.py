"""The console's only way out: views come in, commands go out, and nothing waits on a screen."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Protocol, TypeVar

from console.tui.model import Desk, Link
from engine.api import direct_kill
from engine.api.client import EngineClient
from engine.api.commands import CommandBody, KillDone, QueryBody, Reply, Snapshot
from engine.api.views import StatusView, Views
from seams.clock import NS_PER_MS, NS_PER_S, Clock
from seams.ids import Ids, SortableIds
from seams.net import NetDown, NoAnswer

T = TypeVar("T")

KILL_SENDS = 3
KILL_GAP_S = 0.1
LOST_AFTER_S = 4


class Gateway(Protocol):
    """What the console needs from the engine."""

    async def run(self, desk: Desk) -> None:
        """Keep the desk filled until cancelled; never raises for a lost engine."""
        ...

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 2.0, request_id: str = ""
    ) -> Reply:
        """Send a command. Raises `NetDown` (not sent) or `NoAnswer` (outcome unknown)."""
        ...

    async def query(self, body: QueryBody, result: type[T]) -> T:
        """Ask. Raises `NetDown`, `NoAnswer` or `EngineRefused`."""
        ...

    def shut(self) -> None:
        """Shut every gate of this home at once, whoever answers later. Raises `OSError`."""
        ...

    async def latch_on_disk(self, level: str) -> KillDone:
        """Latch with no engine and no bus; an engine that lives obeys at once. Raises `OSError`."""
        ...

    def new_id(self) -> str:
        """Return a request id, for a command that may be sent more than once."""
        ...

    async def close(self) -> None: ...


async def send_urgently(gateway: Gateway, body: CommandBody, request_id: str, timeout_s: float) -> Reply:
    """Send one command three times, 100 ms apart, under one id; return the first answer.

    The engine carries out an id once. Raises `NoAnswer` when none of the three was answered.
    """

    async def attempt(delay_s: float) -> Reply:
        await asyncio.sleep(delay_s)
        return await gateway.command(body, timeout_s=timeout_s, request_id=request_id)

    tasks = [asyncio.create_task(attempt(n * KILL_GAP_S)) for n in range(KILL_SENDS)]
    try:
        for done in asyncio.as_completed(tasks):
            try:
                return await done
            except (NetDown, NoAnswer):
                continue
        raise NoAnswer("none of the sends was answered")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def latch_on_disk(home: Path, operator: str, level: str) -> KillDone:
    """Trip the latch beside the engine, as `interlock kill --direct` does. Raises `OSError`."""
    from engine.api.local import kill_direct

    reason = "console kill that the engine did not answer"
    how = "console, direct"
    return await asyncio.to_thread(
        kill_direct, home, operator=operator, reason=reason, level=level, source=how
    )


class EngineGateway:
    """The gateway to a running engine: connects, reconnects, resynchronises, measures the round trip."""

    def __init__(self, home: Path, clock: Clock, operator: str, *, is_readonly: bool = False) -> None:
        self._home, self._clock, self._operator = home, clock, operator
        self._roles = ("observer",) if is_readonly else ("operator", "observer")
        self._ids: Ids = SortableIds(clock)
        self.console = self._ids.new("W")[-8:]
        self._client: EngineClient | None = None

    async def run(self, desk: Desk) -> None:
        desk.console = self.console
        await asyncio.to_thread(importlib.import_module, "engine.api.nats")  # 40 ms that no frame waits for
        while True:
            try:
                await self._attend(desk)
            except (NetDown, NoAnswer, OSError):
                desk.set_link(Link.DOWN)
            await self.close()
            await asyncio.sleep(0.5)

    async def _attend(self, desk: Desk) -> None:
        """Connect, fill the desk and watch it until the engine is lost for more than three seconds."""
        client = await self._connect(desk)
        self._client = client
        await client.watch(desk.store)
        desk.set_link(Link.UP)
        heard_ns = self._clock.monotonic_ns()
        desk.awaits_resync = True
        while self._clock.monotonic_ns() - heard_ns < LOST_AFTER_S * NS_PER_S:
            try:
                if desk.awaits_resync:
                    await self._resync(client, desk)
                desk.note_rtt(await self._round_trip_ms(client))
                heard_ns = self._clock.monotonic_ns()
            except (NetDown, NoAnswer):
                desk.note_rtt(None)
                desk.awaits_resync = True
            await asyncio.sleep(0.2 if desk.awaits_resync and desk.link is Link.UP else 1.0)
        desk.set_link(Link.DOWN)

    async def _resync(self, client: EngineClient, desk: Desk) -> None:
        """Fetch every view; what is decided from here on is decided about this epoch."""
        desk.begin_resync()
        for view in (await client.views()).views:
            desk.store(view)
            if isinstance(view, StatusView):
                client.epoch = view.epoch
        desk.note_resync()

    async def _connect(self, desk: Desk) -> EngineClient:
        """Connect as an operator, or as an observer where only that credential can be read."""

        def changed(is_up: bool) -> None:
            desk.set_link(Link.UP if is_up else Link.DOWN)

        for role in self._roles:
            try:
                client = await EngineClient.connect(
                    self._home, self._clock, self._ids, self._operator, role, changed, console=self.console
                )
            except PermissionError:
                continue
            desk.is_readonly = desk.is_readonly or role == "observer"
            return client
        raise NetDown("no readable credential for this home")

    async def _round_trip_ms(self, client: EngineClient) -> float:
        before = self._clock.monotonic_ns()
        await client.query(Snapshot(views=("status",)), Views, 1.0)
        return float(self._clock.monotonic_ns() - before) / NS_PER_MS

    async def command(
        self, body: CommandBody, *, reason: str = "", timeout_s: float = 2.0, request_id: str = ""
    ) -> Reply:
        return await self._need().command(body, reason=reason, timeout_s=timeout_s, request_id=request_id)

    async def query(self, body: QueryBody, result: type[T]) -> T:
        return await self._need().query(body, result)

    def _need(self) -> EngineClient:
        if self._client is None:
            raise NetDown("not connected to an engine")
        return self._client

    def shut(self) -> None:
        direct_kill.shut(self._home)

    async def latch_on_disk(self, level: str) -> KillDone:
        return await latch_on_disk(self._home, self._operator, level)

    def new_id(self) -> str:
        return self._ids.new("C")

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
