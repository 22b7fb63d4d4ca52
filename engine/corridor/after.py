"""After the submit: what became of the order, from venue and record, without ever sending it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.core import Core
from engine.corridor.case import Ask, Case, Outcome
from engine.corridor.status import ENDED
from engine.store.rows import FillRecord
from engine.trading.custody import Custody
from engine.trading.working import ManagedOrder
from engine.unanswered import code_of_silence, no_whole_pass
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S
from venues.answers import Booked
from venues.contract import VenueError
from venues.evidence import CorridorVenue
from venues.types import EXPIRED, OrderStatus, VenueOrder, ran_out

WORDS: Mapping[OrderStatus, str] = {
    OrderStatus.SUBMITTING: "unknown",
    OrderStatus.UNKNOWN: "unknown",
    OrderStatus.OPEN: "open",
    OrderStatus.PARTIAL: "open",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.REJECTED: "rejected",
}
ZERO = Decimal(0)
MAX_POLLS = 60
STREAM, REST = "stream_and_rest", "rest"
AWARE, FALLBACK = "websocket_aware_rest_polling", "rest_fallback"
"""How an order was watched: with the account's stream whole at every look, or by asking alone at one."""


class After:
    """Looks at, follows and cancels the one order of a session."""

    def __init__(self, core: Core, custody: Custody, venue: CorridorVenue) -> None:
        self._core, self._custody, self._venue = core, custody, venue

    async def status(self, case: Case, ask: Ask) -> Outcome:
        """Ask the venue for the order and say what is proved about it."""
        answer, silence = await self._asked(case)
        said = _words(silence)
        told = self._venue.told(case.order_id)
        await self._custody.reconcile()
        order = self._custody.orders.known(case.order_id)
        state = _state_of(order)
        body = {
            "query_mode": "client_order_id",
            "order_state": state,
            "normalized_state": state,
            "raw_status": "" if answer is None else told.raw_status or answer.status.value,
            "status_known": state != "unknown",
            "cloid": told.client_id,
            "venue_answer": answer,
            "exchange_response": None if answer is None else told.order,
            "venue_said": said,
            "errors": [said] if said else [],
            "order": _shown(order),
        }
        reasons = _reasons(order, state)
        if silence and state == "open":  # what the record says is no word of the venue's about now
            return Outcome(False, "order_open", (code_of_silence(silence),), body | {"said": said})
        return Outcome(state != "unknown", f"order_{state}", reasons, body)

    async def reconcile(self, case: Case, ask: Ask) -> Outcome:
        """Compare the whole account, and this order by each of the venue's sources."""
        answer, silence = await self._asked(case)
        verdict = await self._custody.reconcile()
        order = self._custody.orders.known(case.order_id)
        fills = self._core.store.orders.fills_of(case.order_id)
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        state = _state_of(order)
        size = case.intent.quantity
        body = {
            "order_state": state,
            "sources": {"query": answer, "query_said": _words(silence), "fills": len(fills)},
            "resolution_source": _source(answer, order, len(fills)),
            "custody": verdict.value,
            "differences": self._custody.differences,
            "close_state": {"open": "open", "unknown": "unknown"}.get(state, "closed"),
            "fill_state": "none" if not filled else "filled" if filled >= size else "partial",
            "original_size": size,
            "filled_size": filled,
            "remaining_size": max(Decimal(0), size - filled),
            "fill_count": len(fills),
            "average_fill_price": None if order is None else order.average_price,
            "last_fill_ns": max((fill.at_ns for fill in fills), default=0),
        }
        unheard = _unheard(self._custody)
        is_clean = state != "unknown" and not self._custody.differences and not unheard
        reasons = _reasons(order, state) or unheard or (() if is_clean else ("reconciliation_difference",))
        if reasons == unheard:
            body |= self._no_pass()
        return Outcome(is_clean, "reconciled" if is_clean else "reconciliation_required", reasons, body)

    async def fills(self, case: Case, ask: Ask) -> Outcome:
        """List the order's fills and what they sum to."""
        await self._custody.reconcile()
        fills = self._core.store.orders.fills_of(case.order_id)
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        paid = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
        booked, said = await self._booked(fills)
        whole = booked if booked is not None and len(booked) == len(fills) else None
        body = {
            "fills": fills,
            "filled_size": filled,
            "average_fill_price": paid / filled if filled else None,
            "total_fee": sum((fill.fee for fill in fills), Decimal(0)),
            "venue_booked": booked,
            "total_builder_fee": None if whole is None else sum((each.builder_fee for each in whole), ZERO),
            "total_closed_pnl": None if whole is None else sum((each.closed_pnl for each in whole), ZERO),
            "errors": [said] if said else [],
            "first_fill_ns": min((fill.at_ns for fill in fills), default=0),
            "last_fill_ns": max((fill.at_ns for fill in fills), default=0),
        }
        unheard = _unheard(self._custody)
        state = "fills_of_record" if unheard else "fills" if fills else "no_fills"
        return Outcome(not unheard, state, unheard, body | self._no_pass())

    async def supervise(self, case: Case, ask: Ask) -> Outcome:
        """Look several times; end early once the order has ended."""
        polls = max(1, min(int(ask.polls), MAX_POLLS))
        snapshots: list[dict[str, Any]] = []
        state = "unknown"
        for number in range(polls):
            if number:
                await self._core.clock.sleep(max(0.1, float(ask.interval_s)))
            await self._custody.reconcile()
            order = self._custody.orders.known(case.order_id)
            state = _state_of(order)
            at_ns = self._core.clock.now_ns()
            told_by = STREAM if self._venue.is_streaming else REST
            snapshots.append(
                {"at_ns": at_ns, "order_state": state, "told_by": told_by, "order": _shown(order)}
            )
            if state in ENDED:
                break
        unheard = _unheard(self._custody)
        wants = state == "unknown" or bool(self._custody.differences or unheard)
        ending = "attention_required" if wants else "terminal" if state in ENDED else "active"
        body = {
            "order_state": state,
            "polls_requested": polls,
            "polls_completed": len(snapshots),
            "interval_seconds": float(ask.interval_s),
            "ended_early": len(snapshots) < polls,
            "attention_required": wants,
            "supervision_state": ending,
            "monitoring_mode": FALLBACK if any(each["told_by"] == REST for each in snapshots) else AWARE,
            "snapshots": snapshots,
        }
        reasons = unheard or (("outcome_unknown",) if wants else ())
        return Outcome(not wants, f"supervision_{ending}", reasons, body | self._no_pass())

    async def cancel(self, case: Case, ask: Ask) -> Outcome:
        """Ask for the cancel; only the venue's word makes it one."""
        body: dict[str, Any] = {"order_id": case.order_id}
        state = _state_of(self._custody.orders.known(case.order_id))
        if state in ENDED:
            return Outcome(False, "cancel_not_ready", ("order_ended",), body | {"order_state": state})
        try:
            order = await self._custody.orders.cancel(case.order_id)
        except Refusal as refusal:
            return Outcome(False, "cancel_not_ready", (refusal.code,), body | {"said": str(refusal)})
        await self._custody.reconcile()
        state = _state_of(order)
        body |= {"order": _shown(order), "order_state": state}
        answered = self._venue.told(case.order_id).cancel
        body |= {
            "exchange_status": None if answered is None else answered.status,
            "exchange_response": None if answered is None else answered.body,
        }
        if state == "canceled":
            return Outcome(True, "canceled_remote", (), body)
        if state in ENDED:
            return Outcome(False, "cancel_rejected", ("order_ended",), body)
        return Outcome(False, "cancel_request_failed", ("cancel_unconfirmed",), body)

    def _no_pass(self) -> dict[str, str]:
        """Say why the pass just made did not end; nothing where it did."""
        return {} if self._custody.failed is None else {"said": no_whole_pass(self._custody).detail}

    async def _asked(self, case: Case) -> tuple[VenueOrder | None, VenueError | None]:
        """Return the venue's answer about the order; where it gave none, why."""
        try:
            return await self._custody.venue.query(case.order_id), None
        except VenueError as error:
            return None, error

    async def _booked(self, fills: Sequence[FillRecord]) -> tuple[list[Booked] | None, str]:
        """Return what the venue booked with these fills, and why not where it could not be heard; None where
        it was not, or where this venue books nothing else."""
        if not fills:
            return [], ""
        try:
            found = await self._venue.booked_since(min(fill.at_ns for fill in fills) - NS_PER_S)
        except VenueError as error:
            return None, _words(error)
        if found is None:
            return None, ""
        ours = {fill.fill_id for fill in fills}
        return [each for each in found if each.fill_id in ours], ""


def _state_of(order: ManagedOrder | None) -> str:
    """What is not on record never left: its bytes are durable before the first one does."""
    if order is None:
        return "rejected"
    if order.status is OrderStatus.CANCELLED and ran_out(order.reason):
        return EXPIRED  # as gone as a cancelled one, and nobody cancelled it
    return WORDS[order.status]


def _words(error: VenueError | None) -> str:
    return "" if error is None else clean(str(error), 200)


def _unheard(custody: Custody) -> tuple[str, ...]:
    """Name why the pass just made says nothing: what both sides said before it is no word about now."""
    return () if custody.failed is None else (no_whole_pass(custody).code,)


def _reasons(order: ManagedOrder | None, state: str) -> tuple[str, ...]:
    if order is None:
        return ("never_sent",)
    if state == "rejected":
        return (order.reason.partition(": ")[0] or "venue_rejected",)  # behind the code stand words
    return ("outcome_unknown",) if state == "unknown" else ()


def _source(answer: VenueOrder | None, order: ManagedOrder | None, fills: int) -> str:
    if answer is not None:
        return "query"
    if fills:
        return "fills"
    return (
        "record" if order is None or order.status is not OrderStatus.UNKNOWN else "reconciliation_not_found"
    )


def _shown(order: ManagedOrder | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {
        "client_order_id": order.order_id,
        "venue_order_id": order.venue_order_id,
        "status": order.status.value,
        "pending": order.pending,
        "filled": order.filled,
        "average_price": order.average_price,
        "reason": order.reason,
    }
