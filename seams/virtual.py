"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

The whole engine runs unchanged on it. With the same inputs two runs make the same steps in the same
order, so their traces are equal byte for byte.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from seams.clock import NS_PER_S

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never sleeps: asked to wait, it moves the loop's clock forward by that much."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("deadlock in virtual time: no task can run and no timer is set")
        if timeout > 0:
            self.now_s += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class VirtualClock:
    """A `Clock` that reads a `VirtualLoop`."""

    def __init__(self, loop: VirtualLoop, start_ns: int = 1_790_000_000 * NS_PER_S) -> None:
        self._loop, self._start_ns = loop, start_ns

    def now_ns(self) -> int:
        return self._start_ns + round(self._loop.time() * NS_PER_S)

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * NS_PER_S)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run a coroutine to its end on virtual time and close the loop."""
    try:
        return loop.run_until_complete(main)
    finally:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()
