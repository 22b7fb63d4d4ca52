"""What the account holds at its venue and no session watches: closed reduce-only, by the venue's own books.

A dead engine's session leaves positions behind. The quantity to close is the venue's, not our ledger's:
reduce-only orders cannot overshoot, and where the two differ it is the venue's position that is real.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from engine.closing import closing_intent, slice_of
from engine.core import STORAGE_FAILURES, Core
from engine.judging import judge_closing, listed
from engine.trading.custody import Custody
from engine.trading.pipeline import request_of
from engine.trading.rows import ticket_row
from engine.trading.working import ManagedOrder
from safety.approval import ApprovalRule
from safety.reasons import Refusal
from seams.clock import NS_PER_S
from venues.contract import VenueError
from venues.types import Instrument, VenuePosition

TICKET_NS = 30 * NS_PER_S
NO_SESSION = ""


async def held_at_venue(custody: Custody) -> tuple[VenuePosition, ...]:
    """Ask the venue what is held now. Raises `VenueError`."""
    positions = (await custody.venue.account()).positions
    return tuple(position for position in positions if position.quantity)


async def close_residual(
    core: Core, custody: Custody, operator: str, watched: Collection[str]
) -> tuple[str, ...] | None:
    """Send one closing order for each position outside `watched` that has none on its way.

    Returns the symbols still held there, or None where the venue did not answer.
    """
    try:
        held = await held_at_venue(custody)
    except VenueError as error:
        core.events.add("flatten", custody.venue.name, f"no answer: {error}")
        return None
    closing = {order.request.symbol for order in custody.orders.alive() if order.request.reduce_only}
    mine = [position for position in held if position.symbol not in watched]
    for position in mine:
        if position.symbol not in closing:
            try:
                await close_position(core, custody, position, position.quantity, operator)
            except Refusal as refusal:  # one that cannot be closed must not keep the next from it
                core.note("flatten_refused", operator, f"{position.symbol}: {refusal}")
            except STORAGE_FAILURES as error:
                core.halt(error, f"flatten of {position.symbol}")
    return tuple(position.symbol for position in mine)


async def close_position(
    core: Core, custody: Custody, position: VenuePosition, quantity: Decimal, operator: str
) -> ManagedOrder:
    """Send one reduce-only order for the next slice of `quantity` (signed as what is held) of a position, as
    an operator's flatten: every hold lets it through.

    Raises `Refusal` where a rule forbids it, and `StoreError` where it cannot be recorded.
    """
    risk, instrument = core.settings.risk, _instrument(custody, position.symbol)
    most_usd = Decimal(str(risk.max_order_notional_usd))
    intent = closing_intent(
        instrument,
        slice_of(instrument, quantity, position.mark_price, most_usd),
        position.mark_price,
        name=core.ids.new("F"),
        session_id=NO_SESSION,
        account=custody.account,
        fingerprint=core.config_fingerprint,
        collar=Decimal(str(risk.price_collar)),
    )
    verdict = judge_closing(core, custody, intent, position, instrument)
    if not verdict.allowed:
        raise Refusal("checks_failed", ", ".join(verdict.reasons))
    ticket = core.tickets.propose(
        core.ids.new("T"),
        intent,
        verdict,
        epoch=core.epoch,
        limits_epoch=core.limits.epoch,
        moment=core.moment(),
        ttl_ns=TICKET_NS,
    )
    approved = core.tickets.approve_by_rule(
        ticket.id, ApprovalRule.FLATTEN, epoch=core.epoch, moment=core.moment()
    )
    core.store.tickets.save_ticket(ticket_row(approved, operator, core.clock.now_ns()))
    return await custody.orders.send(approved, request_of(intent, core.ids.new("O")), 0)


def _instrument(custody: Custody, symbol: str) -> Instrument:
    instrument = listed(custody.venue).get(symbol)
    if instrument is None:
        raise Refusal("instrument_unknown", symbol)
    return instrument
