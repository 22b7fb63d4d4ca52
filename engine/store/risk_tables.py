"""The tables of risk: limits by epoch, the desk's memory, latched breaches, judgements."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from engine.store.columns import SERIAL, Words, count, flag, money, one_of, text
from engine.store.tables import METADATA, session_column

JUDGEMENT_PHASES = ("proposal", "send")

LIMITS = Table(
    "limits",
    METADATA,
    Column("epoch", SERIAL, primary_key=True),
    text("limits_hash"),
    text("body"),
    text("why"),
    count("at_ns"),
)

RISK_MEMORY = Table(
    "risk_memory",
    METADATA,
    Column("scope", Text, primary_key=True),
    count("day"),
    money("day_start_usd"),
    money("pnl_usd"),
    money("peak_usd"),
    count("updated_ns"),
)

RISK_LATCHES = Table(
    "risk_latches",
    METADATA,
    Column("code", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    count("level"),
    count("since_ns"),
    text("source"),
    text("evidence"),
)

POLICIES = Table(
    "policies",
    METADATA,
    Column("sha256", Text, primary_key=True),
    text("body"),
    count("at_ns"),
)

JUDGEMENTS = Table(
    "judgements",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    session_column(),
    text("decision_id"),
    text("phase"),
    count("at_ns"),
    text("intent"),
    text("facts"),
    text("instrument"),
    Column("policy_sha256", Text, ForeignKey("policies.sha256"), nullable=False),
    count("limits_epoch"),
    flag("is_allowed"),
    Column("reasons", Words, nullable=False),
    Index(None, "session_id"),
    Index(None, "decision_id"),
    one_of("phase", JUDGEMENT_PHASES),
)
