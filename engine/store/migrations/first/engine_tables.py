"""What the engine itself keeps, as of the first revision: alarms, its log, replies, sessions."""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Make these tables, in the order in which they refer to each other."""
    _alarms()
    _audit_events()
    _kv()
    _meta()
    _requests()
    _sessions()


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_acked", sa.Boolean(), nullable=False),
        sa.Column("is_first_out", sa.Boolean(), nullable=False),
        sa.Column("acked_by", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('UNACK', 'ACKED', 'RTN-UN', 'LATCH', 'SHELVED', 'NORMAL')",
            name=op.f("ck_alarms_state_known"),
        ),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("code", "subject", name=op.f("uq_alarms_code_subject")),
    )


def _audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("run_fingerprint", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "length(config_fingerprint) > 0", name=op.f("ck_audit_events_config_fingerprint_given")
        ),
        sa.CheckConstraint("length(run_fingerprint) > 0", name=op.f("ck_audit_events_run_fingerprint_given")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_events_kind"), ["kind"], unique=False)


def _kv() -> None:
    op.create_table(
        "kv",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_kv")),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "environment IN ('sandbox', 'testnet', 'mainnet')", name=op.f("ck_meta_environment_known")
        ),
        sa.CheckConstraint("mode IN ('sim', 'paper', 'dry_live', 'live')", name=op.f("ck_meta_mode_known")),
        sa.CheckConstraint("id = 1", name=op.f("ck_meta_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meta")),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_requests")),
    )
    with op.batch_alter_table("requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_requests_at_ns"), ["at_ns"], unique=False)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("strategies", sa.Text(), nullable=False),
        sa.Column("symbols", sa.Text(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("is_supervised", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_fingerprint", sa.Text(), nullable=False),
        sa.Column("run_fingerprint", sa.Text(), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), nullable=False),
        sa.Column("bars", sa.BigInteger(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("fills", sa.BigInteger(), nullable=False),
        sa.Column("equity_usd", sa.Text(), nullable=False),
        sa.Column("decision_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(status = 'running') = (finished_ns = 0)", name=op.f("ck_sessions_finished_has_time")
        ),
        sa.CheckConstraint(
            "status IN ('running', 'success', 'failed', 'aborted')", name=op.f("ck_sessions_status_known")
        ),
        sa.CheckConstraint(
            "length(config_fingerprint) > 0", name=op.f("ck_sessions_config_fingerprint_given")
        ),
        sa.CheckConstraint("length(run_fingerprint) > 0", name=op.f("ck_sessions_run_fingerprint_given")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sessions")),
    )
