"""Planted bugs of the order manager and its machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core import Core
from engine.sim.bourses.sandbox import SECRET
from engine.trading import orders as orders_module
from engine.trading import settle as settle_module
from engine.trading.machine import Evidence as E
from engine.trading.orders import OrderManager
from engine.trading.working import ManagedOrder
from safety.canonical import changed
from safety.killbyte import KillLevel
from tests.simulation.planted.plant import P0, Plant, always, row, set_, wrap
from venues.types import OrderStatus as S


async def dead_at_once(orders: OrderManager, order: ManagedOrder, venue_ns: int) -> None:
    orders.take(order, E.FENCED, "not found")


def lost_parts(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        is_part = order.filled + fill.quantity < order.request.quantity
        return False if is_part else bool(old(self, order, fill))

    return fill


def some_lost(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        return False if fill.fill_id.endswith("5") else bool(old(self, order, fill))

    return fill


def ended_by_asking(old: Any) -> Any:
    async def cancel(self: OrderManager, order_id: str) -> Any:
        order = await old(self, order_id)
        self.take(order, E.CANCELLED, "asked")
        return order

    return cancel


def recorded(**fields: Any) -> Callable[[Any], Any]:
    """Alter an order after it was recorded."""

    def make(old: Any) -> Any:
        def record(self: OrderManager, *args: Any) -> Any:
            order = old(self, *args)
            for name, change in fields.items():
                setattr(order, name, change(self, getattr(order, name)))
            return order

        return record

    return make


def says_secret(old: Any) -> Any:
    def record(self: OrderManager, *args: Any) -> Any:
        order = old(self, *args)
        self.core.note("signed", "eng", f"with {SECRET.decode()}")
        return order

    return record


def cleared(old: Any) -> Any:
    def end(core: Core, *_: Any) -> None:
        for hold in core.interlock.holds:
            core.interlock._holds.pop((hold.code, hold.subject), None)

    return end


def half_filled(old: Any) -> Any:
    def fill(self: OrderManager, order: ManagedOrder, fill: Any) -> bool:
        is_new = bool(old(self, order, fill))
        if is_new:
            order.filled -= fill.quantity / 2
        return is_new

    return fill


def close_only_open(old: Any) -> Any:
    def gate(self: OrderManager, order: ManagedOrder) -> bool:
        return self.core.kill.level is KillLevel.CLOSE_ONLY or bool(old(self, order))

    return gate


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("gate_open", "the last gate lets everything through", P0, set_(OrderManager, "_gate_is_open", always)),
    Plant("gate_ignores_holds", "holds do not stop an order", P0, set_(orders_module, "permits", always)),
    Plant("all_are_flatten", "every order counts as the operator's flatten", P0, wrap(OrderManager, "_record", recorded(is_flatten=lambda *_: True))),
    Plant("unknown_dies_unproved", "not found is taken as dead", P0, set_(settle_module, "_fence", dead_at_once)),
    Plant("silence_is_rejection", "no answer counts as a refusal", P0, row(S.SUBMITTING, E.NO_ANSWER, S.REJECTED)),
    Plant("part_fills_lost", "partial fills are not booked", P0, wrap(OrderManager, "fill", lost_parts)),
    Plant("some_fills_lost", "one fill in ten is not booked", P0, wrap(OrderManager, "fill", some_lost)),
    Plant("half_filled", "memory counts half of each fill", P0, wrap(OrderManager, "fill", half_filled)),
    Plant("cancel_by_asking", "an asked cancel counts as confirmed", P0, wrap(OrderManager, "cancel", ended_by_asking)),
    Plant("accepted_is_filled", "an acknowledgement counts as a fill", P0, row(S.SUBMITTING, E.ACCEPTED, S.FILLED)),
    Plant("filled_is_partial", "a full fill leaves the order alive", False, row(S.PARTIAL, E.FULL_FILL, S.PARTIAL)),
    Plant("cancelled_stays", "a confirmed cancel leaves the order alive", False, row(S.OPEN, E.CANCELLED, S.OPEN)),
    Plant("part_is_all", "a part counts as the whole", P0, row(S.OPEN, E.PART_FILL, S.FILLED)),
    Plant("refused_is_open", "a refusal leaves the order alive", False, row(S.SUBMITTING, E.REFUSED, S.OPEN)),
    Plant("fenced_stays_unknown", "a proof of death is not believed", False, row(S.UNKNOWN, E.FENCED, S.UNKNOWN)),
    Plant("found_is_dead", "found alive counts as cancelled", P0, row(S.UNKNOWN, E.ACCEPTED, S.CANCELLED)),
    Plant("ticket_hash_missing", "the ticket's hash is not recorded", False, wrap(OrderManager, "_record", recorded(ticket_hash=lambda *_: ""))),
    Plant("bytes_change_later", "the bytes change after the record", P0, wrap(OrderManager, "_record", recorded(signed=lambda self, signed: changed(signed, wire=signed.wire + b" ")))),
    Plant("epoch_of_tomorrow", "orders carry a later epoch", False, wrap(OrderManager, "_record", recorded(epoch=lambda self, epoch: epoch + 1))),
    Plant("proof_clears_all", "one proof clears every hold", P0, wrap(orders_module, "end_ambiguity", cleared)),
    Plant("secret_noted", "the secret is written to the log", P0, wrap(OrderManager, "_record", says_secret)),
    Plant("close_only_ignored", "the last gate takes close_only for clear", P0, wrap(OrderManager, "_gate_is_open", close_only_open)),
)
# fmt: on
