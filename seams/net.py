"""Network between processes: subjects, bytes, request and reply.

`LoopbackNet` connects parts of one process (simulator, tests); the NATS one lives in `engine.api.nats`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[str, bytes], Awaitable[bytes | None]]
"""Called with (subject, body); what it returns is the reply to a request."""


class NetDown(ConnectionError):
    """The bus cannot be reached; nothing was sent."""


class NoAnswer(TimeoutError):
    """A request was sent and not answered in time: its outcome is unknown."""


class Net(Protocol):
    """One connection to the bus."""

    @property
    def is_connected(self) -> bool: ...

    async def publish(self, subject: str, body: bytes) -> None:
        """Send and forget. Raises `NetDown` at once when disconnected; nothing is buffered."""
        ...

    async def request(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        """Send and wait for the reply. Raises `NetDown` or `NoAnswer`."""
        ...

    async def subscribe(self, subject: str, handler: Handler) -> None:
        """Call `handler` for each message; `*` and a final `>` are wildcards."""
        ...

    async def close(self) -> None: ...


class LoopbackNet:
    """A bus inside one process: handlers run in the caller's event loop, in subscription order."""

    def __init__(self) -> None:
        self._handlers: list[tuple[str, Handler]] = []
        self.is_up = True

    @property
    def is_connected(self) -> bool:
        return self.is_up

    async def publish(self, subject: str, body: bytes) -> None:
        if not self.is_up:
            raise NetDown("loopback is down")
        for pattern, handler in list(self._handlers):
            if matches(pattern, subject):
                await handler(subject, body)

    async def request(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        if not self.is_up:
            raise NetDown("loopback is down")
        for pattern, handler in list(self._handlers):
            if matches(pattern, subject):
                reply = await asyncio.wait_for(handler(subject, body), timeout_s)
                if reply is not None:
                    return reply
        raise NoAnswer(f"no responder for {subject}")

    async def subscribe(self, subject: str, handler: Handler) -> None:
        self._handlers.append((subject, handler))

    async def close(self) -> None:
        self._handlers.clear()


def matches(pattern: str, subject: str) -> bool:
    """Tell whether a subject falls under a pattern, by NATS rules."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(given) > index
        if index >= len(given) or token not in ("*", given[index]):
            return False
    return len(wanted) == len(given)
