"""Loosening the kill latch: only once the books are clean, and never over a halt that came meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from engine.desk import Desk
from engine.limits import clear_limits
from engine.trading.custody import Verdict
from engine.trading.settle import settle_unknown
from safety.reasons import Refusal
from safety.text import clean


async def loosen(desk: Desk, operator: str, reason: str, demand_notes: Callable[[], None]) -> None:
    """Reset the latch once the books are clean; `demand_notes` refuses where a halt has no note yet.

    Raises `Refusal` where they are not: reason_required, audit_broken, trip_in_progress, what `demand_notes`
    or the latch itself refuses.
    """
    core = desk.core
    if not clean(reason):
        raise Refusal("reason_required", "say why it is safe to go on")
    if core.audit.is_broken:
        raise Refusal("audit_broken", "free space, then restart the engine")
    custody, began_ns = desk.custody, core.clock.monotonic_ns()
    seen, halts = core.kill.standing, core.halts
    if custody is not None:
        await custody.reconcile()
    for book in desk.books():
        # The pass has asked about the account's own: to ask again at each press uses up the request budget
        # that its answer waits for.
        if custody is None or book is not custody.orders:
            await settle_unknown(book)
    if core.halts != halts:
        raise Refusal("trip_in_progress", "the engine halted itself again meanwhile")
    demand_notes()
    unknown = sum(len(book.unknown()) for book in desk.books())
    # A venue that did not answer leaves the verdict as it was: an old CLEAN clears nothing.
    is_clean = custody is None or (custody.verdict is Verdict.CLEAN and custody.reconciled_ns >= began_ns)
    core.kill.reset(
        operator=operator,
        reason=reason,
        clean_reconciliation=unknown == 0 and is_clean,
        unknown_orders=unknown,
        seen=seen,
    )
    core.sync_kill_hold()
    desk.obeyed = core.kill.level
    for code in ("kill_latched", "latch_unreadable", "database_error"):
        core.calm(code, "desk")
        core.alarms.reset(code, operator, core.clock.now_ns())
    clear_limits(core, operator, reason)
    core.note("resume", operator, f"latch cleared: {reason}")
