"""A loopback exchange inside this process: the adapters' `Caller` and `MessageLink` without sockets.

What goes over them are the same bytes as over TCP, and an error says the same about a request; time is
the clock's. The simulator and the tests cut the wire with `is_up`.
"""

from __future__ import annotations

import asyncio

from seams.clock import Clock
from seams.http import Request, decode_request, decode_response
from seams.wire import FrameHandler, Lost, MayLeave, StateHandler, Unsent, always
from venues.sandbox.programs import Reply
from venues.sandbox.web import Conversation, Peer

REOPEN_S = 0.2


class PeerCaller:
    """Requests to a peer in this process."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self._peer, self._clock = peer, clock
        self._arriving: set[asyncio.Task[bytes]] = set()
        self.is_up = True

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Caller.call`."""
        await self._clock.sleep(0)
        if not self.is_up:
            raise Unsent("the wire is cut")
        if not may_leave():
            raise Unsent("the gate closed before the first byte")
        found = decode_request(body)
        assert found is not None and found[1] == len(body), "a request is whole"
        # What has left arrives, whether or not its sender still waits for the answer.
        work = asyncio.get_running_loop().create_task(self._answer(found[0], timeout_s), name="peer answer")
        self._arriving.add(work)
        work.add_done_callback(self._arriving.discard)
        done, _ = await asyncio.wait({work}, timeout=timeout_s)
        if not done:
            raise Lost("no answer in time")
        try:
            return work.result()
        except ValueError as error:
            raise Lost(str(error)) from error

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _answer(self, request: Request, timeout_s: float) -> bytes:
        reply: Reply = self._peer.answer(request)
        if reply.is_late:
            await self._clock.sleep(reply.pause_s)
            reply = self._peer.again(request)
        elif reply.pause_s:
            await self._clock.sleep(reply.pause_s)
        if reply.drip_s:
            await self._clock.sleep(reply.drip_s * len(reply.data))
        if reply.is_silent:
            await self._clock.sleep(2 * timeout_s)
        if not self.is_up:
            raise ValueError("the wire was cut")
        decode_response(reply.data, is_at_end=True)
        return reply.data


class PeerLink:
    """One WebSocket to a peer in this process, opened again whenever it breaks."""

    def __init__(self, peer: Peer, door: str, path: str, clock: Clock) -> None:
        self._peer, self._door, self._path, self._clock = peer, door, path, clock
        self._work: asyncio.Task[None] | None = None
        self._open: _PeerLine | None = None
        self.is_up = True

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin the stream and keep it until `close`."""
        work = self._keep(on_frame, on_state)
        self._work = asyncio.get_running_loop().create_task(work, name="peer socket")

    def send(self, frame: bytes) -> None:
        if self._open is None:
            raise Unsent("the stream is not open")
        self._open.said.append(frame)
        self._open.wake.set()

    def drop(self) -> None:
        if self._open is not None:
            self._open.close(1006)

    async def close(self) -> None:
        """End the stream."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None

    async def _keep(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        while True:
            if self.is_up:
                await self._once(on_frame, on_state)
            await self._clock.sleep(REOPEN_S)

    async def _once(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        line = self._open = _PeerLine()
        conversation = self._peer.open(self._door, self._path, line)
        if conversation is None:
            self._open = None
            return
        on_state(True)
        try:
            await self._carry(line, conversation, on_frame)
        finally:
            self._open = None
            conversation.gone()
            on_state(False)

    async def _carry(self, line: _PeerLine, conversation: Conversation, on_frame: FrameHandler) -> None:
        """Carry messages both ways, in order, until either side ends it."""
        while not line.is_closed and self.is_up:
            await line.wake.wait()
            line.wake.clear()
            said, line.said = line.said, []
            for frame in said:
                conversation.take(frame)
            pushed, line.pushed = line.pushed, []
            for frame in pushed:
                if not line.is_closed:
                    on_frame(frame)
            if line.pushed or line.said:
                line.wake.set()


class _PeerLine:
    """What waits on one connection; a `Line` for the peer."""

    def __init__(self) -> None:
        self.pushed: list[bytes] = []
        self.said: list[bytes] = []
        self.wake = asyncio.Event()
        self.is_closed = False

    def push(self, text: bytes) -> None:
        self.pushed.append(text)
        self.wake.set()

    def close(self, code: int) -> None:
        self.is_closed = True
        self.wake.set()
