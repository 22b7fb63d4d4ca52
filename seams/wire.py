"""The wire to a venue: bytes out, bytes back, and a stream of pushed frames.

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


class Wire(Protocol):
    """One connection to one venue. Nothing is retried and nothing is buffered."""

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        """Begin (and keep) the stream; `on_state(True)` once frames flow, `on_state(False)` when not."""
        ...

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """Send one request and return its answer. Raises `Unsent` or `Lost`.

        `may_leave` is asked in the very step in which the first byte is written, with no await between;
        False means `Unsent`. Waiting for a connection must not carry an order past a kill.
        """
        ...

    async def close(self) -> None: ...
