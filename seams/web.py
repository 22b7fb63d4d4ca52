"""A venue's address, and the WebSocket to it over TCP or TLS: a `MessageLink`.

A proxy in the environment is not looked at, and a redirect is not followed.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from functools import cached_property
from urllib.parse import urlsplit

from seams.clock import Clock
from seams.http import decode_response
from seams.rng import secret_bytes
from seams.websocket import FrameReader, Op, close_frame, encode_frame, is_accepted, upgrade_request
from seams.wire import FrameHandler, StateHandler, Unsent

CONNECT_S = 3.0
BACKOFF_S = (0.2, 5.0)
"""The first and the longest pause before a stream is opened again (Kraken asks for at least 5 s after
downtime)."""
SILENCE_S = 10.0
"""A stream that says nothing at all for so long is broken; what it must say sooner is its venue's rule."""


class Address:
    """Where a venue listens: `http`, `https`, `ws` or `wss`, a host, a port, a path. Raises `ValueError`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"not an address of a venue: {url!r}")
        self.is_tls = parts.scheme in ("https", "wss")
        self.host, self.port = parts.hostname, parts.port or (443 if self.is_tls else 80)
        self.path = parts.path or "/"
        self.authority = parts.netloc.rpartition("@")[2]

    @cached_property
    def trust(self) -> ssl.SSLContext | None:
        """What a certificate must prove; None without TLS. Made once: it reads every authority there is."""
        return ssl.create_default_context() if self.is_tls else None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open one connection; a certificate must be valid for the host. Raises `OSError`."""
        return await asyncio.open_connection(self.host, self.port, ssl=self.trust)


class WebSocketLink:
    """A `MessageLink` over one WebSocket URL."""

    def __init__(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> None:
        self._address, self._clock, self._silence_s = Address(url), clock, silence_s
        self._work: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin the stream and keep it until `close`."""
        assert self._work is None
        work = self._keep(on_frame, on_state)
        self._work = asyncio.get_running_loop().create_task(work, name="venue socket")

    def send(self, frame: bytes) -> None:
        if self._writer is None or self._writer.transport.is_closing():
            raise Unsent("the stream is not open")
        self._writer.write(encode_frame(Op.TEXT, frame, secret_bytes(4)))

    def drop(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """End the stream."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None

    async def _keep(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        pause_s = BACKOFF_S[0]
        while True:
            began_ns = self._clock.monotonic_ns()
            with suppress(OSError, TimeoutError, ValueError):
                await self._once(on_frame, on_state)
            if self._clock.monotonic_ns() - began_ns > self._silence_s * 1e9:
                pause_s = BACKOFF_S[0]  # it stood for a while: this break is a new one
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_S[1])

    async def _once(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Open the stream once and read it until it breaks. Raises whatever broke it."""
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await self._address.connect()
            try:
                data = await self._shake_hands(reader, writer)
            except BaseException:
                writer.close()
                raise
        frames = FrameReader()
        self._writer = writer
        on_state(True)
        try:
            while True:
                for message in frames.feed(data):
                    if message.op is Op.CLOSE:
                        return
                    if message.op is Op.PING:
                        writer.write(encode_frame(Op.PONG, message.data, secret_bytes(4)))
                    elif message.op in (Op.TEXT, Op.BINARY):
                        self._tell(on_frame, message.data)
                async with asyncio.timeout(self._silence_s):
                    data = await reader.read(65_536)
                if not data:
                    return
        finally:
            self._writer = None
            with suppress(OSError):
                writer.write(close_frame(1000, mask=secret_bytes(4)))
            writer.close()
            on_state(False)

    async def _shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Make the handshake; return what came after it already."""
        nonce = secret_bytes(16)
        writer.write(upgrade_request(self._address.authority, self._address.path, nonce))
        head = await reader.readuntil(b"\r\n\r\n")
        answer = decode_response(head, is_at_end=True)
        if answer is None or not is_accepted(answer, nonce):
            raise ValueError("the handshake was refused")
        return b""

    def _tell(self, on_frame: FrameHandler, frame: bytes) -> None:
        """One message that its reader chokes on breaks the stream, aloud: what it said must be asked."""
        try:
            on_frame(frame)
        except Exception as error:
            context = {"message": "a message of the venue's stream was not understood", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            raise ConnectionError("a message was not understood") from error
