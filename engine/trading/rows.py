"""From the desk's live objects to the rows of the store: field for field, nothing decided here."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.store.rows import (
    DecisionRecord,
    FillRecord,
    IntentRecord,
    JudgementRecord,
    OrderEventRecord,
    OrderRecord,
    PolicyRecord,
    SignalRecord,
    TicketRecord,
)
from engine.trading.machine import Evidence
from engine.trading.working import ManagedOrder, Sent
from native.intents import OrderIntent
from safety.approval import FINAL_STATES, Ticket
from safety.canonical import Spelled, canonical
from safety.facts import AccountFacts
from safety.intent import ExecutionIntent, ExecutionPolicy, duplicate_key, intent_hash
from venues.types import Fill, Instrument

_POLICY, _INSTRUMENT = Spelled(), Spelled()


def intent_row(
    intent: ExecutionIntent,
    intent_id: str,
    run_fingerprint: str,
    at_ns: int,
    status: str,
    reasons: tuple[str, ...],
) -> IntentRecord:
    """Return the row of a wish; `status` is ordered, denied or expired."""
    return IntentRecord(
        intent_id=intent_id,
        session_id=intent.session_id,
        strategy=intent.strategy_id,
        decision_id=intent.decision_id,
        category=intent.intent_category,
        venue=intent.broker_target,
        account=intent.account_id,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        notional_usd=intent.notional_usd,
        order_type=intent.order_type,
        limit_price=intent.limit_price,
        stop_loss=intent.stop_loss,
        take_profit=intent.take_profit,
        time_in_force=intent.time_in_force,
        reduce_only=intent.reduce_only,
        mark_price=intent.mark_price,
        intent_hash=intent_hash(intent),
        dedupe_key=duplicate_key(intent) if status == "ordered" else "",
        config_fingerprint=intent.config_fingerprint,
        run_fingerprint=run_fingerprint,
        created_ns=at_ns,
        status=status,
        reasons=reasons,
    )


def order_row(order: ManagedOrder) -> OrderRecord:
    """Return the row of an order as it is now; `payload` holds its exact bytes (`Sent`)."""
    request = order.request
    assert order.signed is not None, "an order is recorded with its bytes"
    sent = Sent(
        request=request,
        signed=order.signed,
        ticket_hash=order.ticket_hash,
        epoch=order.epoch,
        lane=order.lane,
        is_flatten=order.is_flatten,
    )
    return OrderRecord(
        client_order_id=order.order_id,
        intent_id=order.intent_id,
        session_id=order.session_id,
        strategy=order.strategy,
        ticket_id=order.ticket_id,
        venue=order.venue,
        account=order.account,
        venue_order_id=order.venue_order_id,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        order_type=request.order_type,
        limit_price=request.limit_price,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        mark_price=request.mark_price,
        payload=msgspec.json.encode(sent).decode(),
        status=order.status,
        pending=order.pending,
        filled=order.filled,
        average_price=order.average_price,
        reason=order.reason,
        created_ns=order.created_ns,
        durable_ns=order.durable_ns,
        sent_ns=order.sent_ns,
        acked_ns=order.acked_ns,
        done_ns=order.done_ns,
    )


def order_event_row(order: ManagedOrder, evidence: Evidence, why: str, at_ns: int) -> OrderEventRecord:
    """Return the row of one step: the status after it, and the evidence that made it."""
    return OrderEventRecord(
        client_order_id=order.order_id,
        kind=order.status,
        payload=msgspec.json.encode({"evidence": evidence, "why": why}).decode(),
        at_ns=at_ns,
        recorded_ns=at_ns,
    )


def fill_row(order: ManagedOrder, fill: Fill, at_ns: int) -> FillRecord:
    """Return the row of an execution."""
    return FillRecord(
        venue=order.venue,
        account=order.account,
        fill_id=fill.fill_id,
        client_order_id=fill.client_order_id,
        session_id=order.session_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        is_maker=fill.is_maker,
        at_ns=fill.at_ns,
        recorded_ns=at_ns,
    )


def fill_of(row: FillRecord) -> Fill:
    """Return the execution that a row records."""
    return Fill(
        fill_id=row.fill_id,
        client_order_id=row.client_order_id,
        symbol=row.symbol,
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        fee=row.fee,
        is_maker=row.is_maker,
        at_ns=row.at_ns,
    )


def ticket_row(ticket: Ticket, decided_by: str = "", decided_ns: int = 0) -> TicketRecord:
    """Return the row of a ticket at its present version; a final state counts as decided."""
    is_final = ticket.state in FINAL_STATES
    return TicketRecord(
        ticket_id=ticket.id,
        version=ticket.version,
        ticket_hash=ticket.hash,
        state=ticket.state,
        session_id=ticket.intent.session_id,
        payload=msgspec.json.encode(ticket).decode(),
        created_ns=ticket.created_ns,
        expires_ns=ticket.expires_ns,
        decided_ns=decided_ns or ticket.approved_ns or (ticket.expires_ns if is_final else 0),
        decided_by=decided_by or ticket.approved_by,
    )


def decision_row(
    intent: ExecutionIntent,
    wish: OrderIntent,
    run_fingerprint: str,
    at_ns: int,
    reasons: tuple[str, ...],
    context: str = "{}",
) -> DecisionRecord:
    """Return the row of one kernel decision with what policy answered, and what stood beside it."""
    return DecisionRecord(
        decision_id=wish.intent_id,
        session_id=intent.session_id,
        at_ns=at_ns,
        symbol=intent.symbol,
        strategy=intent.strategy_id,
        event_type="exit" if wish.reduce_only else "entry",
        status="denied" if reasons else "proposed",
        phase="preflight",
        action_taken=f"{intent.side} {intent.quantity}",
        rejection_reason=", ".join(reasons),
        reason_code=wish.reason,
        context=context,
        config_fingerprint=intent.config_fingerprint,
        run_fingerprint=run_fingerprint,
    )


def signal_row(intent: ExecutionIntent, wish: OrderIntent, run_fingerprint: str, at_ns: int) -> SignalRecord:
    """Return the row of what a strategy wished, unjudged; the kernel's strategies state no confidence."""
    return SignalRecord(
        session_id=intent.session_id,
        at_ns=at_ns,
        symbol=intent.symbol,
        strategy=intent.strategy_id,
        signal=f"{'exit' if wish.reduce_only else 'entry'}_{intent.side}",
        confidence=0.0,
        price=intent.mark_price or Decimal(0),
        meta=msgspec.json.encode({"decision_id": wish.intent_id, "reason": wish.reason}).decode(),
        config_fingerprint=intent.config_fingerprint,
        run_fingerprint=run_fingerprint,
    )


def judgement_rows(
    intent: ExecutionIntent,
    facts: AccountFacts,
    policy: ExecutionPolicy,
    instrument: Instrument | None,
    reasons: tuple[str, ...],
    phase: str,
    at_ns: int,
    limits_epoch: int,
) -> tuple[JudgementRecord, PolicyRecord]:
    """Return the rows from which a verdict can be made again, to the letter."""
    spelled = _POLICY(policy)
    kept = PolicyRecord(sha256=spelled.sha256, body=spelled.body, at_ns=at_ns)
    judgement = JudgementRecord(
        session_id=intent.session_id,
        decision_id=intent.decision_id,
        phase=phase,
        at_ns=at_ns,
        intent=canonical(intent).decode(),
        facts=canonical(facts).decode(),
        instrument=_INSTRUMENT(instrument).body,
        policy_sha256=kept.sha256,
        limits_epoch=limits_epoch,
        is_allowed=not reasons,
        reasons=reasons,
    )
    return judgement, kept
