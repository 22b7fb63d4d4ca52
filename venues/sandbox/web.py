"""The shell of a loopback exchange: HTTP and WebSocket on 127.0.0.1 around a core that knows neither.

The core (`Peer`) takes requests and messages and says what goes back; the same core runs inside the
simulator without this file.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from seams.clock import Clock
from seams.http import Request, Response, decode_request, encode_response
from seams.websocket import FrameReader, Op, close_frame, encode_frame, is_upgrade, upgrade_response
from venues.sandbox.programs import Reply

HOST = "127.0.0.1"
IDLE_S = 60.0
TICK_S = 0.05
MAX_BEHIND_BYTES = 4_000_000
"""A reader of a stream that is so far behind is cut off."""
MAX_REQUEST_BYTES = 1_000_000


class Line(Protocol):
    """One open WebSocket, seen from the core."""

    def push(self, text: bytes) -> None:
        """Send one message; nothing happens where the client is gone."""
        ...

    def close(self, code: int) -> None:
        """End the connection with this code."""
        ...


class Conversation(Protocol):
    """What the core keeps for one open WebSocket."""

    def take(self, text: bytes) -> None:
        """Take one message of the client."""
        ...

    def gone(self) -> None:
        """The connection has ended."""
        ...


class Peer(Protocol):
    """A loopback exchange without a network. Nothing here raises for what a client may send."""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        ...

    def again(self, request: Request) -> Reply:
        """Answer a request that a fault held back: now it is applied."""
        ...

    def open(self, door: str, path: str, line: Line) -> Conversation | None:
        """Open a conversation at one of the doors; None where there is nothing at this path."""
        ...

    def advance(self) -> None:
        """Let what is due at the clock's time happen: timers, heartbeats, expiries."""
        ...


class Shell:
    """Listens for one peer. Every door is a port of its own."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self._peer, self._clock = peer, clock
        self._servers: list[asyncio.Server] = []
        self._ticking: asyncio.Task[None] | None = None

    async def listen(self, port: int, door: str = "") -> int:
        """Open a door and return its port."""
        server = await asyncio.start_server(lambda r, w: self._client(r, w, door), HOST, port)
        self._servers.append(server)
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().create_task(self._tick(), name="exchange timers")
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close all doors. A timer that failed is a defect and is raised here."""
        for server in self._servers:
            server.close()
        if self._ticking is not None:
            if self._ticking.done():
                self._ticking.result()
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            self._peer.advance()
            await self._clock.sleep(TICK_S)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, door: str) -> None:
        try:
            await self._talk(reader, writer, door)
        except (OSError, TimeoutError, ValueError):
            return  # the client is gone, or speaks no HTTP: nothing to tell
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, door: str) -> None:
        data = b""
        while True:
            while (found := decode_request(data)) is None:
                if len(data) > MAX_REQUEST_BYTES:
                    return
                async with asyncio.timeout(IDLE_S):
                    more = await reader.read(65_536)
                if not more:
                    return
                data += more
            request, size = found
            data = data[size:]
            if is_upgrade(request):
                await self._converse(request, reader, writer, door, data)
                return
            if not await self._reply(request, writer):
                return
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _reply(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Send what the peer says, as it says; False where the connection ends with it."""
        reply = self._peer.answer(request)
        if reply.is_late:
            await self._clock.sleep(reply.pause_s)
            reply = self._peer.again(request)
        if reply.is_silent:
            await self._clock.sleep(IDLE_S)
            return False
        if reply.pause_s:
            await self._clock.sleep(reply.pause_s)
        if reply.drip_s:
            for byte in reply.data:
                writer.write(bytes([byte]))
                await writer.drain()
                await self._clock.sleep(reply.drip_s)
        else:
            writer.write(reply.data)
            await writer.drain()
        return not reply.is_cut

    async def _converse(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        door: str,
        data: bytes,
    ) -> None:
        """Hold one WebSocket until either side ends it."""
        line = _SocketLine(writer)
        writer.write(encode_response(upgrade_response(request)))
        conversation = self._peer.open(door, request.path, line)
        if conversation is None:
            line.close(1008)
            return
        frames = FrameReader()
        try:
            while not writer.transport.is_closing():
                for message in frames.feed(data):
                    if message.op is Op.CLOSE:
                        line.close(message.close_code if message.close_code != 1005 else 1000)
                        return
                    if message.op is Op.PING:
                        writer.write(encode_frame(Op.PONG, message.data))
                    elif message.op in (Op.TEXT, Op.BINARY):
                        conversation.take(message.data)
                data = await reader.read(65_536)
                if not data:
                    return
        finally:
            conversation.gone()


class _SocketLine:
    """A `Line` over one TCP connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def push(self, text: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            transport.abort()
            return
        self._writer.write(encode_frame(Op.TEXT, text))

    def close(self, code: int) -> None:
        if not self._writer.transport.is_closing():
            self._writer.write(close_frame(code))
            self._writer.close()


def not_found() -> Response:
    """Return the answer to a path that is not there."""
    return Response(404, {"content-type": "text/plain"}, b"not found")
