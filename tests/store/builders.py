"""Rows with sane defaults."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.store.rows import DecisionRecord, FillRecord, IntentRecord, OrderRecord, SessionRecord
from venues.types import OrderType, Side, TimeInForce

AT = 1_790_000_000_000_000_000


def session(session_id: str = "S-1", **changes: object) -> SessionRecord:
    row = SessionRecord(
        session_id=session_id,
        strategies=("trend",),
        symbols=("BTC", "ETH"),
        feed="sandbox",
        is_supervised=False,
        epoch=1,
        folder="S-1",
        config_fingerprint="c" * 64,
        run_fingerprint="r" * 64,
        started_ns=AT,
    )
    return msgspec.structs.replace(row, **changes)


def intent(intent_id: str = "I-1", **changes: object) -> IntentRecord:
    row = IntentRecord(
        intent_id=intent_id,
        session_id="",
        strategy="trend",
        decision_id="D-1",
        category="paper_trade",
        venue="sandbox",
        account="A",
        symbol="BTC",
        side=Side.BUY,
        quantity=Decimal("0.123456789012345678"),
        notional_usd=Decimal("7407.40734074"),
        order_type=OrderType.MARKET,
        limit_price=Decimal("60100"),
        stop_loss=Decimal("59000"),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=Decimal("60000"),
        intent_hash="h" * 64,
        config_fingerprint="c" * 64,
        run_fingerprint="r" * 64,
        created_ns=AT,
    )
    return msgspec.structs.replace(row, **changes)


def order(client_order_id: str = "O-1", intent_id: str = "I-1", **changes: object) -> OrderRecord:
    row = OrderRecord(
        client_order_id=client_order_id,
        intent_id=intent_id,
        session_id="",
        strategy="trend",
        venue="sandbox",
        account="A",
        symbol="BTC",
        side=Side.BUY,
        quantity=Decimal("0.123456789012345678"),
        order_type=OrderType.MARKET,
        limit_price=Decimal("60100"),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=Decimal("60000"),
        payload="{}",
        created_ns=AT,
    )
    return msgspec.structs.replace(row, **changes)


def fill(fill_id: str = "F-1", client_order_id: str = "O-1", **changes: object) -> FillRecord:
    row = FillRecord(
        venue="sandbox",
        account="A",
        fill_id=fill_id,
        client_order_id=client_order_id,
        session_id="",
        symbol="BTC",
        side=Side.BUY,
        quantity=Decimal("0.1"),
        price=Decimal("60000.5"),
        fee=Decimal("2.70002"),
        is_maker=False,
        at_ns=AT + 5,
        recorded_ns=AT + 6,
    )
    return msgspec.structs.replace(row, **changes)


def decision(decision_id: str = "D-1", **changes: object) -> DecisionRecord:
    row = DecisionRecord(
        decision_id=decision_id,
        session_id="",
        at_ns=AT,
        symbol="BTC",
        strategy="trend",
        event_type="entry_signal",
        status="executed",
        phase="execution",
        config_fingerprint="c" * 64,
        run_fingerprint="r" * 64,
    )
    return msgspec.structs.replace(row, **changes)
