"""Decisions, signals, trades and the audit mirror; every row names its configuration and its code (OC-39)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from engine.store.link import Link
from engine.store.rows import AuditRecord, DecisionRecord, SignalRecord, TradeRecord
from engine.store.tables import AUDIT_EVENTS, DECISION_EVENTS, SIGNALS, TRADES


class DecisionRows:
    """Why things were done."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def record_decision(self, decision: DecisionRecord) -> None:
        """Record one decision. Raises `StoreConflict` without both fingerprints."""
        self._link.add(DECISION_EVENTS, decision)

    def record_decisions(
        self,
        decisions: Sequence[DecisionRecord],
        signals: Sequence[SignalRecord] = (),
        trades: Sequence[TradeRecord] = (),
    ) -> None:
        """Record everything one bar decided, in one durable transaction."""
        with self._link.transaction():
            self._link.add_all(DECISION_EVENTS, decisions)
            self._link.add_all(SIGNALS, signals, without=("seq",))
            self._link.add_all(TRADES, trades)

    def record_signal(self, signal: SignalRecord) -> None:
        self._link.add(SIGNALS, signal, without=("seq",))

    def record_trade(self, trade: TradeRecord) -> None:
        self._link.add(TRADES, trade)

    def record_audit(self, event: AuditRecord) -> None:
        """Mirror one audit event; the hash-chained file remains the proof."""
        self._link.add(AUDIT_EVENTS, event, without=("seq",))

    def decisions_of(self, session_id: str) -> list[DecisionRecord]:
        """Return a session's decisions, oldest first."""
        query = select(DECISION_EVENTS).where(DECISION_EVENTS.c.session_id == session_id)
        ordered = query.order_by(DECISION_EVENTS.c.at_ns, DECISION_EVENTS.c.decision_id)
        return self._link.rows(ordered, DecisionRecord)

    def signals_of(self, session_id: str) -> list[SignalRecord]:
        """Return a session's signals in the order of recording."""
        query = select(SIGNALS).where(SIGNALS.c.session_id == session_id)
        return self._link.rows(query.order_by(SIGNALS.c.seq), SignalRecord)

    def trades_of(self, session_id: str) -> list[TradeRecord]:
        """Return a session's trades, oldest first."""
        query = select(TRADES).where(TRADES.c.session_id == session_id)
        return self._link.rows(query.order_by(TRADES.c.at_ns, TRADES.c.trade_id), TradeRecord)

    def audit_recent(self, limit: int = 200) -> list[AuditRecord]:
        """Return the newest audit events, newest first."""
        return self._link.rows(
            select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.seq.desc()).limit(limit), AuditRecord
        )
