"""Nonces of the key that asks and cancels: rising over restarts and over a clock that was set back.

What was handed out is kept ahead of time, a minute at once: a question must not wait for a disk, and a new
process begins above everything that an older one can have used.
"""

from __future__ import annotations

from collections.abc import Callable

from seams.clock import NS_PER_MS, Clock

AHEAD_MS = 60_000


class AskNonces:
    """Counts for one key; without `remember` only this process knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = self._kept_to = 0
        self._keep: Callable[[int], None] | None = None

    def remember(self, floor: int, keep: Callable[[int], None]) -> None:
        """Begin above `floor`, and tell `keep` (durable, never raises) up to where is handed out."""
        self._last, self._kept_to, self._keep = max(self._last, floor), floor, keep

    def next(self, jump: int = 0) -> int:
        """Return a nonce above every one before: the clock's milliseconds, or one more than the last."""
        self._last = max(self._last + 1, self._clock.now_ns() // NS_PER_MS) + jump
        if self._keep is not None and self._last > self._kept_to:
            self._kept_to = self._last + AHEAD_MS
            self._keep(self._kept_to)
        return self._last
