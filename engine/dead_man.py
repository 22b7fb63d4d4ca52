"""The venue's own dead man's switch: armed only where policy allows, and shown as armed only while it is.

Armed for a minute, renewed every quarter of one, and only while the desk is in touch and nothing halts: an
engine that is stuck or killed lets it fire (I37). A venue that refuses it is believed until the next start.
It is disarmed where policy wants it no more, and where the venue is not open: a timer that runs through a
maintenance cancels everything when trading resumes (venues.md, 5.4). Under a kill it may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.api.venues import DeadManRow
from engine.core import Core
from engine.trading.custody import Custody, Verdict
from safety.killbyte import KillLevel
from safety.text import clean
from seams.clock import NS_PER_S
from venues.contract import LiveVenue, Refused, VenueError

TERM_S = 60
RENEW_NS = 15 * NS_PER_S
DISARM_NS = 5 * NS_PER_S
OFF, UNARMED, ARMED, REFUSED = "off", "unarmed", "armed", "refused"


class DeadMan:
    """The switch of one account."""

    def __init__(
        self, core: Core, custody: Custody, venue: LiveVenue, is_trading: Callable[[], bool] = lambda: True
    ) -> None:
        """`is_trading`: whether the venue is open, as far as it says."""
        self._core, self._custody, self._venue, self._is_trading = core, custody, venue, is_trading
        self._asked_ns: int | None = None
        self._armed_to_ns: int | None = None
        self._refused = self._said = self._fires = ""
        self._is_disarming = False
        self._work: asyncio.Task[None] | None = None

    def row(self) -> DeadManRow:
        """Return how it stands now; armed only where the venue said so, for as long as it said."""
        left_ns = (self._armed_to_ns or 0) - self._core.clock.monotonic_ns()
        state, said = UNARMED, self._said or "not asked yet"
        is_armed = self._armed_to_ns is not None and left_ns > 0
        if is_armed and not self._is_wanted():
            state, said = ARMED, f"fires {self._fires}; to be disarmed: {self._said}"
        elif not self._core.settings.execution.arms_dead_man:
            state, said = OFF, "execution.arms_dead_man is false"
        elif self._refused:
            state, said = REFUSED, self._refused
        elif is_armed:
            state, said = ARMED, f"fires {self._fires} unless renewed"
        return DeadManRow(state=state, said=said, left_s=max(0, left_ns // NS_PER_S) if state == ARMED else 0)

    def tend(self) -> None:
        """Once a second: renew it where it is time and the desk deserves it."""
        now_ns = self._core.clock.monotonic_ns()
        is_due = self._asked_ns is None or now_ns - self._asked_ns >= RENEW_NS
        is_free = self._work is None or self._work.done()
        if not self._is_wanted():
            is_due = self._asked_ns is None or now_ns - self._asked_ns >= DISARM_NS
            if self._armed_to_ns is not None and is_free and (is_due or not self._is_disarming):
                self._asked_ns, self._is_disarming = now_ns, True
                self._work = asyncio.get_running_loop().create_task(self._disarm(), name="dead man's switch")
            return
        self._is_disarming = False
        if self.row().state in (UNARMED, ARMED) and is_due and is_free and self._may_renew():
            self._asked_ns = now_ns
            work = self._renew(now_ns)
            self._work = asyncio.get_running_loop().create_task(work, name="dead man's switch")

    def _is_wanted(self) -> bool:
        """Tell whether it may go on running at the venue; under a kill what runs may fire."""
        is_held = self._core.kill.level is not KillLevel.CLEAR
        return is_held or (self._core.settings.execution.arms_dead_man and self._is_trading())

    def _may_renew(self) -> bool:
        custody = self._custody
        is_well = custody.is_open() and custody.is_in_touch() and custody.verdict is Verdict.CLEAN
        return is_well and self._core.kill.level is KillLevel.CLEAR and not custody.is_dirty

    async def _renew(self, asked_ns: int) -> None:
        """Ask once; the term is counted from before the question, so that it is never believed too long."""
        core = self._core
        try:
            self._fires = self._said = clean(await self._venue.cancel_all_after(TERM_S), 80)
            self._armed_to_ns = asked_ns + TERM_S * NS_PER_S
        except Refused as refused:
            self._refused, self._armed_to_ns = clean(str(refused), 200), None
            core.note("dead_man_refused", self._venue.name, self._refused)
        except VenueError as error:  # what was armed before runs on; whether this one was is not known
            self._said = clean(str(error), 200)

    async def _disarm(self) -> None:
        """Ask once; only the venue's word ends it, also where its term has run out by our clock."""
        try:
            await self._venue.cancel_all_after(0)
        except VenueError as error:
            self._said = clean(str(error), 200)
        else:
            self._armed_to_ns, self._said = None, "disarmed"
            self._core.note("dead_man_disarmed", self._venue.name, "the venue has confirmed it")

    async def close(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
