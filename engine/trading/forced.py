"""Executions that nobody ordered: the venue closed a position by itself.

A liquidation says that margin was misjudged: the switch is pulled, so that everything is cancelled and
nobody opens anew before a person has looked. Deleveraging and settlement ring: what they hedged stands alone
now. How they are booked is the reconciliation's: they are foreign until an operator decides.
"""

from __future__ import annotations

from engine.core import STORAGE_FAILURES, Core
from safety.killbyte import KillLevel
from safety.text import clean
from venues.types import Fill, Forced

LIQUIDATED, CLOSED = "liquidated", "position_closed_by_venue"
KEPT = "forced:"


def on_forced(core: Core, venue: str, account: str, fill: Fill) -> bool:
    """Act on one such execution, once for ever: lists repeat it, also after a restart. Tell if it was new.

    Where the mark cannot be kept, the switch is pulled all the same and the engine halts.
    """
    name = f"{KEPT}{account}:{fill.fill_id}"
    try:
        if core.store.facts.get(name) is not None:
            return False
        core.store.facts.set(name, fill.forced, core.clock.now_ns())
    except STORAGE_FAILURES as error:
        core.halt(error, f"{fill.forced} {fill.fill_id}")
    done = f"{fill.side} {fill.quantity.normalize():f} {fill.symbol} @ {fill.price:.8g}"
    said = clean(f"{fill.forced} by {venue}: {done}", 200)
    if fill.forced != Forced.LIQUIDATION:
        core.alarm(CLOSED, fill.symbol, venue, said)
        return True
    core.alarm(LIQUIDATED, account, venue, said)
    try:
        core.kill.trip(KillLevel.HALT_ALL, by="engine", reason=said, source="liquidation")
    except OSError as error:
        core.halt(error, "kill latch")
    core.sync_kill_hold()
    return True
