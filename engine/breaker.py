"""The drawdown breaker: a fall to the halt bound closes every position, then latches halt_all (AQ-13).

Closing is the operator's flatten, by a rule: reduce-only, in slices, inside the collar, verified at the
venue. A wrong price cannot sell the book: outside the collar an order does not trade, and what then
remains is said aloud. It acts once for each breach; an engine that died meanwhile goes on where it was.
"""

from __future__ import annotations

import asyncio

from engine.core import STORAGE_FAILURES, Core
from engine.desk import Desk
from engine.flatten import flatten
from engine.limits import DESK_DRAWDOWN, DRAWDOWN, LIMITS
from safety.interlock import Hold, HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal

RULE = "rule:drawdown"
"""Who acts, on the record."""


class DrawdownBreaker:
    """Watches the latched limits once a second; one closing at a time."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self.core, self.desk = core, desk
        self.closing: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin to close where a drawdown stands at its halt bound and nobody has halted all by now."""
        is_closing = self.closing is not None and not self.closing.done()
        breach = _breach(self.core)
        if breach is not None and not is_closing and self.core.kill.level is not KillLevel.HALT_ALL:
            work = self._break(breach)
            self.closing = asyncio.get_running_loop().create_task(work, name="drawdown breaker")

    async def close(self) -> None:
        """Stop with the engine; what is not closed yet the next start goes on with."""
        if self.closing is not None:
            self.closing.cancel()
            await asyncio.gather(self.closing, return_exceptions=True)

    async def _break(self, breach: Hold) -> None:
        core = self.core
        core.note("drawdown_breaker", RULE, f"closing everything: {breach.evidence}")
        said = "not tried"
        try:
            done = await flatten(core, self.desk, RULE, breach.evidence)
            said = "verified flat" if done.is_flat else f"NOT FLAT: {', '.join(done.remaining)}"
        except Refusal as refusal:
            said = f"NOT FLAT: {refusal}"
        except STORAGE_FAILURES as error:
            core.halt(error, "drawdown breaker")
        try:
            await self.desk.kill(
                KillLevel.HALT_ALL, RULE, f"{breach.evidence}; {said}", "drawdown", cancels=True
            )
        except Refusal as refusal:  # latched in memory; the main loop writes the latch again
            core.events.add("kill", RULE, str(refusal))
        core.note("drawdown_breaker", RULE, said)


def _breach(core: Core) -> Hold | None:
    """Return the standing hold of a drawdown at its halt bound."""
    for hold in core.interlock.holds:
        if hold.code == LIMITS and hold.subject in (DRAWDOWN, DESK_DRAWDOWN) and hold.level is HoldLevel.HALT:
            return hold
    return None
