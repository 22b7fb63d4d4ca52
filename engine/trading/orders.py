"""The order manager: an intent is durable before it is sent, sent once, and ends only by venue evidence.

| status now | evidence | becomes |
|---|---|---|
| SUBMITTING | accepted | OPEN |
| SUBMITTING, OPEN, PARTIAL, UNKNOWN | fill | PARTIAL or FILLED |
| SUBMITTING | refused by the venue, or proved unsent | REJECTED |
| SUBMITTING | no answer | UNKNOWN |
| OPEN, PARTIAL, UNKNOWN | cancel confirmed | CANCELLED |
| UNKNOWN | the venue's answer to a query by client id | what the venue says |
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.core import Core
from engine.store.rows import OrderEventRecord
from engine.trading.rows import fill_row, intent_row, order_row, ticket_row
from engine.trading.working import ManagedOrder
from safety.approval import Ticket, TicketEvent, TicketState
from safety.intent import IntentCategory
from safety.interlock import Action, Clearance, HoldLevel, permits
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from venues.contract import OutcomeUnknown, Refused, Retryable, VenueAdapter
from venues.types import (
    Accepted,
    Cancelled,
    Fill,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    Rejected,
    VenueOrder,
)

MAX_KEPT_ORDERS = 5_000


FillListener = Callable[[ManagedOrder, Fill], None]
EndListener = Callable[[ManagedOrder], None]


class OrderManager:
    """All orders of one session at one venue."""

    def __init__(
        self,
        core: Core,
        venue: VenueAdapter,
        account: str,
        run_fingerprint: str,
        on_fill: FillListener,
        on_end: EndListener,
    ) -> None:
        self.core, self.venue, self.account = core, venue, account
        self.run_fingerprint = run_fingerprint
        self.orders: dict[str, ManagedOrder] = {}
        self.rejects: list[int] = []
        self.fill_times: list[int] = []
        self.sends = 0
        self._on_fill, self._on_end = on_fill, on_end
        self._seen_fills: set[str] = set()
        venue.on_order_event(self.on_event)

    def alive(self) -> list[ManagedOrder]:
        return [order for order in self.orders.values() if order.is_alive]

    def unknown(self) -> list[ManagedOrder]:
        return [order for order in self.orders.values() if order.status is OrderStatus.UNKNOWN]

    async def send(self, ticket: Ticket, request: OrderRequest, lane: int) -> ManagedOrder:
        """Make the order durable, pass the gate, write it once. The ticket must be APPROVED.

        Raises `StoreFailed` when it could not be made durable (nothing was sent).
        """
        assert request.client_order_id not in self.orders
        assert ticket.state is TicketState.APPROVED
        intent = ticket.intent
        order = ManagedOrder(
            request=request,
            ticket_id=ticket.id,
            venue=self.venue.name,
            account=self.account,
            strategy=intent.strategy_id,
            session_id=intent.session_id,
            lane=lane,
            intent_id=intent.decision_id,
            created_ns=self.core.clock.now_ns(),
            is_flatten=intent.reduce_only and intent.intent_category is IntentCategory.FLATTEN,
        )
        row = intent_row(intent, order.intent_id, self.run_fingerprint, order.created_ns, "ordered", ())
        self.core.store.orders.record_intent_and_order(row, order_row(order))
        order.durable_ns = self.core.clock.now_ns()
        self.orders[order.order_id] = order
        self._forget_oldest()
        if not self._gate_is_open(order):
            self.core.tickets.advance(ticket.id, TicketEvent.REJECT, reason="kill_switch_active")
            self._end(order, OrderStatus.REJECTED, "kill_switch_active")
            return order
        # No await between the gate above and the venue's own write: the kill byte cannot change unseen.
        order.sent_ns = self.core.clock.now_ns()
        self.sends += 1
        self.core.tickets.advance(ticket.id, TicketEvent.SEND)
        try:
            await self.venue.submit(request)
        except Retryable as error:
            self._end(order, OrderStatus.REJECTED, f"not_sent: {error}")
        except Refused as error:
            self._reject(order, error.code, error.message)
        except OutcomeUnknown as error:
            self._lose(order, str(error))
        else:
            if order.pending == "submit":
                order.pending = "none"
        return order

    async def cancel(self, order_id: str) -> ManagedOrder:
        """Ask the venue to cancel; never blocked by a hold. The proof comes as an event."""
        order = self.orders.get(order_id)
        if order is None or not order.is_alive:
            raise Refusal("unknown_order", order_id)
        order.pending = "cancel"
        try:
            await self.venue.cancel(order_id)
        except Refused as error:
            order.pending = "none"
            self.core.note("cancel_refused", self.venue.name, f"{order_id}: {error}", order_id=order_id)
        except (Retryable, OutcomeUnknown) as error:
            self.core.note("cancel_unconfirmed", self.venue.name, f"{order_id}: {error}", order_id=order_id)
        return order

    async def reconcile(self) -> int:
        """Ask the venue about every UNKNOWN order and about fills we may have missed; return how many
        orders are still UNKNOWN. Only what the venue says changes anything."""
        for order in self.unknown():
            answer = await self.venue.query(order.order_id)
            self.core.note(
                "query", self.venue.name, f"{order.order_id}: {_said(answer)}", order_id=order.order_id
            )
            if answer is None:
                # The venue is in this process and its journal is durable before it answers, so an order
                # it does not know never took effect. A remote venue's silence would prove nothing.
                self._prove(order, OrderStatus.REJECTED, "never_reached_venue")
            else:
                order.venue_order_id = answer.venue_order_id
                await self._catch_up(order)
                if order.is_alive:
                    self._prove(order, answer.status, "venue_query")
        return len(self.unknown())

    def on_event(self, event: OrderEvent) -> None:
        """Take one piece of venue evidence."""
        order = self.orders.get(event.client_order_id)
        if order is None:
            self.core.alarm(
                "reconciliation_difference",
                event.client_order_id,
                self.venue.name,
                "event for a foreign order",
            )
            return
        if isinstance(event, Accepted):
            self._accept(order, event)
        elif isinstance(event, Fill):
            self._fill(order, event)
        elif isinstance(event, Rejected):
            self._reject(order, event.code, event.message)
        else:
            assert isinstance(event, Cancelled)
            self._end(order, OrderStatus.CANCELLED, event.reason)

    def _gate_is_open(self, order: ManagedOrder) -> bool:
        """Read the kill byte and the holds, once more, at the last moment."""
        if order.is_flatten:
            return True
        level = self.core.kill.level
        if level is KillLevel.CLEAR:
            return permits(self._action(order), self.core.interlock.level)
        return level is KillLevel.CLOSE_ONLY and order.request.reduce_only

    def _action(self, order: ManagedOrder) -> Action:
        return Action.REDUCE if order.request.reduce_only else Action.ADD_RISK

    def _accept(self, order: ManagedOrder, event: Accepted) -> None:
        order.venue_order_id, order.acked_ns = event.venue_order_id, event.at_ns
        order.pending = "none" if order.pending == "submit" else order.pending
        if order.status in (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN):
            self._prove(order, OrderStatus.OPEN, "accepted")
        self._ticket(order, TicketEvent.ACK)

    def _fill(self, order: ManagedOrder, fill: Fill) -> None:
        if fill.fill_id in self._seen_fills:
            return
        self._seen_fills.add(fill.fill_id)
        assert order.filled + fill.quantity <= order.request.quantity, "a venue may not fill more than asked"
        order.filled += fill.quantity
        order.paid += fill.quantity * fill.price
        row = fill_row(order, fill, self.core.clock.now_ns())
        self.core.store.orders.record_fill(row, order_row(order))
        self.fill_times.append(self.core.clock.now_ns())
        del self.fill_times[:-1_000]
        is_done = order.remaining == 0
        self._prove(order, OrderStatus.FILLED if is_done else OrderStatus.PARTIAL, "fill")
        self.core.note(
            "fill",
            self.venue.name,
            f"{fill.side} {fill.quantity.normalize():f} {fill.symbol} @ {fill.price:.8g}",
            order_id=order.order_id,
            fill_id=fill.fill_id,
        )
        self._on_fill(order, fill)
        if is_done:
            self._ticket(order, TicketEvent.FILL)

    def _reject(self, order: ManagedOrder, code: str, message: str) -> None:
        self.rejects.append(self.core.clock.now_ns())
        del self.rejects[:-1_000]
        self.core.alarm("order_rejected", order.request.symbol, self.venue.name, f"{code}: {message}")
        self._end(order, OrderStatus.REJECTED, code)

    def _lose(self, order: ManagedOrder, message: str) -> None:
        self._prove(order, OrderStatus.UNKNOWN, "no_answer")
        order.pending = "none"
        self._ticket(order, TicketEvent.LOSE)
        self.core.interlock.raise_hold(
            "ambiguity",
            subject=order.request.symbol,
            since_ns=self.core.clock.now_ns(),
            source=self.venue.name,
            evidence=f"order {order.order_id}: {message}",
            level=HoldLevel.CLOSE_ONLY,
        )
        self.core.alarm("order_unknown", order.order_id, self.venue.name, message)

    def _prove(self, order: ManagedOrder, status: OrderStatus, why: str) -> None:
        """Set the status for which there is evidence; a proof ends the ambiguity it answers."""
        if status in (OrderStatus.REJECTED, OrderStatus.CANCELLED):
            self._end(order, status, why)
            return
        was_unknown = order.status is OrderStatus.UNKNOWN
        order.status = status
        if not order.is_alive:
            order.done_ns, order.pending = self.core.clock.now_ns(), "none"
        self._write(order, why)
        if was_unknown and status is not OrderStatus.UNKNOWN:
            self._end_ambiguity(order, why)

    def _end(self, order: ManagedOrder, status: OrderStatus, reason: str) -> None:
        if not order.is_alive:
            return
        was_unknown = order.status is OrderStatus.UNKNOWN
        order.status, order.reason, order.pending = status, reason, "none"
        order.done_ns = self.core.clock.now_ns()
        self._write(order, reason)
        self.core.note(
            f"order_{status}", self.venue.name, f"{order.order_id} {order.request.symbol}: {reason}"
        )
        self._ticket(order, TicketEvent.VENUE_REJECT, reason)
        if was_unknown:
            self._end_ambiguity(order, reason)
        self._on_end(order)

    def _write(self, order: ManagedOrder, why: str) -> None:
        now_ns = self.core.clock.now_ns()
        event = OrderEventRecord(
            client_order_id=order.order_id,
            kind=order.status,
            payload=msgspec.json.encode({"why": why}).decode(),
            at_ns=now_ns,
            recorded_ns=now_ns,
        )
        self.core.store.orders.record_order_event(event, order_row(order))

    def _end_ambiguity(self, order: ManagedOrder, proof: str) -> None:
        self.core.calm("order_unknown", order.order_id)
        symbol = order.request.symbol
        if self.core.interlock.has("ambiguity", symbol) and not any(
            other.request.symbol == symbol for other in self.unknown()
        ):
            evidence = f"venue proof for {order.order_id}: {proof}"
            self.core.interlock.clear_hold("ambiguity", Clearance(evidence=evidence), symbol)

    async def _catch_up(self, order: ManagedOrder) -> None:
        for fill in await self.venue.fills_since(0):
            if fill.client_order_id == order.order_id:
                self._fill(order, fill)

    def _ticket(self, order: ManagedOrder, event: TicketEvent, reason: str = "") -> None:
        """Let the ticket follow; a step its table does not know (a late echo) changes nothing."""
        try:
            after = self.core.tickets.advance(order.ticket_id, event, reason=reason)
        except Refusal as refusal:
            self.core.events.add("ticket_echo", "eng", str(refusal))
            return
        self.core.store.tickets.save_ticket(ticket_row(after))

    def _forget_oldest(self) -> None:
        if len(self.orders) <= MAX_KEPT_ORDERS:
            return
        for order_id in [o.order_id for o in self.orders.values() if not o.is_alive][:500]:
            del self.orders[order_id]


def _said(answer: VenueOrder | None) -> str:
    return "venue knows no such order" if answer is None else f"venue says {answer.status}"
