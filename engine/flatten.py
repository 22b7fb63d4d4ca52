"""Flatten: latch close_only, close every position reduce-only in slices, and verify that it is flat.

Positions that a session watches are closed by their session; what the account holds besides is closed by
the venue's books, and flat means that the venue says so.
"""

from __future__ import annotations

from decimal import Decimal

from engine.api.commands import FlattenDone
from engine.closing import closing_intent, slice_of
from engine.core import STORAGE_FAILURES, Core
from engine.desk import Desk
from engine.residual import close_residual
from engine.trading.ledger import Holding
from engine.trading.pipeline import request_of
from engine.trading.rows import ticket_row
from engine.trading.session import PaperSession
from safety.approval import ApprovalRule
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.clock import NS_PER_S

DEADLINE_S = 8.0
STEP_S = 0.05
VENUE_STEP_S = 0.25
MAX_SLICES = 40
"""Between two looks at the ledger, and at a venue; and how many orders one position may take."""
UNVERIFIED = "unverified"
"""Stands among the remaining symbols where the venue did not confirm that it is flat."""


async def flatten(core: Core, desk: Desk, operator: str, reason: str) -> FlattenDone:
    """Close everything. Works under every hold; new risk stays blocked until a resume."""
    await desk.kill(KillLevel.CLOSE_ONLY, operator, reason or "flatten", "flatten", cancels=True)
    asked: list[str] = []
    tries: dict[str, int] = {}
    deadline_ns = core.clock.monotonic_ns() + round(DEADLINE_S * NS_PER_S)
    while True:
        for session, held in _unsliced(desk, tries):
            is_sent = await _close_slice(core, session, held, operator)
            tries[held.symbol] = tries.get(held.symbol, 0) + 1 if is_sent else MAX_SLICES
            asked += [held.symbol] if held.symbol not in asked else []
        remaining = await _remaining(core, desk, operator)
        asked += [symbol for symbol in remaining if symbol not in asked and symbol != UNVERIFIED]
        if not remaining or core.clock.monotonic_ns() >= deadline_ns:
            break
        await core.clock.sleep(STEP_S if desk.custody is None else VENUE_STEP_S)
    core.note("flatten", operator, "flat" if not remaining else f"not flat: {', '.join(remaining)}")
    closed = tuple(symbol for symbol in asked if symbol not in remaining)
    return FlattenDone(is_flat=not remaining, closed=closed, remaining=remaining)


def _watched(desk: Desk) -> list[tuple[PaperSession, Holding]]:
    """Return each open position that a session has a lane for, once."""
    found: dict[tuple[int, str], tuple[PaperSession, Holding]] = {}
    for session in desk.sessions:
        for held in session.ledger.open_holdings():
            if held.symbol in session.plan.instruments:
                found.setdefault((id(session.ledger), held.symbol), (session, held))
    return list(found.values())


def _unsliced(desk: Desk, tries: dict[str, int]) -> list[tuple[PaperSession, Holding]]:
    """Return each watched position that has no closing order on its way, and may have another."""
    return [
        (session, held)
        for session, held in _watched(desk)
        if tries.get(held.symbol, 0) < MAX_SLICES
        and not any(
            order.request.symbol == held.symbol and order.request.reduce_only
            for order in session.orders.alive()
        )
    ]


async def _close_slice(core: Core, session: PaperSession, held: Holding, operator: str) -> bool:
    """Send the next slice; False where it is refused: one position must not keep the next from closing."""
    try:
        await _close(core, session, held, operator)
    except Refusal as refusal:
        core.note("flatten_refused", operator, f"{held.symbol}: {refusal}")
        return False
    except STORAGE_FAILURES as error:
        session.fail(error)
        return False
    return True


async def _remaining(core: Core, desk: Desk, operator: str) -> tuple[str, ...]:
    """Return what is still open; positions that no session watches are sent to be closed meanwhile."""
    watched = [held.symbol for _, held in _watched(desk)]
    custody = desk.custody
    if custody is None:
        return tuple(watched)
    lanes = {
        symbol
        for session in desk.sessions
        if session.ledger is custody.ledger
        for symbol in session.plan.instruments
    }
    residual = await close_residual(core, custody, operator, lanes)
    return (*watched, *((UNVERIFIED,) if residual is None else residual))


async def _close(core: Core, session: PaperSession, held: Holding, operator: str) -> None:
    """Send one reduce-only order for the next slice of a position, as a ticket of its own."""
    risk, instrument = core.settings.risk, session.plan.instruments[held.symbol]
    most_usd = Decimal(str(risk.max_order_notional_usd))
    intent = closing_intent(
        instrument,
        slice_of(instrument, held.quantity, held.mark_price, most_usd),
        held.mark_price,
        name=core.ids.new("F"),
        session_id=session.plan.session_id,
        account=session.plan.account,
        fingerprint=core.config_fingerprint,
        collar=Decimal(str(risk.price_collar)),
    )
    verdict = session.judge(intent)
    if not verdict.allowed:  # no ticket: it would wait for a person, and pass every hold as a flatten
        raise Refusal("checks_failed", ", ".join(verdict.reasons))
    ticket = core.tickets.propose(
        core.ids.new("T"),
        intent,
        verdict,
        epoch=core.epoch,
        limits_epoch=core.limits.epoch,
        moment=core.moment(),
        ttl_ns=30 * NS_PER_S,
    )
    approved = core.tickets.approve_by_rule(
        ticket.id, ApprovalRule.FLATTEN, epoch=core.epoch, moment=core.moment()
    )
    core.store.tickets.save_ticket(ticket_row(approved, operator, core.clock.now_ns()))
    lane = session.lane_of(held.symbol)
    await session.orders.send(approved, request_of(intent, core.ids.new("O")), lane)
