"""The order manager: an order's exact bytes are durable before they leave, and only evidence ends it.

What each piece of evidence makes of each status is the table in `engine.trading.machine`; this room
gathers evidence, writes it down, and passes the one gate through which orders leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.core import STORAGE_FAILURES, Core
from engine.trading.key_trouble import KEY_DEAD, is_key_dead, note_refusal
from engine.trading.machine import Evidence, after
from engine.trading.nonces import Nonces
from engine.trading.owner import FillListener, ForeignListener, Owner
from engine.trading.rows import fill_row, intent_row, order_event_row, order_row
from engine.trading.sequel import end_ambiguity, mind_bound, sound, step_ticket
from engine.trading.shelf import Shelf
from engine.trading.throttle import note_sent, traffic_before
from engine.trading.working import ManagedOrder
from safety.approval import Ticket, TicketEvent, TicketState
from safety.intent import IntentCategory
from safety.interlock import Action, permits
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams import chaos
from seams.clock import NS_PER_S
from venues.contract import OutcomeUnknown, Recaller, Refused, Retryable, Signed, VenueAdapter
from venues.types import (
    TERMINAL,
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
VALID_FOR_NS = 10 * NS_PER_S
"""How long a venue that knows expiry may still admit an order's bytes."""


class OrderManager:
    """All orders of one account at one venue."""

    def __init__(self, core: Core, venue: VenueAdapter, account: str) -> None:
        self.core, self.venue, self.account = core, venue, account
        self.orders = Shelf()
        self.rejects: list[int] = []
        self.fill_times: list[int] = []
        self.sends = 0
        self.offset_ns = 0
        """The venue's clock less ours, as last measured."""
        self.on_foreign: ForeignListener = self._foreign
        self.on_booked: FillListener = lambda order, fill: None
        """Called with every fill before its owner is told: the account's own ledger."""
        self.nonces = Nonces(core.store, core.clock, venue.signer)
        self.traffic = traffic_before(core, venue.name, account)
        """What goes out for this account, whoever wished for it: what every throttle counts."""
        self.traffic_ns: Callable[[], int] = core.clock.now_ns
        """The clock that the traffic is counted by."""
        self.flow = core.entry_flow
        self._owners: dict[str, Owner] = {}
        venue.on_order_event(self.on_event)

    def attach(self, session_id: str, owner: Owner) -> None:
        """Tell this session about its orders from now on."""
        self._owners[session_id] = owner

    def detach(self, session_id: str) -> None:
        """The session has ended; its orders stay and are settled without it."""
        self._owners.pop(session_id, None)

    def _owner(self, order: ManagedOrder) -> Owner | None:
        """Return the running session whose strategy wished for this order; nobody's strategy wished for one
        that was adopted."""
        return None if order.is_manual else self._owners.get(order.session_id)

    def alive(self) -> list[ManagedOrder]:
        return self.orders.alive()

    def unknown(self) -> list[ManagedOrder]:
        return [order for order in self.orders.alive() if order.status is OrderStatus.UNKNOWN]

    # --- out -------------------------------------------------------------------------------------

    async def send(
        self,
        ticket: Ticket,
        request: OrderRequest,
        lane: int,
        signed: Signed | None = None,
        along: Callable[[], None] = lambda: None,
    ) -> ManagedOrder:
        """Make the order and its bytes durable, pass the gate, write it once. The ticket is APPROVED.

        `signed` are bytes that were made before, with a nonce of ours; else they are made here. `along`
        writes what belongs into the same durable commit.
        Raises `StoreFailed` when it could not be made durable (nothing was sent).
        """
        assert request.client_order_id not in self.orders
        assert ticket.state is TicketState.APPROVED
        note_sent(self, ticket.intent)
        order = self._record(ticket, request, lane, signed, along)
        self._forget_oldest()
        if not self._gate_is_open(order):
            why = KEY_DEAD if is_key_dead(self.core) else "kill_switch_active"
            self.core.tickets.advance(ticket.id, TicketEvent.REJECT, reason=why)
            self.take(order, Evidence.UNSENT, why)
            return order
        # No await between the gate above and the venue's own write: the kill byte cannot change unseen.
        order.sent_ns = self.core.clock.now_ns()
        self.sends += 1
        self.core.tickets.advance(ticket.id, TicketEvent.SEND, moment=self.core.moment())
        chaos.point("orders.gate_passed")
        await self._write_out(order)
        return order

    async def cancel(self, order_id: str) -> ManagedOrder:
        """Ask the venue to cancel; never blocked by a hold. The proof comes as an event."""
        order = self.orders.get(order_id)
        if order is None or not order.is_alive:
            raise Refusal("unknown_order", order_id)
        self.traffic.cancel(self.traffic_ns())
        order.pending = "cancel"
        try:
            await self.venue.cancel(order_id)
        except Refused as error:
            order.pending = "none"
            note_refusal(self.core, self.venue.signer, self.venue.name, error, f"cancel of {order_id}")
            self.core.note("cancel_refused", self.venue.name, f"{order_id}: {error}", order_id=order_id)
        except (Retryable, OutcomeUnknown) as error:
            if isinstance(error, Retryable):
                order.pending = "none"  # it provably did not leave: nothing is under way
            self.core.note("cancel_unconfirmed", self.venue.name, f"{order_id}: {error}", order_id=order_id)
        return order

    async def cancel_each(self, chosen: Sequence[ManagedOrder]) -> tuple[int, int]:
        """Ask for the cancel of each of these at once; return (asked, confirmed by now)."""
        await asyncio.gather(*(self._cancel_quietly(order) for order in chosen))
        await asyncio.sleep(0)
        return len(chosen), sum(1 for order in chosen if not order.is_alive)

    async def _cancel_quietly(self, order: ManagedOrder) -> None:
        """One cancel that fails must not keep the next from being asked."""
        try:
            await self.cancel(order.order_id)
        except Refusal as refusal:
            self.core.note("cancel_refused", "eng", str(refusal))
        except STORAGE_FAILURES as error:
            self.core.halt(error, order.order_id)

    def _record(
        self,
        ticket: Ticket,
        request: OrderRequest,
        lane: int,
        signed: Signed | None,
        along: Callable[[], None],
    ) -> ManagedOrder:
        """Write nonce, bytes, intent and order down in one durable commit; return the order."""
        intent, core = ticket.intent, self.core
        order = ManagedOrder(
            request=request,
            ticket_id=ticket.id,
            venue=self.venue.name,
            account=self.account,
            strategy=intent.strategy_id,
            session_id=intent.session_id,
            lane=lane,
            intent_id=intent.decision_id,
            created_ns=core.clock.now_ns(),
            is_flatten=intent.reduce_only and intent.intent_category is IntentCategory.FLATTEN,
            ticket_hash=ticket.hash,
            epoch=core.epoch,
        )
        owner = self._owners.get(order.session_id)
        fingerprint = owner.run_fingerprint if owner else intent.config_fingerprint
        row = intent_row(intent, order.intent_id, fingerprint, order.created_ns, "ordered", ())
        expires = self.venue.capabilities().has_expiry
        with core.store.transaction():
            along()
            valid_until_ns = order.created_ns + self.offset_ns + VALID_FOR_NS if expires else 0
            order.signed = signed or self.venue.sign(request, self.nonces.next(), valid_until_ns)
            core.store.orders.record_intent_and_order(row, order_row(order))
        order.durable_ns = core.clock.now_ns()
        self.orders[order.order_id] = order
        chaos.point("orders.recorded")
        return order

    async def _write_out(self, order: ManagedOrder) -> None:
        assert order.signed is not None and order.durable_ns, "bytes leave only after they are durable"
        try:
            await self.venue.submit(order.signed, lambda: self._gate_is_open(order))
        except Retryable as error:
            self.take(order, Evidence.UNSENT, f"not_sent: {error}")
        except Refused as error:
            note_refusal(self.core, self.venue.signer, self.venue.name, error, order.order_id)
            self._refused(order, error.code, error.message)
        except OutcomeUnknown as error:
            self.take(order, Evidence.NO_ANSWER, str(error))
        else:
            if order.pending == "submit":
                order.pending = "none"

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

    # --- in --------------------------------------------------------------------------------------

    def on_event(self, event: OrderEvent) -> None:
        """Take one event of the venue's stream. Repeats and stragglers change nothing."""
        order = self.known(event.client_order_id)
        if order is None:
            self.on_foreign(event)
        elif isinstance(event, Accepted):
            self._accept(order, event)
        elif isinstance(event, Fill):
            self.fill(order, event)
        elif isinstance(event, Rejected):
            self._refused(order, event.code, event.message)
        else:
            assert isinstance(event, Cancelled)
            self._cancelled(order, event.filled, event.reason)

    def known(self, order_id: str) -> ManagedOrder | None:
        """Return one of our orders, from memory or from the record; None where it is not ours."""
        return self.orders.get(order_id) or self._recall(order_id)

    def keep(self, order: ManagedOrder) -> None:
        """Know an order that this process did not sign: one on record, or an adopted one."""
        self.orders[order.order_id] = order
        if isinstance(self.venue, Recaller):
            self.venue.recall(order.request)

    def seen(self, order: ManagedOrder, answer: VenueOrder) -> None:
        """Take the venue's answer to a question about this order; its fills must be booked before."""
        order.venue_order_id = answer.venue_order_id or order.venue_order_id
        if answer.status is OrderStatus.REJECTED:
            self._refused(order, "venue_query", "the venue lists it as rejected")
        elif answer.status is OrderStatus.CANCELLED:
            self._cancelled(order, answer.filled, answer.ended or "venue_query")
        elif answer.status is OrderStatus.FILLED and order.is_whole:
            if order.status not in TERMINAL:  # it was doubted after its last fill
                self.take(order, Evidence.FULL_FILL, "venue_query")
        elif order.status in (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN):
            # Open, or filled with fills still to come: either way it was taken, and stays alive here.
            self.take(order, Evidence.ACCEPTED, "venue_query")

    def fill(self, order: ManagedOrder, fill: Fill) -> bool:
        """Book one execution, exactly once and together with what it makes of the order; return whether
        it was new."""
        store = self.core.store
        row = fill_row(order, fill, self.core.clock.now_ns())
        total = order.filled + fill.quantity
        evidence = Evidence.PART_FILL if total < order.request.quantity else Evidence.FULL_FILL
        if total > order.request.quantity:
            evidence = Evidence.OVERFILL
        was = (order.status, order.filled, order.paid)
        try:
            with store.transaction():
                if store.orders.has_fill(row.venue, row.account, row.fill_id):
                    return False
                store.orders.record_fill(row)
                order.filled, order.paid = total, order.paid + fill.quantity * fill.price
                self._apply(order, evidence, "fill")
        except STORAGE_FAILURES:
            order.status, order.filled, order.paid = was  # memory never runs ahead of the record
            self.orders.noted(order)
            raise
        self.fill_times.append(self.core.clock.now_ns())
        del self.fill_times[:-1_000]
        self.core.note(
            "fill",
            self.venue.name,
            f"{fill.side} {fill.quantity.normalize():f} {fill.symbol} @ {fill.price:.8g}",
            order_id=order.order_id,
            fill_id=fill.fill_id,
        )
        mind_bound(self.core, order, fill)
        chaos.point("orders.fill_recorded")
        self.on_booked(order, fill)
        owner = self._owner(order)
        if owner is not None:
            owner.on_fill(order, fill)
        self._follow(order, was[0], evidence, "fill")
        if order.closing is not None and order.filled >= order.closing:
            self.take(order, Evidence.CANCELLED, order.closing_reason)
        return True

    def take(self, order: ManagedOrder, evidence: Evidence, why: str) -> None:
        """Apply one piece of evidence by the table: write it down, then say what follows from it."""
        was = order.status
        if self._apply(order, evidence, why):
            self._follow(order, was, evidence, why)

    def _apply(self, order: ManagedOrder, evidence: Evidence, why: str) -> bool:
        """Change the order by the table and write it; False (and nothing) where the evidence is an echo."""
        was, move = order.status, after(order.status, evidence)
        is_fill = evidence in (Evidence.PART_FILL, Evidence.FULL_FILL, Evidence.OVERFILL)
        if move.status is was and not move.alarm and not is_fill:
            return False
        order.status = move.status
        self.orders.noted(order)
        if order.pending == "submit" and evidence is not Evidence.NO_ANSWER:
            order.pending = "none"
        if move.status in TERMINAL and was not in TERMINAL:
            order.pending, order.done_ns, order.reason = "none", self.core.clock.now_ns(), why
        elif move.status is OrderStatus.UNKNOWN:
            order.pending = "none"
        self._write(order, evidence, why)
        return True

    def _follow(self, order: ManagedOrder, was: OrderStatus, evidence: Evidence, why: str) -> None:
        """Say what the step meant: alarm, end of an ambiguity, the ticket's and the owner's part."""
        alarm = after(was, evidence).alarm
        if alarm:
            said = why if alarm == "order_unknown" else f"was {was}, now {evidence}: {why}"
            sound(self.core, order, alarm, said)
        if was is OrderStatus.UNKNOWN and order.status is not OrderStatus.UNKNOWN:
            end_ambiguity(self.core, order, why, self.unknown())
        if evidence is Evidence.ACCEPTED:
            step_ticket(self.core, order, TicketEvent.ACK)
        elif order.status is OrderStatus.UNKNOWN:
            step_ticket(self.core, order, TicketEvent.LOSE)
        elif order.status is OrderStatus.FILLED and was not in TERMINAL:
            step_ticket(self.core, order, TicketEvent.FILL)
        elif order.status in TERMINAL and was not in TERMINAL:
            said = f"{order.order_id} {order.request.symbol}: {why}"
            self.core.note(f"order_{order.status}", self.venue.name, said)
            step_ticket(self.core, order, TicketEvent.VENUE_REJECT, why)
        owner = self._owner(order)
        if owner is not None and order.status in TERMINAL and was not in TERMINAL:
            owner.on_end(order)

    def _accept(self, order: ManagedOrder, event: Accepted) -> None:
        is_other = order.status in TERMINAL and order.venue_order_id not in ("", event.venue_order_id)
        order.venue_order_id, order.acked_ns = event.venue_order_id, order.acked_ns or event.at_ns
        self.take(order, Evidence.ALIVE if is_other else Evidence.ACCEPTED, "accepted")

    def _refused(self, order: ManagedOrder, code: str, message: str) -> None:
        if order.status in TERMINAL:
            return
        self.rejects.append(self.core.clock.now_ns())
        del self.rejects[:-1_000]
        self.core.alarm("order_rejected", order.request.symbol, self.venue.name, f"{code}: {message}")
        self.take(order, Evidence.REFUSED, code)

    def _cancelled(self, order: ManagedOrder, filled: Decimal | None, reason: str) -> None:
        """The rest is gone; where fills from before it are still to come, it ends with the last of them."""
        if filled is not None and filled > order.filled:
            order.closing, order.closing_reason = filled, reason
            return
        self.take(order, Evidence.CANCELLED, reason)

    def _foreign(self, event: OrderEvent) -> None:
        said = "event for an order that is not ours"
        self.core.alarm("reconciliation_difference", event.client_order_id, self.venue.name, said)

    def _recall(self, order_id: str) -> ManagedOrder | None:
        """Bring back an order that ended long ago, or under an earlier engine: late truth finds it."""
        row = self.core.store.orders.order(order_id)
        if row is None or (row.venue, row.account) != (self.venue.name, self.account):
            return None
        order = ManagedOrder.from_row(row)
        self.keep(order)
        return order

    def _write(self, order: ManagedOrder, evidence: Evidence, why: str) -> None:
        now_ns = self.core.clock.now_ns()
        event = order_event_row(order, evidence, why, now_ns)
        self.core.store.orders.record_order_event(event, order_row(order))

    def _forget_oldest(self) -> None:
        if len(self.orders) <= MAX_KEPT_ORDERS:
            return
        for order_id in [o.order_id for o in self.orders.values() if not o.is_alive][:500]:
            del self.orders[order_id]
