"""Nonces: strictly increasing per signing key, durable before use, never going back with a clock."""

from __future__ import annotations

from engine.store.store import Store
from seams.clock import NS_PER_MS, Clock

PREFIX = "nonce:"


class Nonces:
    """Counts for one signing key. Call `next` inside the transaction that records what it is for."""

    def __init__(self, store: Store, clock: Clock, signer: str) -> None:
        self._store, self._clock = store, clock
        self._key = PREFIX + signer
        self._last: int | None = None

    @property
    def last(self) -> int:
        """The highest nonce ever handed out, 0 before the first; one whose transaction failed counts."""
        if self._last is None:
            self._last = int(self._store.facts.get(self._key) or 0)
        return self._last

    def next(self) -> int:
        """Return a nonce above every one before: the clock's milliseconds, or one more than the last.

        Raises `StoreFailed` where it cannot be made durable.
        """
        now_ns = self._clock.now_ns()
        nonce = max(self.last + 1, now_ns // NS_PER_MS)
        self._last = nonce  # even where the transaction fails: a nonce is never handed out twice
        self._store.facts.set(self._key, str(nonce), now_ns)
        return nonce
