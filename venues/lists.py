"""A venue's lists of what it trades, asked for again and again: no order is sized by what may no longer hold.

Lots, ticks, leverage and what is halted or gone change while an engine runs (venues.md, faults 38 and 39).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from seams.clock import NS_PER_S, Clock
from venues.contract import Refused, VenueError

EVERY_S = 3_600.0
RETRY_S = 30.0
"""How soon is asked again where no answer came, or where a refusal may come from an old list."""
STALE_S = 6 * 3_600.0
"""How old an answer may be for an order to be sized by it."""
STALE = "metadata_stale"
_SIZING = {"bad_price", "bad_quantity", "bad_arguments", "malformed", "min_notional", "min_quantity"}
OLD_LIST = frozenset(_SIZING | {"unknown_symbol", "market_closed", "margin_tier", "delisted"})
"""Refusals by the venue that an old list of ours would explain."""


class Lists:
    """Asks by `ask`, which takes an answer over whole or raises `VenueError`, `ValueError` or `KeyError`."""

    def __init__(self, ask: Callable[[], Awaitable[None]], clock: Clock, known_for_s: float = 0.0) -> None:
        """`known_for_s`: for how long after the beginning what the adapter brings along may be sized by."""
        self._ask, self._clock = ask, clock
        self._known_to_ns = clock.monotonic_ns() + int(known_for_s * NS_PER_S)
        self._answered_ns: int | None = None
        self._is_wanted = True
        self._work: asyncio.Task[None] | None = None

    def start(self, name: str) -> None:
        """Ask now, then each hour, and soon after `heard` a refusal that an old list would explain."""
        self._work = asyncio.get_running_loop().create_task(self._run(), name=name)

    def answered(self) -> None:
        """Note that the venue has just said what it lists, whoever asked."""
        self._answered_ns, self._is_wanted = self._clock.monotonic_ns(), False

    def heard(self, refusal: Refused) -> None:
        """Note what the venue refused; an order is never changed and sent again for it."""
        self._is_wanted = self._is_wanted or refusal.code in OLD_LIST

    @property
    def age_s(self) -> float | None:
        """How old the last answer is; None before the first."""
        at_ns = self._answered_ns
        return None if at_ns is None else (self._clock.monotonic_ns() - at_ns) / NS_PER_S

    def problem(self) -> Refused | None:
        """Return why nothing may be sized now, or None."""
        age_s = self.age_s
        is_known = age_s is None and self._clock.monotonic_ns() < self._known_to_ns
        if is_known or (age_s is not None and age_s <= STALE_S):
            return None
        said = "never" if age_s is None else f"{age_s / 3_600:.1f} hours ago"
        return Refused(STALE, f"the venue last said what it lists {said}")

    async def _run(self) -> None:
        while True:
            age_s = self.age_s
            if self._is_wanted or age_s is None or age_s >= EVERY_S:
                try:
                    await self._ask()
                    self.answered()
                except (VenueError, ValueError, KeyError):
                    self._is_wanted = True
            await self._clock.sleep(RETRY_S)

    async def close(self) -> None:
        """Ask no more."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
