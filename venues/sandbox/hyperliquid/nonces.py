"""Hyperliquid's rule for nonces: per signer the hundred highest, each used once, inside a window of time.

Source: venue documentation, "Nonces and API wallets"; the error texts were measured (venues.md 3.5). A
value below the smallest stored one is refused even where fewer than a hundred are stored: so the
documentation reads.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

KEPT = 100
BEHIND_MS = 2 * 86_400_000
AHEAD_MS = 86_400_000


def refusal(stored: Sequence[int], nonce: int, now_ms: int) -> str | None:
    """Return why a nonce may not be used now, in the venue's words, or None. `stored` is sorted."""
    if nonce <= now_ms - BEHIND_MS:
        return f"Invalid nonce: nonce too low {nonce} < {now_ms - BEHIND_MS}"
    if nonce >= now_ms + AHEAD_MS:
        return f"Invalid nonce: nonce too high {nonce} > {now_ms + AHEAD_MS}"
    place = bisect_left(stored, nonce)
    if place < len(stored) and stored[place] == nonce:
        return f"Invalid nonce: duplicate nonce {nonce}"
    if stored and nonce < stored[0]:
        return f"Invalid nonce: nonce too low {nonce} < {stored[0]}"
    return None


class NonceStore:
    """What each signer has used; forgotten with the signer (so an address must never be used again)."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def use(self, signer: str, nonce: int, now_ms: int) -> str | None:
        """Use a nonce up; return the refusal instead where it may not be used."""
        used = self._used.setdefault(signer, [])
        said = refusal(used, nonce, now_ms)
        if said is None:
            insort(used, nonce)
            del used[:-KEPT]
        return said

    def forget(self, signer: str) -> None:
        """The signer is gone, and its memory with it."""
        self._used.pop(signer, None)
