"""Names said before: a venue repeats its newest trades after every new subscription."""

from __future__ import annotations

from collections import deque

MOST = 1_000


class Seen:
    """The last `MOST` names of each market."""

    def __init__(self) -> None:
        self._order: dict[str, deque[str]] = {}
        self._names: dict[str, set[str]] = {}

    def is_new(self, market: str, name: str) -> bool:
        """Tell whether a name comes for the first time, and remember it."""
        order = self._order.setdefault(market, deque())
        names = self._names.setdefault(market, set())
        if name in names:
            return False
        names.add(name)
        order.append(name)
        if len(order) > MOST:
            names.discard(order.popleft())
        return True
