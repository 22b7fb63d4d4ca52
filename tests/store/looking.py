"""What tests ask of the record and the engine never does."""

from __future__ import annotations

from sqlalchemy import func, select

from engine.store.link import Link
from engine.store.rows import (
    ApprovalRecord,
    IntentRecord,
    OrderEventRecord,
    OrderRecord,
    SignalRecord,
    TradeRecord,
)
from engine.store.tables import APPROVALS, FILLS, INTENTS, ORDER_EVENTS, ORDERS, SIGNALS, TRADES
from venues.types import OrderStatus

UNPROVED = (OrderStatus.SUBMITTING.value, OrderStatus.UNKNOWN.value)


def orders_of_all(link: Link) -> list[OrderRecord]:
    """Return the orders of all sessions, newest first."""
    newest = select(ORDERS).order_by(ORDERS.c.created_ns.desc(), ORDERS.c.client_order_id.desc())
    return link.rows(newest, OrderRecord)


def intents_without_proof(link: Link) -> list[tuple[IntentRecord, OrderRecord]]:
    """Return the wishes whose order may or may not have reached its venue; every order has its wish."""
    query = select(ORDERS).where(ORDERS.c.status.in_(UNPROVED))
    orders = link.rows(query.order_by(ORDERS.c.created_ns, ORDERS.c.client_order_id), OrderRecord)
    pairs = []
    for order in orders:
        intent = link.row(select(INTENTS).where(INTENTS.c.intent_id == order.intent_id), IntentRecord)
        assert intent is not None, "a foreign key ties every order to its intent"
        pairs.append((intent, order))
    return pairs


def events_of(link: Link, client_order_id: str) -> list[OrderEventRecord]:
    """Return what happened to one order, in the order of recording."""
    query = select(ORDER_EVENTS).where(ORDER_EVENTS.c.client_order_id == client_order_id)
    return link.rows(query.order_by(ORDER_EVENTS.c.seq), OrderEventRecord)


def signals_of(link: Link, session_id: str) -> list[SignalRecord]:
    """Return a session's signals in the order of recording."""
    query = select(SIGNALS).where(SIGNALS.c.session_id == session_id)
    return link.rows(query.order_by(SIGNALS.c.seq), SignalRecord)


def trades_of(link: Link, session_id: str) -> list[TradeRecord]:
    """Return a session's trades, oldest first."""
    query = select(TRADES).where(TRADES.c.session_id == session_id)
    return link.rows(query.order_by(TRADES.c.at_ns, TRADES.c.trade_id), TradeRecord)


def fills_without_a_trade(link: Link) -> int:
    """Count executions of sessions that no trade row tells of; a sound record has none."""
    told = select(TRADES.c.trade_id).where(
        TRADES.c.trade_id == FILLS.c.client_order_id + ":" + FILLS.c.fill_id
    )
    mine = select(func.count()).select_from(FILLS).where(FILLS.c.session_id.is_not(None))
    found = link.value(mine.where(FILLS.c.client_order_id.is_not(None), ~told.exists()))
    assert isinstance(found, int)
    return found


def approval_of(link: Link, ticket_id: str) -> ApprovalRecord | None:
    """Return the decision on a ticket, None where there is none."""
    return link.row(select(APPROVALS).where(APPROVALS.c.ticket_id == ticket_id), ApprovalRecord)
