"""A decision goes on both records: the audit chain, then the database, with the ticket that it became."""

from __future__ import annotations

from collections.abc import Callable

from engine.core import Core
from engine.store.rows import JudgementRecord, PolicyRecord
from engine.trading.rows import decision_row, signal_row, ticket_row
from native.intents import OrderIntent
from safety.approval import Ticket
from safety.facts import Preflight
from safety.intent import ExecutionIntent
from safety.reasons import Refusal

Judgement = tuple[JudgementRecord, PolicyRecord]


def record_decision(
    core: Core,
    intent: ExecutionIntent,
    wish: OrderIntent,
    verdict: Preflight,
    judgement: Judgement,
    context: str,
    run_fingerprint: str,
    propose: Callable[[], Ticket],
) -> Ticket | None:
    """Write what was decided, and by what; what is allowed becomes a ticket in the same durable commit.

    Returns the ticket, None where the wish was denied. Raises `OSError`, `AuditBroken` or `StoreError` where
    a record cannot be kept, and the `Refusal` of a ticket after the decision was written.
    """
    core.audit.decision(
        intent_category=intent.intent_category,
        policy_result={"allowed": verdict.allowed, "reasons": list(verdict.reasons)},
        outcome="proposed" if verdict.allowed else "blocked",
        body={"decision_id": wish.intent_id, "symbol": wish.symbol, "reason": wish.reason},
    )
    now_ns, store = core.clock.now_ns(), core.store
    row = decision_row(intent, wish, run_fingerprint, now_ns, verdict.reasons, context)
    ticket, refusal = None, None
    with store.transaction():
        store.risk.record_judgement(*judgement)
        store.decisions.record_signal(signal_row(intent, wish, run_fingerprint, now_ns))
        store.decisions.record_decision(row)
        if verdict.allowed:
            try:
                ticket = propose()
                store.tickets.save_ticket(ticket_row(ticket))
            except Refusal as error:
                refusal = error
    if refusal is not None:
        raise refusal
    return ticket
