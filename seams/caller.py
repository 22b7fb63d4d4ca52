"""HTTP to a venue over TCP or TLS: a `Caller` whose connections outlast a request.

A request is never sent again here. A connection that was found dead before the first byte of a request is
replaced by another; what fails after that byte is `Lost`, also where the peer closed an idle connection in
that very moment. Only one whose answer ended by its own word, with nothing after it, is used again, and soon.
The outer deadline cannot be stretched by dripped bytes; a redirect is an answer, not an order.
"""

from __future__ import annotations

import asyncio
import select
from typing import cast

from seams.http import MAX_BODY_BYTES, MAX_HEAD_BYTES, decode_response, may_go_on
from seams.web import CONNECT_S, Address
from seams.wire import Lost, MayLeave, Unsent, always, plain

IDLE_S = 4.0
"""For how long an unused connection is kept: less than any server in common use waits (5 s and more)."""
MOST_IDLE = 4


class _Line(asyncio.Protocol):
    """One connection: what has come in since the last request, and whether it stands."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._data, self._is_over = b"", False
        self._news = asyncio.Event()
        self.ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._news.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()

    def is_usable(self) -> bool:
        """Tell whether nothing has come in that nobody asked for, not even into the socket: an end, or words
        that the next request would take for its answer."""
        if self._is_over or self._data or self.transport.is_closing():
            return False
        looking = select.poll()
        looking.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not looking.poll(0)

    async def answer(self) -> bytes:
        """Wait until an answer is whole and return it. Raises `ValueError` where it never becomes one."""
        while (answer := decode_response(self._data, is_at_end=self._is_over)) is None:
            if len(self._data) > MAX_BODY_BYTES + MAX_HEAD_BYTES:
                raise ValueError("an answer without end")
            self._news.clear()
            await self._news.wait()
        assert answer is not None
        data, self._data = self._data, b""
        return data


class HttpCaller:
    """Sends whole HTTP requests, as given, to one address; returns whole answers, as received."""

    def __init__(self, url: str) -> None:
        self.address = Address(url)
        self._idle: list[_Line] = []
        self._is_closed = False

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Caller.call`. The deadline covers connecting, writing and the whole answer."""
        has_left = may_stay = False
        line: _Line | None = None
        try:
            async with asyncio.timeout(timeout_s):
                line = self._take() or await self._open()
                if not may_leave():
                    raise Unsent("the gate closed before the first byte")
                has_left = True  # no await between the look at the line, the gate and the write
                line.transport.write(body)
                answer = await line.answer()
                may_stay = may_go_on(answer)
                return answer
        except Unsent:
            raise
        except (OSError, TimeoutError, ValueError) as error:
            said = plain(error, timeout_s)
            raise (Lost(said) if has_left else Unsent(said)) from error
        finally:
            if line is not None:
                self._keep(line) if may_stay else line.transport.abort()

    async def close(self) -> None:
        """Close what is kept open; a call that is under way ends by itself."""
        self._is_closed = True
        while self._idle:
            self._end(self._idle[-1])

    async def _open(self) -> _Line:
        at = self.address
        async with asyncio.timeout(CONNECT_S):
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(_Line, at.host, at.port, ssl=at.trust)
        return line

    def _take(self) -> _Line | None:
        """Return the connection that was used last, if it stands; those that do not are closed."""
        while self._idle:
            line = self._idle.pop()
            assert line.ending is not None, "what is idle ends by itself"
            line.ending.cancel()
            if line.is_usable():
                return line
            line.transport.abort()
        return None

    def _keep(self, line: _Line) -> None:
        if self._is_closed or len(self._idle) >= MOST_IDLE:
            line.transport.close()
            return
        line.ending = asyncio.get_running_loop().call_later(IDLE_S, self._end, line)
        self._idle.append(line)

    def _end(self, line: _Line) -> None:
        assert line.ending is not None
        line.ending.cancel()
        self._idle.remove(line)
        line.transport.close()
