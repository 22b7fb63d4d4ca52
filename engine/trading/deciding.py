"""A decision goes on both records: the audit chain, then the database, with the ticket that it became."""

from __future__ import annotations

from typing import NamedTuple

from engine.core import Core
from engine.store.rows import JudgementRecord, PolicyRecord
from engine.trading.rows import decision_row, signal_row, ticket_row
from native.intents import OrderIntent
from safety.approval import Ticket
from safety.facts import Preflight
from safety.intent import ExecutionIntent

Judgement = tuple[JudgementRecord, PolicyRecord]


class Decision(NamedTuple):
    """What policy answered to a kernel's wish, when, from what, and what stood beside it (`context`)."""

    intent: ExecutionIntent
    wish: OrderIntent
    verdict: Preflight
    judgement: Judgement
    context: str
    run_fingerprint: str
    at_ns: int


def chain_decision(core: Core, decided: Decision) -> None:
    """Put a decision on the audit chain, durably. Raises `OSError` or `AuditBroken`: then halt."""
    verdict, wish = decided.verdict, decided.wish
    core.audit.decision(
        intent_category=decided.intent.intent_category,
        policy_result={"allowed": verdict.allowed, "reasons": list(verdict.reasons)},
        outcome="proposed" if verdict.allowed else "blocked",
        body={"decision_id": wish.intent_id, "symbol": wish.symbol, "reason": wish.reason},
    )


def record_decision(core: Core, decided: Decision, ticket: Ticket | None = None) -> None:
    """Write a decision, what it was made from and the ticket it became, in one commit or as part of the one
    that is open: what a rule approves is recorded together with its order. Raises `StoreError`."""
    intent, wish, at_ns, store = decided.intent, decided.wish, decided.at_ns, core.store
    mine, reasons = decided.run_fingerprint, decided.verdict.reasons
    with store.transaction():
        store.risk.record_judgement(*decided.judgement)
        store.decisions.record_signal(signal_row(intent, wish, mine, at_ns))
        store.decisions.record_decision(decision_row(intent, wish, mine, at_ns, reasons, decided.context))
        if ticket is not None:
            store.tickets.save_ticket(ticket_row(ticket))


def record_sending(core: Core, judgement: Judgement, decided: Decision | None) -> None:
    """Write what the judgement before sending was made from, behind the decision where that is not on record
    yet. Call it inside the transaction of what follows from it. Raises `StoreError`."""
    if decided is not None:
        record_decision(core, decided)
    core.store.risk.record_judgement(*judgement)
