"""How bytes get to a venue: real sockets, or in a test whatever stands in for them; and what bounds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from seams.caller import HttpCaller
from seams.clock import Clock
from seams.web import SILENCE_S, WebSocketLink
from seams.wire import Caller, FrameHandler, MayLeave, MessageLink, StateHandler, Unsent, always
from venues.reading import ReadingCaller, ReadingLink

GATE_LOOK_S = 0.2
CLOSED = "not armed: the venue's address is closed"


class Transport(Protocol):
    """Makes the wires to one venue."""

    def caller(self, url: str, venue: str) -> Caller: ...

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink: ...


class Sockets:
    """Real connections to any address: who holds this decides which."""

    def caller(self, url: str, venue: str) -> Caller:
        return HttpCaller(url)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return WebSocketLink(url, clock, silence_s)


class Gated:
    """Another transport whose address is closed while `is_open` says so: not a byte, not a connection."""

    def __init__(self, inner: Transport, is_open: Callable[[], bool]) -> None:
        self._inner, self._is_open = inner, is_open

    def caller(self, url: str, venue: str) -> Caller:
        return _GatedCaller(self._inner.caller(url, venue), self._is_open)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return _GatedLink(self._inner.link(url, clock, silence_s), self._is_open, clock)


class _GatedCaller:
    def __init__(self, caller: Caller, is_open: Callable[[], bool]) -> None:
        self._caller, self._is_open = caller, is_open

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Caller.call`; the gate is read before connecting, and in the step of the first byte."""
        if not self._is_open():
            raise Unsent(CLOSED)
        return await self._caller.call(body, timeout_s, lambda: self._is_open() and may_leave())

    async def close(self) -> None:
        await self._caller.close()


class _GatedLink:
    def __init__(self, link: MessageLink, is_open: Callable[[], bool], clock: Clock) -> None:
        self._link, self._is_open, self._clock = link, is_open, clock
        self._work: asyncio.Task[None] | None = None
        self._runs = False

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Open the stream while the gate is open, and end it when it closes."""
        work = self._keep(on_frame, on_state)
        self._work = asyncio.get_running_loop().create_task(work, name="gated socket")

    async def _keep(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        while True:
            is_open = self._is_open()
            if is_open and not self._runs:
                self._link.start(on_frame, on_state)
            elif self._runs and not is_open:
                await self._link.close()
            self._runs = is_open
            await self._clock.sleep(GATE_LOOK_S)

    def send(self, frame: bytes) -> None:
        if not self._runs or not self._is_open():
            raise Unsent(CLOSED)
        self._link.send(frame)

    def drop(self) -> None:
        if self._runs:
            self._link.drop()

    async def close(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        if self._runs:
            await self._link.close()
            self._runs = False


class Reading:
    """Another transport through which only questions leave, until `may_act` says otherwise."""

    def __init__(self, inner: Transport, may_act: Callable[[], bool] = lambda: False) -> None:
        self._inner, self._may_act = inner, may_act

    def caller(self, url: str, venue: str) -> Caller:
        return ReadingCaller(self._inner.caller(url, venue), venue, self._may_act)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return ReadingLink(self._inner.link(url, clock, silence_s))
