"""Flatten: latch close_only, close every position reduce-only, and verify that it is flat."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from engine.api.commands import FlattenDone
from engine.core import STORAGE_FAILURES, Core
from engine.desk import Desk
from engine.trading.ledger import Holding
from engine.trading.pipeline import request_of
from engine.trading.rows import ticket_row
from engine.trading.session import PaperSession
from safety.approval import ApprovalRule
from safety.intent import ExecutionIntent, IntentCategory
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.clock import NS_PER_S
from venues.types import OrderType, Side, TimeInForce

OPERATOR_FLATTEN = "operator:flatten"
DEADLINE_S = 8.0
STEP_S = 0.05
BOUND = Decimal("0.01")
"""How far from the mark a flatten order may trade."""


async def flatten(core: Core, desk: Desk, operator: str, reason: str) -> FlattenDone:
    """Close everything. Works under every hold; new risk stays blocked until a resume."""
    await desk.kill(KillLevel.CLOSE_ONLY, operator, reason or "flatten", "flatten", cancels=True)
    asked: list[str] = []
    for session in desk.sessions:
        for held in session.ledger.open_holdings():
            try:
                await _close(core, session, held, operator)
            except Refusal as refusal:  # one that cannot be closed must not keep the next from it
                core.note("flatten_refused", operator, f"{held.symbol}: {refusal}")
            except STORAGE_FAILURES as error:
                session.fail(error)
            asked.append(held.symbol)
    deadline_ns = core.clock.monotonic_ns() + round(DEADLINE_S * NS_PER_S)
    while _remaining(desk) and core.clock.monotonic_ns() < deadline_ns:
        await core.clock.sleep(STEP_S)
    remaining = _remaining(desk)
    core.note("flatten", operator, "flat" if not remaining else f"not flat: {', '.join(remaining)}")
    closed = tuple(symbol for symbol in asked if symbol not in remaining)
    return FlattenDone(is_flat=not remaining, closed=closed, remaining=remaining)


def _remaining(desk: Desk) -> tuple[str, ...]:
    return tuple(held.symbol for session in desk.sessions for held in session.ledger.open_holdings())


async def _close(core: Core, session: PaperSession, held: Holding, operator: str) -> None:
    """Send one reduce-only order for the whole position, as a ticket of its own."""
    instrument = session.plan.instruments[held.symbol]
    side = Side.SELL if held.quantity > 0 else Side.BUY
    bound = held.mark_price * (1 + BOUND * side.sign)
    rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
    request_id = core.ids.new("F")
    intent = ExecutionIntent(
        request_id=request_id,
        session_id=session.plan.session_id,
        strategy_id=OPERATOR_FLATTEN,
        decision_id=request_id,
        config_fingerprint=core.config_fingerprint,
        intent_category=IntentCategory.FLATTEN,
        broker_target=instrument.venue,
        account_id=session.plan.account,
        symbol=held.symbol,
        side=side,
        quantity=abs(held.quantity),
        notional_usd=abs(held.notional).quantize(Decimal("0.01")),
        limit_price=(bound / instrument.tick).to_integral_value(rounding) * instrument.tick,
        stop_loss=None,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
        mark_price=held.mark_price,
        mark_age_ms=0,
    )
    verdict = session.judge(intent)
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
