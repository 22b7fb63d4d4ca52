"""Simulated time: a virtual loop that stirs and freezes, and a host's clock that may step."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappush
from typing import Any

from engine.sim.faults import Dice, Fault
from seams.virtual import VirtualClock, VirtualLoop

INCARNATION: contextvars.ContextVar[int] = contextvars.ContextVar("incarnation", default=0)


def _number_of(handle: Any) -> int:
    """Return whose process a callback belongs to: an incarnation's number, 0 the world's."""
    number: int = handle._context.get(INCARNATION, 0)
    return number


class StirredLoop(VirtualLoop):
    """A virtual loop that now and then runs what is ready in another order (F51)."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice
        self.frozen = 0
        """The incarnation whose process is stopped (F25); 0 none."""
        self._held: list[Any] = []
        self.before_turn: Callable[[deque[Any]], None] | None = None
        """Called before each turn with what is ready to run."""

    def freeze(self, number: int) -> None:
        """Stop one incarnation's process: nothing of it runs, its timers run out unheard."""
        assert not self.frozen
        self.frozen = number
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        self._held = [each for each in timers if _number_of(each) == number]
        timers[:] = [each for each in timers if _number_of(each) != number]
        heapify(timers)

    def thaw(self) -> None:
        """Let it go on: what should have happened meanwhile happens now, in its order."""
        self.frozen = 0
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        for each in self._held:
            if isinstance(each, asyncio.TimerHandle):
                heappush(timers, each)
            else:
                self._ready.append(each)  # type: ignore[attr-defined]
        self._held = []

    def _run_once(self) -> None:
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]
        if self.frozen:
            self._held += [each for each in ready if _number_of(each) == self.frozen]
            rest = [each for each in ready if _number_of(each) != self.frozen]
            ready.clear()
            ready.extend(rest)
        if len(ready) > 1 and self._dice.strikes(Fault.LATE_YIELD):
            shuffled = list(ready)
            self._dice.stream("stir").shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)
        if self.before_turn is not None:
            self.before_turn(ready)
        super()._run_once()  # type: ignore[misc]


class SteppingClock(VirtualClock):
    """The engine host's clock: its wall time may step, its monotonic time never does."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop)
        self.offset_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.offset_ns
