"""The wire to a venue: bytes out, bytes back, and a stream of pushed frames or of messages both ways.

An error says what is known about the request: `Unsent` (no byte left) or `Lost` (it may have arrived).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

FrameHandler = Callable[[bytes], None]
StateHandler = Callable[[bool], None]
MayLeave = Callable[[], bool]


def always() -> bool:
    """Nothing stands in the way: what is not an order."""
    return True


class Unsent(ConnectionError):
    """No connection: not one byte of the request left this process."""


class Lost(TimeoutError):
    """The request left, at least in part, and no answer came in time."""


def plain(error: OSError | TimeoutError | ValueError, timeout_s: float) -> str:
    """Return what broke a request in words for an operator: never the name of an exception."""
    if not isinstance(error, OSError):
        return f"no whole answer: {error}"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused: nobody listens there"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return "the connection was cut by the other side"
    if isinstance(error, TimeoutError):
        return f"nothing whole came within {timeout_s:g} s"
    return f"the connection failed: {error.strerror or error}"


class Caller(Protocol):
    """Requests to one venue, each answered once. Nothing is retried and nothing is buffered."""

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """Send one request and return its answer. Raises `Unsent` or `Lost`.

        `may_leave` is asked in the very step in which the first byte is written, with no await between;
        False means `Unsent`. Waiting for a connection must not carry an order past a kill.
        """
        ...

    async def close(self) -> None: ...


class Wire(Caller, Protocol):
    """Requests, and a stream of what the venue pushes."""

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin (and keep) the stream; `on_state(True)` once frames flow, `on_state(False)` when not."""
        ...


class MessageLink(Protocol):
    """A stream of whole messages both ways, opened again whenever it breaks."""

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin (and keep) it; `on_state(True)` when messages may be sent, `on_state(False)` when not."""
        ...

    def send(self, frame: bytes) -> None:
        """Send one message. Raises `Unsent` where it is not open."""
        ...

    def drop(self) -> None:
        """Break this connection and open another: what it says can no longer be trusted."""
        ...

    async def close(self) -> None: ...
