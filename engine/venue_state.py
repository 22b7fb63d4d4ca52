"""How far the venue trades: heard from its streams, held where it takes no entries, and said aloud.

What stops entries (`cancel_only`, `maintenance`) holds new risk until the venue says otherwise, both sides
agree again after that, and, where there was a maintenance, a person has acknowledged the alarm (venues.md,
fault 24). In `post_only` and `limit_only` the adapter refuses, by its kind, what the venue would refuse.
"""

from __future__ import annotations

import asyncio

from engine.core import Core
from engine.trading.custody import Custody, Verdict
from safety.interlock import Clearance, HoldLevel
from safety.text import clean
from seams.clock import NS_PER_S
from venues.contract import StateTeller, Trading, VenueError

CLOSED = "venue_closed"
"""The hold, and the alarm that also rings where only some orders are taken."""
STOPPED = frozenset({Trading.CANCEL_ONLY, Trading.MAINTENANCE})
ASK_NS = 30 * NS_PER_S
"""How often the venue is asked while it is said not to be open: the message that it opened may be lost."""
UNSEEN = ("UNACK", "RTN-UN")


class StateWatch:
    """The state of one account's venue; `tend` once a second."""

    def __init__(self, core: Core, custody: Custody, teller: StateTeller | None) -> None:
        """`teller`: None where the venue says nothing of the kind."""
        self._core, self._custody, self._teller = core, custody, teller
        self._was = Trading.OPEN
        self._left_ns: int | None = None
        """Since when the venue takes entries again, on the monotonic clock."""
        self._asked_ns = 0
        self._needs_person = False
        self._work: asyncio.Task[None] | None = None

    @property
    def trading(self) -> Trading:
        """What the venue last said; one that says nothing counts as open."""
        return Trading.OPEN if self._teller is None else self._teller.trading

    def tend(self) -> None:
        """Bring hold and alarm up to what the venue says."""
        trading, now_ns = self.trading, self._core.clock.monotonic_ns()
        if trading is not self._was:
            self._changed(trading, now_ns)
        if trading is not Trading.OPEN and now_ns - self._asked_ns >= ASK_NS and self._custody.is_open():
            self._ask(now_ns)
        if self._core.interlock.has(CLOSED, self._custody.venue.name) and trading not in STOPPED:
            self._try_to_clear()

    async def close(self) -> None:
        """Ask no more."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def _changed(self, trading: Trading, now_ns: int) -> None:
        core, venue, before = self._core, self._custody.venue.name, self._was
        self._was, self._asked_ns = trading, now_ns
        said = f"the venue is {trading}, it was {before}"
        core.note("venue_state", venue, said, state=trading.value)
        if trading is Trading.OPEN:
            core.calm(CLOSED, venue)
        else:
            core.alarm(CLOSED, venue, venue, said)
        if trading in STOPPED:
            self._left_ns, self._needs_person = None, self._needs_person or trading is Trading.MAINTENANCE
            core.interlock.raise_hold(
                CLOSED,
                subject=venue,
                since_ns=core.clock.now_ns(),
                source=venue,
                evidence=said,
                level=HoldLevel.CLOSE_ONLY,
            )
        elif self._left_ns is None:
            self._left_ns, self._custody.is_dirty = now_ns, True

    def _try_to_clear(self) -> None:
        """Let new risk go on once both sides agree again, and a person has seen a maintenance."""
        core, custody, venue = self._core, self._custody, self._custody.venue.name
        is_clean = custody.verdict is Verdict.CLEAN and custody.reconciled_ns >= (self._left_ns or 0)
        if not is_clean or custody.is_dirty or (self._needs_person and not self._is_seen()):
            return
        said = f"the venue is {self.trading}, and both sides agree"
        core.interlock.clear_hold(CLOSED, Clearance(evidence=said), venue)
        core.note("hold_cleared", venue, f"{CLOSED} {venue}: {said}")
        self._needs_person = False

    def _is_seen(self) -> bool:
        """Tell whether a person has acknowledged the alarm."""
        venue = self._custody.venue.name
        rows = self._core.alarms.rows(self._core.clock.now_ns())
        return not any((row.code, row.subject) == (CLOSED, venue) and row.state in UNSEEN for row in rows)

    def _ask(self, now_ns: int) -> None:
        if self._work is not None and not self._work.done():
            return
        self._asked_ns = now_ns
        self._work = asyncio.get_running_loop().create_task(self._asked(), name="venue state")

    async def _asked(self) -> None:
        assert self._teller is not None
        try:
            await self._teller.ask_trading()
        except VenueError as error:  # asked again; what was heard stays
            self._core.events.add("venue_state", self._custody.venue.name, clean(str(error), 200))
