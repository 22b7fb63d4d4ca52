"""What a session knows at one moment, gathered for preflight; what it does not know stays None."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.trading.throttle import counted
from engine.trading.working import ManagedOrder
from safety.canonical import changed
from safety.exposure import Carrying, Sides, alt_exposure, gross_exposure
from safety.facts import AccountFacts, MarketFacts, OrderFact, PositionFact
from safety.intent import ExecutionIntent
from safety.reasons import Refusal

if TYPE_CHECKING:
    from engine.trading.session import PaperSession


def account_facts(session: PaperSession, intent: ExecutionIntent) -> AccountFacts:
    """Return everything that an intent is judged by."""
    core, ledger = session.core, session.ledger
    positions, orders = position_facts(session), order_facts(session)
    mark = ledger.holding(intent.symbol).mark_price or None
    margin = {} if core.market is None else core.market.margin(intent, Carrying(positions, orders, mark))
    return AccountFacts(
        account_id=session.plan.account,
        kill_level=int(core.kill.level),
        hold_level=core.interlock.level,
        now_ns=core.clock.now_ns(),
        last_ns=core.audit.last_ns,
        clock_offset_ms=session.clock_offset_ms(),
        mark_price=mark,
        mark_age_ms=session.mark_age_ms(intent.symbol),
        equity_usd=ledger.equity_usd,
        peak_equity_usd=ledger.peak_usd,
        day_pnl_usd=ledger.day_pnl_usd,
        positions=positions,
        orders=orders,
        lease_left_ms=core.lease.left_ms(core.moment()) if core.is_money else None,
        market=_market(session, intent.symbol),
        venue=changed(session.venue_facts(), **margin),
        desk=session.desk_facts(),
        **counted(session.orders, intent),
    )


def _market(session: PaperSession, symbol: str) -> MarketFacts:
    """Return what is known of a market: what the engine gathered at a real venue, else what was seen."""
    if session.core.market is not None:
        return session.core.market.facts(symbol)
    memory = session.memory.get(symbol)
    return MarketFacts() if memory is None else memory.facts(session.market_ns)


def position_facts(session: PaperSession) -> tuple[PositionFact, ...]:
    """Return what is held, by symbol, with its strategy and the stop that the kernel keeps for it.

    Where the kernel keeps none, the stop that the entry's ticket stated counts.
    """
    stops, owners = dict(session.stated_stops), dict(session.plan.lanes)
    for symbol in owners:
        kept = session.kernel.position(session.lane_of(symbol)).stop_price
        if kept is not None:
            stops[symbol] = Decimal(repr(kept))
    return tuple(
        PositionFact(
            symbol=held.symbol,
            quantity=held.quantity,
            mark_price=held.mark_price or None,
            strategy_id=owners.get(held.symbol, ""),
            stop_price=stops.get(held.symbol),
        )
        for held in session.ledger.open_holdings()
    )


def order_facts(session: PaperSession) -> tuple[OrderFact, ...]:
    """Return the orders that may still trade, with the stop that each one's ticket states."""
    return tuple(order_fact(order, stop_price=_stop_of(session, order)) for order in session.orders.alive())


def order_fact(order: ManagedOrder, stop_price: Decimal | None = None) -> OrderFact:
    """Return one order that may still trade as the rules are told of it."""
    return OrderFact(
        symbol=order.request.symbol,
        side=order.request.side,
        remaining=order.remaining,
        price=order.request.limit_price,
        reduce_only=order.request.reduce_only,
        status=order.status,
        strategy_id=order.strategy,
        stop_price=stop_price,
    )


def carried_usd(session: PaperSession) -> Decimal | None:
    """Return the worst-case exposure of a session, or None where a figure of it is missing."""
    try:
        return gross_exposure(Carrying(position_facts(session), order_facts(session)), None)
    except ValueError:
        return None


def alts_usd(session: PaperSession, majors: tuple[str, ...]) -> Sides | None:
    """Return what a session may hold in altcoins on each side, or None where a figure of it is missing."""
    try:
        return alt_exposure(Carrying(position_facts(session), order_facts(session)), None, majors)
    except ValueError:
        return None


def _stop_of(session: PaperSession, order: ManagedOrder) -> Decimal | None:
    try:
        return session.core.tickets.get(order.ticket_id).intent.stop_loss
    except Refusal:
        return None
