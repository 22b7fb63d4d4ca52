"""The database as others may read it: no write, no lock, also while the engine writes (WAL)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from engine.store.decisions import DecisionRows
from engine.store.failures import StoreUnreadable, code_of
from engine.store.link import Link
from engine.store.orders import OrderRows
from engine.store.risk import RiskRows
from engine.store.tables import DECISION_EVENTS, ORDERS, TICKETS, TRADES
from venues.types import Record


class Lineage(Record):
    """One trade with everything that led to it; an empty text where there is no such thing."""

    trade_id: str
    at_ns: int
    symbol: str
    side: str
    action: str
    quantity: Decimal
    price: Decimal
    pnl_usd: Decimal
    fee_usd: Decimal
    client_order_id: str
    order_status: str
    ticket_id: str
    ticket_state: str
    decided_by: str
    decision_id: str
    decision_reason: str
    decision_at_ns: int
    strategy: str
    config_fingerprint: str
    run_fingerprint: str
    entry_trade_id: str
    entry_at_ns: int
    entry_price: Decimal
    entry_decision_id: str
    entry_reason: str
    entry_decision_at_ns: int


class Reader:
    """One read-only connection with the repositories that only read."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.orders, self.decisions, self.risk = OrderRows(link), DecisionRows(link), RiskRows(link)

    def lineage(self, session_id: str = "", limit: int = 100) -> list[Lineage]:
        """Return the newest trades, each back to its decision and to the entry that it belongs to.

        One query: trade -> order -> ticket and decision, trade -> entry trade -> its order -> its decision.
        """
        entry, entry_order = TRADES.alias("entry"), ORDERS.alias("entry_order")
        why, entry_why = DECISION_EVENTS.alias("why"), DECISION_EVENTS.alias("entry_why")
        entry_id = func.json_extract(TRADES.c.meta, "$.entry_trade_id")
        query = (
            select(
                TRADES.c.trade_id, TRADES.c.at_ns, TRADES.c.symbol, TRADES.c.side, TRADES.c.action,
                TRADES.c.quantity, TRADES.c.price, TRADES.c.pnl_usd, TRADES.c.fee_usd,
                TRADES.c.client_order_id, ORDERS.c.status.label("order_status"), ORDERS.c.ticket_id,
                func.coalesce(TICKETS.c.state, "").label("ticket_state"),
                func.coalesce(TICKETS.c.decided_by, "").label("decided_by"),
                ORDERS.c.intent_id.label("decision_id"),
                func.coalesce(why.c.reason_code, "").label("decision_reason"),
                func.coalesce(why.c.at_ns, 0).label("decision_at_ns"),
                TRADES.c.strategy, TRADES.c.config_fingerprint, TRADES.c.run_fingerprint,
                entry.c.trade_id.label("entry_trade_id"), entry.c.at_ns.label("entry_at_ns"),
                entry.c.price.label("entry_price"), entry_order.c.intent_id.label("entry_decision_id"),
                func.coalesce(entry_why.c.reason_code, "").label("entry_reason"),
                func.coalesce(entry_why.c.at_ns, 0).label("entry_decision_at_ns"),
            )
            .join(ORDERS, ORDERS.c.client_order_id == TRADES.c.client_order_id)
            .outerjoin(TICKETS, TICKETS.c.ticket_id == ORDERS.c.ticket_id)
            .outerjoin(why, why.c.decision_id == ORDERS.c.intent_id)
            .join(entry, entry.c.trade_id == entry_id)
            .join(entry_order, entry_order.c.client_order_id == entry.c.client_order_id)
            .outerjoin(entry_why, entry_why.c.decision_id == entry_order.c.intent_id)
        )  # fmt: skip
        mine = query.where(TRADES.c.session_id == session_id) if session_id else query
        newest = mine.order_by(TRADES.c.at_ns.desc(), TRADES.c.trade_id.desc()).limit(limit)
        return self.link.rows(newest, Lineage)


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a database to read it. Raises `StoreUnreadable` where there is none, or it cannot be read."""
    if not path.is_file():
        raise StoreUnreadable(f"{path.name} does not exist: nothing has traded here", "not_found")
    url = f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"
    engine = create_engine(url, poolclass=StaticPool)
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise StoreUnreadable(f"{path.name} cannot be opened: {error.orig}", code_of(error.orig)) from error
    try:
        with connection:
            yield Reader(Link(connection))
    finally:
        engine.dispose()
