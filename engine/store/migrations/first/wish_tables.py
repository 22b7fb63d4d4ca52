"""What strategies wish for and what people say to it, as of the first revision."""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Make these tables, in the order in which they refer to each other."""
    _decision_events()
    _intents()
    _signals()
    _tickets()
    _approvals()


def _decision_events() -> None:
    op.create_table(
        "decision_events",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("parent_decision_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("triggered_by", sa.Text(), nullable=False),
        sa.Column("action_taken", sa.Text(), nullable=False),
        sa.Column("rejection_reason", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("run_fingerprint", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "length(config_fingerprint) > 0", name=op.f("ck_decision_events_config_fingerprint_given")
        ),
        sa.CheckConstraint(
            "length(run_fingerprint) > 0", name=op.f("ck_decision_events_run_fingerprint_given")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name=op.f("fk_decision_events_session_id_sessions")
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decision_events")),
    )
    with op.batch_alter_table("decision_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_events_event_type"), ["event_type"], unique=False)
        batch_op.create_index(batch_op.f("ix_decision_events_session_id"), ["session_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_decision_events_symbol_at_ns"), ["symbol", "at_ns"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_decision_events_trade_id"), ["trade_id"], unique=False)


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("notional_usd", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("limit_price", sa.Text(), nullable=True),
        sa.Column("stop_loss", sa.Text(), nullable=True),
        sa.Column("take_profit", sa.Text(), nullable=True),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("mark_price", sa.Text(), nullable=True),
        sa.Column("intent_hash", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("run_fingerprint", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.CheckConstraint("order_type IN ('market', 'limit')", name=op.f("ck_intents_order_type_known")),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_intents_side_known")),
        sa.CheckConstraint(
            "status IN ('denied', 'ordered', 'expired')", name=op.f("ck_intents_status_known")
        ),
        sa.CheckConstraint(
            "time_in_force IN ('ioc', 'gtc', 'post_only')", name=op.f("ck_intents_time_in_force_known")
        ),
        sa.CheckConstraint("CAST(quantity AS NUMERIC) > 0", name=op.f("ck_intents_quantity_positive")),
        sa.CheckConstraint(
            "length(config_fingerprint) > 0", name=op.f("ck_intents_config_fingerprint_given")
        ),
        sa.CheckConstraint("length(run_fingerprint) > 0", name=op.f("ck_intents_run_fingerprint_given")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name=op.f("fk_intents_session_id_sessions")
        ),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_intents")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_intents_dedupe_key")),
    )
    with op.batch_alter_table("intents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_intents_session_id"), ["session_id"], unique=False)


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("meta", sa.Text(), nullable=False),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("run_fingerprint", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "length(config_fingerprint) > 0", name=op.f("ck_signals_config_fingerprint_given")
        ),
        sa.CheckConstraint("length(run_fingerprint) > 0", name=op.f("ck_signals_run_fingerprint_given")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name=op.f("fk_signals_session_id_sessions")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_signals")),
    )
    with op.batch_alter_table("signals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signals_session_id"), ["session_id"], unique=False)


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ticket_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("decided_ns", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_tickets_version_positive")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name=op.f("fk_tickets_session_id_sessions")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_tickets")),
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tickets_state"), ["state"], unique=False)


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("ticket_hash", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("typed_size", sa.Text(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'rejected')", name=op.f("ck_approvals_decision_known")),
        sa.CheckConstraint("length(operator) > 0", name=op.f("ck_approvals_operator_named")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.ticket_id"], name=op.f("fk_approvals_ticket_id_tickets")
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_approvals_ticket_id")),
    )
