"""A `Wire` over TCP: one line out and one line back on a connection of its own, and a stream of lines.

An empty line on the stream is a heartbeat; a stream that says nothing for `SILENCE_S` is broken. The
stream is opened again for ever, ever more slowly; a request is never repeated.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from seams.clock import Clock
from seams.wire import FrameHandler, Lost, MayLeave, StateHandler, Unsent, always, plain

CONNECT_S = 2.0
SILENCE_S = 5.0
BACKOFF_S = (0.1, 5.0)
"""The first and the longest pause before the stream is opened again."""
MAX_LINE_BYTES = 8_000_000


class TcpWire:
    """One peer at `host`:`port`; `opening` is the request that makes a connection a stream."""

    def __init__(self, host: str, port: int, opening: bytes, clock: Clock) -> None:
        self._host, self._port, self._opening, self._clock = host, port, opening, clock
        self._stream: asyncio.Task[None] | None = None

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin the stream and keep it until `close`."""
        assert self._stream is None
        work = self._keep(on_frame, on_state)
        self._stream = asyncio.get_running_loop().create_task(work, name="venue stream")

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Wire.call`. The deadline covers connecting, writing and the whole answer."""
        assert b"\n" not in body
        has_left = False
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._connect()
                if not may_leave():
                    raise Unsent("the gate closed before the first byte")
                has_left = True  # no await between the gate and the write
                writer.write(body + b"\n")
                await writer.drain()
                answer = await reader.readline()
        except Unsent:
            raise
        except (OSError, TimeoutError, ValueError) as error:
            said = plain(error, timeout_s)
            raise (Lost(said) if has_left else Unsent(said)) from error
        finally:
            if writer is not None:
                writer.close()
        if not answer.endswith(b"\n"):
            raise Lost("the connection ended before the answer did")
        return answer[:-1]

    async def close(self) -> None:
        """End the stream."""
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.gather(self._stream, return_exceptions=True)
            self._stream = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=MAX_LINE_BYTES)

    async def _keep(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        pause_s = BACKOFF_S[0]
        while True:
            began_ns = self._clock.monotonic_ns()
            with suppress(OSError, TimeoutError, ValueError):
                await self._read_stream(on_frame, on_state)
            if self._clock.monotonic_ns() - began_ns > SILENCE_S * 1e9:
                pause_s = BACKOFF_S[0]  # it stood for a while: this break is a new one
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_S[1])

    async def _read_stream(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Open the stream once and read it until it breaks. Raises whatever broke it."""
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await self._connect()
        is_up = False
        try:
            writer.write(self._opening + b"\n")
            while True:
                async with asyncio.timeout(SILENCE_S):
                    line = await reader.readline()
                if not line.endswith(b"\n"):
                    return
                if not is_up:
                    is_up = True
                    on_state(True)
                if line != b"\n":
                    self._tell(on_frame, line[:-1])
        finally:
            writer.close()
            if is_up:
                on_state(False)

    def _tell(self, on_frame: FrameHandler, frame: bytes) -> None:
        """One frame that its reader chokes on breaks the stream, aloud: what it said must be asked."""
        try:
            on_frame(frame)
        except Exception as error:
            context = {"message": "a frame of the venue's stream was not understood", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            raise ConnectionError("a frame was not understood") from error
