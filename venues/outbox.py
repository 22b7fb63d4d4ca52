"""What one adapter has signed: bytes that have never left, and orders that were refused before they could."""

from __future__ import annotations

from venues.contract import Refused

KEPT = 10_000


class Outbox:
    """Kept in memory only: after a restart every order may have left, and none is taken for fresh."""

    def __init__(self) -> None:
        self._refusals: dict[str, Refused] = {}
        self._unsent: dict[int, None] = {}

    def refuse(self, name: str, refusal: Refused) -> None:
        """Keep why an order was not signed: every `submit` of it says the same."""
        self._refusals[name] = refusal
        while len(self._refusals) > KEPT:
            del self._refusals[next(iter(self._refusals))]

    def refusal_of(self, name: str) -> Refused:
        """Return why an order has no bytes."""
        said = "this order was refused before it was signed"
        return self._refusals.get(name) or Refused("not_signed", said)

    def add(self, nonce: int) -> None:
        """Note bytes that exist and have not left."""
        self._unsent[nonce] = None
        while len(self._unsent) > KEPT:
            del self._unsent[next(iter(self._unsent))]

    def take(self, nonce: int) -> bool:
        """Note that these bytes leave now; tell whether no copy of them has left before."""
        is_first = nonce in self._unsent
        self._unsent.pop(nonce, None)
        return is_first
