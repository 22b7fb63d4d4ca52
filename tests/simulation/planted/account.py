"""Planted bugs of custody, ledger and what a restart reads."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.store.facts import FactRows
from engine.store.orders import OrderRows
from engine.store.rows import OrderRecord
from engine.store.tables import INTENTS, ORDERS
from engine.trading import account_record as record_module
from engine.trading import ledger as ledger_module
from engine.trading.custody import Custody, Verdict
from engine.trading.ledger import Holding, Ledger
from engine.trading.machine import Evidence
from engine.trading.sequel import end_ambiguity
from safety.canonical import changed
from tests.simulation.planted.plant import P0, Plant, always, nothing, set_, wrap
from venues.types import OrderStatus as S
from venues.types import Side


def booked_again(old: Any) -> Any:
    def book(self: Ledger, fill: Any, market_ns: int = 0) -> bool:
        self._seen_fills.pop(fill.fill_id, None)
        return bool(old(self, fill, market_ns))

    return book


def adds_replace(old: Any) -> Any:
    def apply(held: Holding, signed: Decimal, price: Decimal) -> Decimal:
        was = held.quantity
        gain: Decimal = old(held, signed, price)
        if was and (was > 0) == (signed > 0):
            held.quantity = signed
        return gain

    return apply


def counted_unwritten(old: Any) -> Any:
    def record_fill(self: OrderRows, fill: Any, order: Any = None) -> bool:
        return True if fill.fill_id.endswith("3") else bool(old(self, fill, order))

    return record_fill


def intent_passed_on(old: Any) -> Any:
    """The order before keeps its row, under the new wish; the database's own rule is kept."""

    def record(self: OrderRows, intent: Any, order: Any) -> None:
        last = self._link.row(select(ORDERS).order_by(ORDERS.c.client_order_id.desc()), OrderRecord)
        if last is None:
            old(self, intent, order)
            return
        with self._link.transaction():
            self._link.add(INTENTS, intent)
            given = {"intent_id": intent.intent_id}
            self._link.change(ORDERS, "client_order_id", given, last.client_order_id)
            self._link.add(ORDERS, changed(order, intent_id=last.intent_id))

    return record


def end_untold(old: Any) -> Any:
    def record(self: OrderRows, event: Any, order: Any = None) -> None:
        if order is not None and order.status is S.CANCELLED:
            with self._link.transaction():
                self._save(order)
        else:
            old(self, event, order)

    return record


def without(kind: str) -> Callable[[Any], Any]:
    """Overlook one kind of difference."""

    def make(old: Any) -> Any:
        def compare(self: Custody, snapshot: Any) -> Any:
            return tuple(each for each in old(self, snapshot) if each.kind != kind)

        return compare

    return make


def always_clean(self: Custody, differences: Any) -> None:
    self.verdict, self.reconciled_ns = Verdict.CLEAN, self.core.clock.monotonic_ns()
    self.holds.clear("ambiguity", "account", "looks fine")
    self.holds.clear("hydration", "", "looks fine")


def after_load(change: Callable[[Custody], None]) -> Callable[[Any], Any]:
    def make(old: Any) -> Any:
        def load(self: Custody) -> None:
            old(self)
            change(self)

        return load

    return make


def still_submitting(self: Custody) -> None:
    for order in self.orders.unknown():
        order.status = S.SUBMITTING
        end_ambiguity(self.core, order, "restart", self.orders.unknown())


def without_fee(old: Any) -> Any:
    def fill_of(*args: Any) -> Any:
        return changed(old(*args), fee=Decimal(0))

    return fill_of


def bought_not_sold(old: Any) -> Any:
    def fill_of(*args: Any) -> Any:
        return changed(old(*args), side=Side.BUY)

    return fill_of


def at_the_end(self: Custody, fill: Any) -> None:
    self.ledger.book(fill)


def adopts_nothing(old: Any) -> Any:
    def set_(self: FactRows, key: str, value: str, at_ns: int) -> None:
        if not key.startswith("adjustment:"):
            old(self, key, value, at_ns)

    return set_


def adopted_twice(old: Any) -> Any:
    """The desk works with the old picture, and books its difference again."""

    def adjust(self: Custody, adjustment: Any) -> None:
        old(self, adjustment)
        old(self, adjustment)

    return adjust


def always_fresh(old: Any) -> Any:
    async def reconcile(self: Custody) -> Any:
        verdict = await old(self)
        self.reconciled_ns = self.core.clock.monotonic_ns()
        return verdict

    return reconcile


def written_anew(old: Any) -> Any:
    async def reconcile(self: Custody) -> Any:
        for order in self.orders.orders.values():
            self.orders._write(order, Evidence.NO_ANSWER, "looked at")
        return await old(self)

    return reconcile


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("booked_twice", "the ledger books a fill again", P0, wrap(Ledger, "book", booked_again)),
    Plant("restart_hopes", "a restart takes what was on its way as fine", P0, wrap(Custody, "load", after_load(still_submitting))),
    Plant("restart_forgets_orders", "a restart forgets living orders", P0, wrap(Custody, "load", after_load(lambda custody: custody.orders.orders.clear()))),
    Plant("restart_forgets_fees", "a restart reads fills without fees", False, wrap(record_module, "fill_of", without_fee)),
    Plant("restart_flips_sells", "a restart reads sales as purchases", P0, wrap(record_module, "fill_of", bought_not_sold)),
    Plant("always_clean", "reconciliation always says CLEAN", P0, set_(Custody, "_judge", always_clean)),
    Plant("cash_overlooked", "cash is not compared", False, wrap(Custody, "_compare", without("cash"))),
    Plant("positions_overlooked", "positions are not compared", P0, wrap(Custody, "_compare", without("position"))),
    Plant("foreign_overlooked", "foreign orders are not noticed", False, set_(Custody, "_keep_foreign", nothing)),
    Plant("adoption_not_kept", "an adjustment is not made durable", False, wrap(FactRows, "set", adopts_nothing)),
    Plant("adopted_twice", "a difference can be adopted again before it is compared anew", False, wrap(Custody, "adjust", adopted_twice)),
    Plant("late_fill_at_the_end", "a late fill is booked last", False, set_(Custody, "_book", at_the_end)),
    Plant("fills_not_written", "fills are not made durable", P0, set_(OrderRows, "record_fill", nothing)),
    Plant("order_not_written", "orders are not made durable", P0, set_(OrderRows, "record_intent_and_order", nothing)),
    Plant("old_verdict_resumes", "a pass without an answer counts as fresh", P0, wrap(Custody, "reconcile", always_fresh)),
    Plant("in_touch_always", "progress is told without an exchange", False, set_(Custody, "is_in_touch", always)),
    Plant("adds_replace", "adding to a holding replaces it", P0, wrap(ledger_module, "_apply", adds_replace)),
    Plant("intent_passed_on", "an order takes over the wish of the one before", P0, wrap(OrderRows, "record_intent_and_order", intent_passed_on)),
    Plant("counted_unwritten", "some fills count and are not on the disk", P0, wrap(OrderRows, "record_fill", counted_unwritten)),
    Plant("end_untold", "a cancelled order's last event is not written", False, wrap(OrderRows, "record_order_event", end_untold)),
    Plant("passes_leave_traces", "each reconciliation writes every order anew", False, wrap(Custody, "reconcile", written_anew)),
)
# fmt: on
