"""Tickets that expired unanswered: an empty chair is one alarm, which counts until somebody has seen it."""

from __future__ import annotations

from engine.core import Core
from seams.clock import NS_PER_S

ALARM = "ticket_expired"
SEEN_S = 20
"""How long a seen expiry stands as the alarm's condition; the next one rings again."""


class Expiries:
    """Symbol -> when its last ticket expired, and how many did since somebody had seen the alarm."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._expired: dict[str, tuple[int, int]] = {}

    def ring(self, symbol: str, ticket_id: str) -> None:
        """Tell of one ticket that expired, and how many it follows."""
        _, before = self._expired.get(symbol, (0, 0))
        self._expired[symbol] = self._core.clock.now_ns(), before + 1
        which = f"{before + 1} tickets, the last {ticket_id}," if before else ticket_id
        self._core.alarm(ALARM, symbol, "eng", f"{which} expired unanswered")

    def tend(self, now_ns: int) -> None:
        """End the alarm where somebody has seen it, so that the next expiry rings again."""
        for symbol, (at_ns, _) in list(self._expired.items()):
            is_seen = not self._core.alarms.is_unseen(ALARM, symbol)
            if is_seen and now_ns - at_ns > SEEN_S * NS_PER_S:
                del self._expired[symbol]
                self._core.calm(ALARM, symbol)
