"""Intents, orders, their events and their fills (OC-28): recorded before they are sent, counted once."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, func, select

from engine.store.link import Link, columns_of
from engine.store.rows import FillRecord, IntentRecord, OrderEventRecord, OrderRecord
from engine.store.tables import FILLS, INTENTS, ORDER_EVENTS, ORDERS
from venues.types import TERMINAL, OrderStatus

_FIXED = (
    "client_order_id",
    "intent_id",
    "session_id",
    "strategy",
    "venue",
    "account",
    "symbol",
    "side",
    "quantity",
    "order_type",
    "limit_price",
    "time_in_force",
    "reduce_only",
    "payload",
    "created_ns",
)
"""What an order may never change after it was recorded."""
_ENDED = sorted(TERMINAL)
_OF_ACCOUNT = and_(FILLS.c.venue == bindparam("venue"), FILLS.c.account == bindparam("account"))
_FILL = select(FILLS.c.fill_id).where(_OF_ACCOUNT, FILLS.c.fill_id == bindparam("fill_id"))
_NEWEST_FILL = select(func.max(FILLS.c.at_ns)).where(_OF_ACCOUNT)
_ORDER = select(ORDERS).where(ORDERS.c.client_order_id == bindparam("client_order_id"))
"""What every event of a venue asks: built once, because building a query costs more than running it."""


class OrderRows:
    """The order book of record."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def record_intent_and_order(self, intent: IntentRecord, order: OrderRecord) -> None:
        """Record a wish and its order in one durable transaction, before any byte leaves.

        Raises `StoreConflict` where the intent already has an order or an identifier was used, and
        `StoreFailed` where the disk refuses: in both cases nothing was recorded and nothing may be sent.
        """
        assert intent.intent_id == order.intent_id
        assert order.status is OrderStatus.SUBMITTING and order.pending == "submit"
        with self._link.transaction():
            self._link.add(INTENTS, intent)
            self._link.add(ORDERS, order)

    def record_intent(self, intent: IntentRecord) -> None:
        """Record a wish that never became an order (denied by preflight)."""
        assert intent.status != "ordered"
        self._link.add(INTENTS, intent)

    def record_order_event(self, event: OrderEventRecord, order: OrderRecord | None = None) -> None:
        """Record what happened and, in the same transaction, the order state that follows from it."""
        with self._link.transaction():
            self._link.add(ORDER_EVENTS, event, without=("seq",))
            if order is not None:
                assert order.client_order_id == event.client_order_id
                self._save(order)

    def record_fill(self, fill: FillRecord, order: OrderRecord | None = None) -> bool:
        """Record one execution and the order after it; False (and no change) where it is known already."""
        with self._link.transaction():
            if self.has_fill(fill.venue, fill.account, fill.fill_id):
                return False
            self._link.add(FILLS, fill)
            if order is not None:
                assert order.client_order_id == fill.client_order_id
                self._save(order)
            return True

    def has_fill(self, venue: str, account: str, fill_id: str) -> bool:
        """Tell whether this execution was recorded before."""
        values: dict[str, object] = {"venue": venue, "account": account, "fill_id": fill_id}
        return self._link.ask(_FILL, values) is not None

    def order(self, client_order_id: str) -> OrderRecord | None:
        return self._link.row(_ORDER, OrderRecord, {"client_order_id": client_order_id})

    def intent(self, intent_id: str) -> IntentRecord | None:
        return self._link.row(select(INTENTS).where(INTENTS.c.intent_id == intent_id), IntentRecord)

    def orders_open(self) -> list[OrderRecord]:
        """Return every order not proved to be over, oldest first; UNKNOWN ones are among them."""
        query = select(ORDERS).where(ORDERS.c.status.not_in(_ENDED))
        return self._link.rows(query.order_by(ORDERS.c.created_ns, ORDERS.c.client_order_id), OrderRecord)

    def orders_of(self, session_id: str, limit: int = 1000) -> list[OrderRecord]:
        """Return a session's newest orders, newest first."""
        query = select(ORDERS).where(ORDERS.c.session_id == session_id).limit(limit)
        newest = query.order_by(ORDERS.c.created_ns.desc(), ORDERS.c.client_order_id.desc())
        return self._link.rows(newest, OrderRecord)

    def fills_of(self, client_order_id: str) -> list[FillRecord]:
        """Return one order's executions, oldest first."""
        query = select(FILLS).where(FILLS.c.client_order_id == client_order_id)
        return self._link.rows(query.order_by(FILLS.c.at_ns, FILLS.c.fill_id), FillRecord)

    def fills_of_account(self, venue: str, account: str, since_ns: int = 0) -> list[FillRecord]:
        """Return an account's executions from `since_ns` on, oldest first: what reconciliation compares."""
        same = and_(FILLS.c.venue == venue, FILLS.c.account == account, FILLS.c.at_ns >= since_ns)
        query = select(FILLS).where(same).order_by(FILLS.c.at_ns, FILLS.c.fill_id)
        return self._link.rows(query, FillRecord)

    def newest_fill_ns(self, venue: str, account: str) -> int:
        """Return the venue's time of an account's newest recorded execution, 0 before the first."""
        found = self._link.ask(_NEWEST_FILL, {"venue": venue, "account": account})
        return found if isinstance(found, int) else 0

    def fills_of_session(self, session_id: str) -> list[FillRecord]:
        """Return a session's executions, oldest first."""
        query = select(FILLS).where(FILLS.c.session_id == session_id)
        return self._link.rows(query.order_by(FILLS.c.at_ns, FILLS.c.fill_id), FillRecord)

    def _save(self, order: OrderRecord) -> None:
        changes = columns_of(order, without=_FIXED)
        is_known = self._link.change(ORDERS, "client_order_id", changes, order.client_order_id)
        assert is_known, f"no such order: {order.client_order_id}"
