"""Remember risk: limits in force, the desk's loss and high-water, latched breaches, judgements"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("epoch", SERIAL, nullable=False),
        sa.Column("limits_hash", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_limits")),
    )
    op.create_table(
        "risk_memory",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("day_start_usd", sa.Text(), nullable=False),
        sa.Column("pnl_usd", sa.Text(), nullable=False),
        sa.Column("peak_usd", sa.Text(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_risk_memory")),
    )
    op.create_table(
        "risk_latches",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", "subject", name=op.f("pk_risk_latches")),
    )
    op.create_table(
        "policies",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_policies")),
    )
    op.create_table(
        "judgements",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("policy_sha256", sa.Text(), nullable=False),
        sa.Column("limits_epoch", sa.BigInteger(), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.CheckConstraint("phase IN ('proposal', 'send')", name=op.f("ck_judgements_phase_known")),
        sa.ForeignKeyConstraint(
            ["policy_sha256"], ["policies.sha256"], name=op.f("fk_judgements_policy_sha256_policies")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.session_id"], name=op.f("fk_judgements_session_id_sessions")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_judgements")),
    )
    with op.batch_alter_table("judgements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_judgements_decision_id"), ["decision_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_judgements_session_id"), ["session_id"], unique=False)


def downgrade() -> None:
    for name in ("judgements", "policies", "risk_latches", "risk_memory", "limits"):
        op.drop_table(name)
