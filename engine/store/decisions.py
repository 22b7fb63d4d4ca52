"""Decisions, signals, trades and the audit mirror; every row names its configuration and its code (OC-39)."""

from __future__ import annotations

from sqlalchemy import select

from engine.store.link import Link
from engine.store.rows import DecisionRecord, SignalRecord, TradeRecord
from engine.store.tables import DECISION_EVENTS, SIGNALS, TRADES


class DecisionRows:
    """Why things were done."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def record_decision(self, decision: DecisionRecord) -> None:
        """Record one decision. Raises `StoreConflict` without both fingerprints."""
        self._link.add(DECISION_EVENTS, decision)

    def record_signal(self, signal: SignalRecord) -> None:
        self._link.add(SIGNALS, signal, without=("seq",))

    def record_trade(self, trade: TradeRecord) -> None:
        self._link.add(TRADES, trade)

    def decisions_of(self, session_id: str) -> list[DecisionRecord]:
        """Return a session's decisions, oldest first."""
        query = select(DECISION_EVENTS).where(DECISION_EVENTS.c.session_id == session_id)
        ordered = query.order_by(DECISION_EVENTS.c.at_ns, DECISION_EVENTS.c.decision_id)
        return self._link.rows(ordered, DecisionRecord)
