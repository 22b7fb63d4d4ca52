"""The tables. A change here needs a migration; `tests/store/test_migrations.py` compares the two."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from engine.store.columns import (
    SERIAL,
    OptionalText,
    Words,
    count,
    fingerprints,
    flag,
    money,
    money_or_none,
    one_of,
    positive,
    text,
)
from venues.types import Environment, Mode, OrderStatus, OrderType, Side, TimeInForce

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SESSION_STATUSES = ("running", "success", "failed", "aborted")
INTENT_STATUSES = ("denied", "ordered", "expired")
PENDING = ("none", "submit", "cancel")
DECISIONS_OF_PEOPLE = ("approved", "rejected")
TRADE_ACTIONS = ("open", "add", "reduce", "close")
ALARM_STATES = ("UNACK", "ACKED", "RTN-UN", "LATCH", "SHELVED", "NORMAL")


def session_column() -> Column[str]:
    return Column("session_id", OptionalText, ForeignKey("sessions.session_id"), nullable=True)


META = Table(
    "meta",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    text("mode"),
    text("environment"),
    count("epoch"),
    count("created_ns"),
    CheckConstraint("id = 1", name="one_row"),
    one_of("mode", list(Mode)),
    one_of("environment", list(Environment)),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", Text, primary_key=True),
    text("status"),
    text("status_reason"),
    text("message"),
    Column("strategies", Words, nullable=False),
    Column("symbols", Words, nullable=False),
    text("feed"),
    flag("is_supervised"),
    count("epoch"),
    text("folder"),
    text("config"),
    *fingerprints(),
    count("started_ns"),
    count("finished_ns"),
    count("bars"),
    count("decisions"),
    count("orders"),
    count("fills"),
    money("equity_usd"),
    text("decision_sha256"),
    one_of("status", SESSION_STATUSES),
    CheckConstraint("(status = 'running') = (finished_ns = 0)", name="finished_has_time"),
)

INTENTS = Table(
    "intents",
    METADATA,
    Column("intent_id", Text, primary_key=True),
    session_column(),
    text("strategy"),
    text("decision_id"),
    text("category"),
    text("venue"),
    text("account"),
    text("symbol"),
    text("side"),
    money("quantity"),
    money("notional_usd"),
    text("order_type"),
    money_or_none("limit_price"),
    money_or_none("stop_loss"),
    money_or_none("take_profit"),
    text("time_in_force"),
    flag("reduce_only"),
    money_or_none("mark_price"),
    text("intent_hash"),
    Column("dedupe_key", OptionalText, nullable=True),
    *fingerprints(),
    count("created_ns"),
    text("status"),
    Column("reasons", Words, nullable=False),
    UniqueConstraint("dedupe_key"),
    Index(None, "session_id"),
    positive("quantity"),
    one_of("side", list(Side)),
    one_of("order_type", list(OrderType)),
    one_of("time_in_force", list(TimeInForce)),
    one_of("status", INTENT_STATUSES),
)

TICKETS = Table(
    "tickets",
    METADATA,
    Column("ticket_id", Text, primary_key=True),
    count("version"),
    text("ticket_hash"),
    text("state"),
    session_column(),
    text("payload"),
    count("created_ns"),
    count("expires_ns"),
    count("decided_ns"),
    text("decided_by"),
    Index(None, "state"),
    CheckConstraint("version > 0", name="version_positive"),
)

APPROVALS = Table(
    "approvals",
    METADATA,
    Column("approval_id", Text, primary_key=True),
    Column("ticket_id", Text, ForeignKey("tickets.ticket_id"), nullable=False),
    text("ticket_hash"),
    text("operator"),
    text("decision"),
    text("reason"),
    money_or_none("typed_size"),
    count("at_ns"),
    UniqueConstraint("ticket_id"),
    CheckConstraint("length(operator) > 0", name="operator_named"),
    one_of("decision", DECISIONS_OF_PEOPLE),
)

ORDERS = Table(
    "orders",
    METADATA,
    Column("client_order_id", Text, primary_key=True),
    Column("intent_id", Text, ForeignKey("intents.intent_id"), nullable=False),
    session_column(),
    text("strategy"),
    Column("ticket_id", OptionalText, ForeignKey("tickets.ticket_id"), nullable=True),
    text("venue"),
    text("account"),
    text("venue_order_id"),
    text("symbol"),
    text("side"),
    money("quantity"),
    text("order_type"),
    money("limit_price"),
    text("time_in_force"),
    flag("reduce_only"),
    money("mark_price"),
    text("payload"),
    text("status"),
    text("pending"),
    money("filled"),
    money_or_none("average_price"),
    text("reason"),
    count("created_ns"),
    count("durable_ns"),
    count("sent_ns"),
    count("acked_ns"),
    count("done_ns"),
    UniqueConstraint("intent_id"),
    Index(None, "status"),
    Index(None, "session_id"),
    positive("quantity"),
    one_of("side", list(Side)),
    one_of("order_type", list(OrderType)),
    one_of("time_in_force", list(TimeInForce)),
    one_of("status", list(OrderStatus)),
    one_of("pending", PENDING),
)

ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    Column("client_order_id", Text, ForeignKey("orders.client_order_id"), nullable=False),
    text("kind"),
    text("payload"),
    count("at_ns"),
    count("recorded_ns"),
    Index(None, "client_order_id"),
)

FILLS = Table(
    "fills",
    METADATA,
    Column("venue", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("fill_id", Text, primary_key=True),
    Column("client_order_id", OptionalText, ForeignKey("orders.client_order_id"), nullable=True),
    session_column(),
    text("symbol"),
    text("side"),
    money("quantity"),
    money("price"),
    money("fee"),
    flag("is_maker"),
    count("at_ns"),
    count("recorded_ns"),
    Index(None, "client_order_id"),
    Index(None, "session_id"),
    positive("quantity"),
    positive("price"),
    one_of("side", list(Side)),
)

DECISION_EVENTS = Table(
    "decision_events",
    METADATA,
    Column("decision_id", Text, primary_key=True),
    session_column(),
    count("at_ns"),
    text("symbol"),
    text("strategy"),
    text("event_type"),
    text("status"),
    text("phase"),
    text("parent_decision_id"),
    text("trade_id"),
    text("triggered_by"),
    text("action_taken"),
    text("rejection_reason"),
    text("reason_code"),
    text("context"),
    *fingerprints(),
    Index(None, "symbol", "at_ns"),
    Index(None, "event_type"),
    Index(None, "trade_id"),
    Index(None, "session_id"),
)

SIGNALS = Table(
    "signals",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    session_column(),
    count("at_ns"),
    text("symbol"),
    text("strategy"),
    text("signal"),
    Column("confidence", Float, nullable=False),
    money("price"),
    text("meta"),
    *fingerprints(),
    Index(None, "session_id"),
)

TRADES = Table(
    "trades",
    METADATA,
    Column("trade_id", Text, primary_key=True),
    session_column(),
    count("at_ns"),
    text("symbol"),
    text("strategy"),
    text("side"),
    text("action"),
    money("quantity"),
    money("price"),
    money("notional_usd"),
    money("fee_usd"),
    money("pnl_usd"),
    money("balance_usd"),
    Column("confidence", Float, nullable=False),
    text("reason"),
    text("reason_code"),
    Column("client_order_id", OptionalText, ForeignKey("orders.client_order_id"), nullable=True),
    text("meta"),
    *fingerprints(),
    Index(None, "session_id"),
    positive("quantity"),
    one_of("side", list(Side)),
    one_of("action", TRADE_ACTIONS),
)

AUDIT_EVENTS = Table(
    "audit_events",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    count("at_ns"),
    text("kind"),
    text("actor"),
    text("level"),
    text("subject"),
    text("detail"),
    *fingerprints(),
    Index(None, "kind"),
)

ALARMS = Table(
    "alarms",
    METADATA,
    Column("alarm_id", Text, primary_key=True),
    text("code"),
    text("subject"),
    text("source"),
    text("message"),
    text("state"),
    flag("is_active"),
    flag("is_acked"),
    flag("is_first_out"),
    text("acked_by"),
    count("count"),
    count("since_ns"),
    count("updated_ns"),
    UniqueConstraint("code", "subject"),
    one_of("state", ALARM_STATES),
)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("request_id", Text, primary_key=True),
    text("operator"),
    text("kind"),
    Column("reply", LargeBinary, nullable=False),
    count("at_ns"),
    Index(None, "at_ns"),
)

KV = Table(
    "kv",
    METADATA,
    Column("key", Text, primary_key=True),
    text("value"),
    count("updated_ns"),
)
