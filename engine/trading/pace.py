"""How often an account is compared with its venue while both sides go on differing.

Most differences are the lag of a venue's lists, and end within seconds: the first passes come quickly. One
that stands after that waits for a person, and asking for it again each second uses up the request budget
that cancels, doubtful orders and that person's own act need.
"""

from __future__ import annotations

from collections.abc import Callable

from seams.clock import NS_PER_MS, NS_PER_S, Clock

QUICK_PASSES = 3
"""So many passes that find the same again come at the usual pace: then the difference is a verdict."""
BUSY_NS = 5 * NS_PER_S
"""The longest wait while an order of ours may act at the venue: what a clean account waits, too."""
QUIET_NS = 15 * NS_PER_S
"""The wait of a clean account where nothing of ours works, at a venue that counts requests."""


class Pace:
    """When the next full pass of an account that differs is due.

    Each pass that finds the very same doubles the wait, from one second to half of what a reconciliation may
    be old (`stale_ms`), so that one that ended in time is always possible. Anything new begins again.
    """

    def __init__(self, clock: Clock, stale_ms: Callable[[], int], is_idle: Callable[[], bool]) -> None:
        self._clock, self._stale_ms, self._is_idle = clock, stale_ms, is_idle
        self._repeats, self._passed_ns = 0, clock.monotonic_ns()

    def news(self) -> None:
        """Take note that something has changed: the next pass is due now, and others soon after it."""
        self._repeats = 0

    def passed(self, *, is_same: bool) -> None:
        """Take note of a whole pass; `is_same`: it differed exactly as the one before it."""
        self._repeats = self._repeats + 1 if is_same else 0
        self._passed_ns = self._clock.monotonic_ns()

    @property
    def wait_ns(self) -> int:
        """How long after the last whole pass the next is due."""
        doublings = self._repeats - QUICK_PASSES
        if doublings <= 0:
            return 0
        longest_ns = self._stale_ms() * NS_PER_MS // 2
        if not self._is_idle():
            longest_ns = min(longest_ns, BUSY_NS)
        return min(NS_PER_S << min(doublings, 16), longest_ns)

    @property
    def is_due(self) -> bool:
        """Whether the account is to be compared again."""
        return self._clock.monotonic_ns() - self._passed_ns >= self.wait_ns

    def clean_ns(self, *, is_counted: bool) -> int:
        """How long after a whole pass the next is due while both sides agree; `is_counted`: the venue has a
        budget of requests, which orders and people's own questions need more."""
        longest_ns = QUIET_NS if is_counted and self._is_idle() else BUSY_NS
        return min(longest_ns, self._stale_ms() * NS_PER_MS // 2)
