"""What risk remembers: limits in force, the desk's loss and high-water, latched breaches, judgements."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from engine.conduct import Traded
from engine.store.link import Link, columns_of
from engine.store.risk_tables import JUDGEMENTS, LIMITS, POLICIES, RISK_LATCHES, RISK_MEMORY
from engine.store.rows import (
    JudgementRecord,
    LatchedRecord,
    LimitsRecord,
    PolicyRecord,
    RiskRecord,
    SentRecord,
    SentValue,
)
from engine.store.tables import INTENTS, ORDERS, SESSIONS, TRADES
from venues.types import Side

_MEMORY = select(RISK_MEMORY).where(RISK_MEMORY.c.scope == bindparam("scope"))
_POLICY = select(POLICIES.c.sha256).where(POLICIES.c.sha256 == bindparam("sha256"))

_SENT = (
    select(
        ORDERS.c.created_ns,
        ORDERS.c.symbol,
        ORDERS.c.side,
        ORDERS.c.quantity,
        ORDERS.c.reduce_only,
        ORDERS.c.account,
        ORDERS.c.strategy,
        INTENTS.c.dedupe_key,
    )
    .join(INTENTS, INTENTS.c.intent_id == ORDERS.c.intent_id)
    .order_by(ORDERS.c.created_ns, ORDERS.c.client_order_id)
)

_VALUES = (
    select(ORDERS.c.created_ns, ORDERS.c.quantity, ORDERS.c.limit_price, ORDERS.c.mark_price)
    .join(SESSIONS, SESSIONS.c.session_id == ORDERS.c.session_id, isouter=True)
    .where(~ORDERS.c.reduce_only, or_(SESSIONS.c.feed.is_(None), ~SESSIONS.c.feed.startswith("replay:")))
    .order_by(ORDERS.c.created_ns, ORDERS.c.client_order_id)
)

_TRADED = (
    select(
        ORDERS.c.created_ns,
        TRADES.c.strategy,
        TRADES.c.action,
        TRADES.c.side,
        TRADES.c.price,
        TRADES.c.pnl_usd,
        TRADES.c.fee_usd,
        INTENTS.c.mark_price,
    )
    .join(ORDERS, ORDERS.c.client_order_id == TRADES.c.client_order_id)
    .join(INTENTS, INTENTS.c.intent_id == ORDERS.c.intent_id)
    .join(SESSIONS, SESSIONS.c.session_id == TRADES.c.session_id)
    .order_by(ORDERS.c.created_ns.desc(), TRADES.c.trade_id.desc())
)


class RiskRows:
    """The risk memory; every write is durable when it returns (I26)."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._kept = ("", 0)
        """The policy that is known to be on record, and how many transactions had been undone when it was
        looked for."""

    def limits(self) -> LimitsRecord | None:
        """Return the limits in force as last written; None before the first start."""
        return self._link.row(select(LIMITS).order_by(LIMITS.c.epoch.desc()), LimitsRecord)

    def add_limits(self, limits: LimitsRecord) -> None:
        """Write the next limits epoch; an epoch is never written twice."""
        self._link.add(LIMITS, limits)

    def memory(self, scope: str) -> RiskRecord | None:
        """Return what is remembered of one scope, such as `desk`."""
        return self._link.row(_MEMORY, RiskRecord, {"scope": scope})

    def save_memory(self, memory: RiskRecord) -> None:
        """Replace what is remembered of a scope."""
        self._link.put(RISK_MEMORY, "scope", memory)

    def latched(self) -> list[LatchedRecord]:
        """Return every breach that no operator has cleared, the oldest first."""
        ordered = select(RISK_LATCHES).order_by(RISK_LATCHES.c.since_ns, RISK_LATCHES.c.subject)
        return self._link.rows(ordered, LatchedRecord)

    def latch(self, latched: LatchedRecord) -> None:
        """Write a breach, new or stricter."""
        values = columns_of(latched)
        same = and_(RISK_LATCHES.c.code == latched.code, RISK_LATCHES.c.subject == latched.subject)
        with self._link.transaction():
            if self._link.run(update(RISK_LATCHES).where(same).values(values)).rowcount == 0:
                self._link.run(insert(RISK_LATCHES).values(values))

    def unlatch(self, code: str, subject: str) -> None:
        """Forget a breach that a named operator cleared."""
        same = and_(RISK_LATCHES.c.code == code, RISK_LATCHES.c.subject == subject)
        self._link.run(delete(RISK_LATCHES).where(same))

    def sent_since(self, at_ns: int) -> list[SentRecord]:
        """Return the orders of live feeds that were made durable at or after `at_ns`, oldest first.

        A replay's orders are left out: they belong to recorded time.
        """
        of_session = _SENT.join(SESSIONS, SESSIONS.c.session_id == ORDERS.c.session_id)
        query = of_session.where(ORDERS.c.created_ns >= at_ns, ~SESSIONS.c.feed.startswith("replay:"))
        return self._link.rows(query, SentRecord)

    def sent_of_account(self, venue: str, account: str, at_ns: int) -> list[SentRecord]:
        """Return an account's orders that were made durable at or after `at_ns`, oldest first, those that
        no session wished for included."""
        mine = (ORDERS.c.venue == venue, ORDERS.c.account == account, ORDERS.c.created_ns >= at_ns)
        return self._link.rows(_SENT.where(*mine), SentRecord)

    def entries_since(self, at_ns: int) -> list[SentValue]:
        """Return the entries that were made durable at or after `at_ns`, oldest first, replays left out."""
        return self._link.rows(_VALUES.where(ORDERS.c.created_ns >= at_ns), SentValue)

    def traded_since(self, at_ns: int, limit: int) -> Sequence[Traded]:
        """Return the newest fills of live feeds, oldest first, of orders that are younger than `at_ns`."""
        query = _TRADED.where(ORDERS.c.created_ns > at_ns, ~SESSIONS.c.feed.startswith("replay:")).limit(
            limit
        )
        with self._link.transaction() as connection:
            found = connection.execute(query).all()
        return [
            Traded(row.created_ns, row.strategy, row.action, Side(row.side).sign, row.price, row.mark_price,
                   row.pnl_usd - row.fee_usd)
            for row in reversed(found)
        ]  # fmt: skip

    def record_judgement(self, judgement: JudgementRecord, policy: PolicyRecord) -> None:
        """Write what one verdict was made from; its policy is kept once for all that share it (I29)."""
        with self._link.transaction():
            if self._kept != (policy.sha256, self._link.rollbacks):
                if self._link.ask(_POLICY, {"sha256": policy.sha256}) is None:
                    self._link.add(POLICIES, policy)
                self._kept = (policy.sha256, self._link.rollbacks)
            self._link.add(JUDGEMENTS, judgement, without=("seq",))

    def judgements(self, session_id: str = "", limit: int = 10_000) -> list[JudgementRecord]:
        """Return judgements in the order they were made, of one session or of all."""
        query = select(JUDGEMENTS).order_by(JUDGEMENTS.c.seq).limit(limit)
        return self._link.rows(
            query.where(JUDGEMENTS.c.session_id == session_id) if session_id else query, JudgementRecord
        )

    def policy(self, sha256: str) -> PolicyRecord | None:
        """Return a policy by the hash of its canonical JSON."""
        return self._link.row(select(POLICIES).where(POLICIES.c.sha256 == sha256), PolicyRecord)
