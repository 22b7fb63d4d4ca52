"""Sessions, tickets, replies, facts and alarms come back as they were written."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from engine.store import Store, StoreConflict
from engine.store.rows import (
    AlarmRecord,
    ApprovalRecord,
    JudgementRecord,
    PolicyRecord,
    SignalRecord,
    TicketRecord,
    TradeRecord,
)
from venues.types import Side

from .builders import AT, decision, session
from .looking import approval_of, signals_of, trades_of

PRINTS = {"config_fingerprint": "c" * 64, "run_fingerprint": "r" * 64}


def test_session_runs_and_ends(store: Store) -> None:
    store.sessions.start(session())
    assert store.sessions.sessions_running() == [session()]
    store.sessions.progress("S-1", bars=9, decisions=4, orders=2, fills=1, equity_usd=Decimal("10000.01"))
    store.sessions.finish("S-1", status="aborted", status_reason="operator_abort", finished_ns=AT + 1)
    ended = store.sessions.get("S-1")
    assert ended is not None
    assert (ended.status, ended.bars, ended.equity_usd) == ("aborted", 9, Decimal("10000.01"))
    assert store.sessions.sessions_running() == []


def test_ticket_is_decided_once(store: Store) -> None:
    ticket = TicketRecord(
        ticket_id="T-1",
        version=1,
        ticket_hash="h",
        state="open",
        session_id="",
        payload="{}",
        created_ns=AT,
        expires_ns=AT + 9,
    )
    store.tickets.save_ticket(ticket)
    assert store.tickets.tickets_undecided() == [ticket]
    decided = msgspec.structs.replace(ticket, state="approved", decided_ns=AT + 1, decided_by="ada")
    approval = ApprovalRecord(
        approval_id="P-1", ticket_id="T-1", ticket_hash="h", operator="ada", decision="approved", at_ns=AT + 1
    )
    store.tickets.record_approval(approval, decided)
    with pytest.raises(StoreConflict):
        store.tickets.record_approval(msgspec.structs.replace(approval, approval_id="P-2"), ticket)
    assert store.tickets.ticket("T-1") == decided
    assert approval_of(store.link, "T-1") == approval
    assert store.tickets.tickets_undecided() == []


def test_reply_is_remembered_once(store: Store) -> None:
    keep = store.requests.remember_reply
    keep("C-1", b'{"ok":true}', operator="ada", kind="kill", at_ns=AT)
    with pytest.raises(StoreConflict):
        keep("C-1", b"other", operator="ada", kind="kill", at_ns=AT)
    assert store.requests.recall_reply("C-1") == b'{"ok":true}'
    assert store.requests.recall_reply("C-2") is None
    assert store.requests.forget_replies(AT + 1) == 1


def test_facts_are_replaced_whole(store: Store) -> None:
    store.facts.set("venue/a_c", "1", AT)
    store.facts.set("venue/a_c", "2", AT + 1)
    store.facts.set("venue/abc", "3", AT)
    assert store.facts.get("venue/a_c") == "2"
    assert store.facts.under("venue/a_") == {"venue/a_c": "2"}
    store.facts.remove("venue/a_c")
    assert store.facts.get("venue/a_c") is None


def test_a_decision_its_signal_and_its_trade_come_back(store: Store) -> None:
    store.sessions.start(session())
    signal = SignalRecord(
        session_id="S-1", at_ns=AT, symbol="BTC", strategy="trend", signal="long", confidence=0.5,
        price=Decimal("1.10"), **PRINTS,
    )  # fmt: skip
    trade = TradeRecord(
        trade_id="X-1", session_id="S-1", at_ns=AT, symbol="BTC", strategy="trend", side=Side.BUY,
        action="open", quantity=Decimal(1), price=Decimal(2), notional_usd=Decimal(2), fee_usd=Decimal(0),
        pnl_usd=Decimal(0), balance_usd=Decimal(98), **PRINTS,
    )  # fmt: skip
    with store.transaction():
        store.decisions.record_decision(decision(session_id="S-1"))
        store.decisions.record_signal(signal)
        store.decisions.record_trade(trade)
    assert store.decisions.decisions_of("S-1") == [decision(session_id="S-1")]
    assert signals_of(store.link, "S-1") == [msgspec.structs.replace(signal, seq=1)]
    assert trades_of(store.link, "S-1") == [trade]


def test_alarm_is_kept_at_its_latest(store: Store) -> None:
    alarm = AlarmRecord(
        alarm_id="A-1", code="feed_stale", subject="BTC", source="hub", message="m", state="UNACK",
        is_active=True, is_acked=False, is_first_out=True, acked_by="", count=1, since_ns=AT, updated_ns=AT,
    )  # fmt: skip
    store.save_alarm(alarm)
    acked = msgspec.structs.replace(alarm, state="ACKED", is_acked=True, acked_by="ada")
    store.save_alarm(acked)
    assert store.alarms() == [acked]


def test_a_policy_that_was_rolled_back_is_written_with_the_next_judgement(store: Store) -> None:
    policy = PolicyRecord(sha256="p" * 64, body="{}", at_ns=AT)
    judgement = JudgementRecord(
        session_id="", decision_id="D-1", phase="proposal", at_ns=AT, intent="{}", facts="{}",
        instrument="{}", policy_sha256=policy.sha256, limits_epoch=1, is_allowed=True, reasons=(),
    )  # fmt: skip
    with pytest.raises(KeyError):
        _keep_and_fail(store, judgement, policy)
    assert store.risk.policy(policy.sha256) is None and store.risk.judgements() == []
    for count in (1, 2):
        store.risk.record_judgement(judgement, policy)
        assert store.risk.policy(policy.sha256) == policy and len(store.risk.judgements()) == count


def _keep_and_fail(store: Store, judgement: JudgementRecord, policy: PolicyRecord) -> None:
    with store.transaction():
        store.risk.record_judgement(judgement, policy)
        store.risk.record_judgement(judgement, policy)
        raise KeyError("undone")
