"""The rows of the database as typed records: field for field the columns of `tables.py`.

Amounts are exact decimals; times are UTC nanoseconds and 0 where the thing has not happened; an empty
string stands for an absent reference. `payload`, `context`, `detail` and `meta` hold JSON text.
"""

from __future__ import annotations

from decimal import Decimal

from venues.types import OrderStatus, OrderType, Record, Side, TimeInForce

ZERO = Decimal(0)


class SessionRecord(Record):
    """One paper or live session. `status` is running, success, failed or aborted."""

    session_id: str
    status: str = "running"
    status_reason: str = ""
    message: str = ""
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    feed: str
    is_supervised: bool
    epoch: int
    folder: str
    config: str = "{}"
    config_fingerprint: str
    run_fingerprint: str
    started_ns: int
    finished_ns: int = 0
    bars: int = 0
    decisions: int = 0
    orders: int = 0
    fills: int = 0
    equity_usd: Decimal = ZERO
    decision_sha256: str = ""


class IntentRecord(Record):
    """One wish to trade. `status` is denied, ordered or expired; `dedupe_key` is unique where given."""

    intent_id: str
    session_id: str
    strategy: str
    decision_id: str
    category: str
    venue: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    notional_usd: Decimal
    order_type: OrderType
    limit_price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None = None
    time_in_force: TimeInForce
    reduce_only: bool
    mark_price: Decimal | None
    intent_hash: str
    dedupe_key: str = ""
    config_fingerprint: str
    run_fingerprint: str
    created_ns: int
    status: str = "ordered"
    reasons: tuple[str, ...] = ()


class OrderRecord(Record):
    """One order: what is proved (`status`) and what is asked (`pending`: none, submit or cancel)."""

    client_order_id: str
    intent_id: str
    session_id: str
    strategy: str
    ticket_id: str = ""
    venue: str
    account: str
    venue_order_id: str = ""
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal
    time_in_force: TimeInForce
    reduce_only: bool
    mark_price: Decimal
    payload: str
    status: OrderStatus = OrderStatus.SUBMITTING
    pending: str = "submit"
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    reason: str = ""
    created_ns: int
    durable_ns: int = 0
    sent_ns: int = 0
    acked_ns: int = 0
    done_ns: int = 0


class OrderEventRecord(Record):
    """Something that happened to an order; `seq` is given by the database."""

    client_order_id: str
    kind: str
    payload: str = "{}"
    at_ns: int
    recorded_ns: int
    seq: int = 0


class FillRecord(Record):
    """One execution, unique by (venue, account, fill_id); `client_order_id` is '' where unmatched."""

    venue: str
    account: str
    fill_id: str
    client_order_id: str
    session_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    is_maker: bool
    at_ns: int
    recorded_ns: int


class TicketRecord(Record):
    """One ticket at its latest version; `payload` is the JSON of everything the approver sees."""

    ticket_id: str
    version: int
    ticket_hash: str
    state: str
    session_id: str
    payload: str
    created_ns: int
    expires_ns: int
    decided_ns: int = 0
    decided_by: str = ""


class ApprovalRecord(Record):
    """One decision of a person about one ticket; `decision` is approved or rejected."""

    approval_id: str
    ticket_id: str
    ticket_hash: str
    operator: str
    decision: str
    reason: str = ""
    typed_size: Decimal | None = None
    at_ns: int


class DecisionRecord(Record):
    """One decision event of a session."""

    decision_id: str
    session_id: str
    at_ns: int
    symbol: str
    strategy: str
    event_type: str
    status: str
    phase: str
    parent_decision_id: str = ""
    trade_id: str = ""
    triggered_by: str = ""
    action_taken: str = ""
    rejection_reason: str = ""
    reason_code: str = ""
    context: str = "{}"
    config_fingerprint: str
    run_fingerprint: str


class SignalRecord(Record):
    """One signal of a strategy, `confidence` from 0 to 1; `seq` is given by the database."""

    session_id: str
    at_ns: int
    symbol: str
    strategy: str
    signal: str
    confidence: float
    price: Decimal
    meta: str = "{}"
    config_fingerprint: str
    run_fingerprint: str
    seq: int = 0


class TradeRecord(Record):
    """One change of a position. `action` is open, add, reduce or close."""

    trade_id: str
    session_id: str
    at_ns: int
    symbol: str
    strategy: str
    side: Side
    action: str
    quantity: Decimal
    price: Decimal
    notional_usd: Decimal
    fee_usd: Decimal
    pnl_usd: Decimal
    balance_usd: Decimal
    confidence: float = 0.0
    reason: str = ""
    reason_code: str = ""
    client_order_id: str = ""
    meta: str = "{}"
    config_fingerprint: str
    run_fingerprint: str


class AlarmRecord(Record):
    """What is remembered of one alarm; one for each (code, subject)."""

    alarm_id: str
    code: str
    subject: str
    source: str
    message: str
    state: str
    is_active: bool
    is_acked: bool
    is_first_out: bool
    acked_by: str
    count: int
    since_ns: int
    updated_ns: int


class LimitsRecord(Record):
    """One limits epoch: the set in force from `at_ns` on, as JSON, and why it began."""

    epoch: int
    limits_hash: str
    body: str
    why: str
    at_ns: int


class RiskRecord(Record):
    """The risk memory of one scope. `day` counts UTC days since 1970; profit and peak are totals over all
    sessions since the memory began, `day_start_usd` the total at the day's start."""

    scope: str
    day: int
    day_start_usd: Decimal
    pnl_usd: Decimal
    peak_usd: Decimal
    updated_ns: int


class LatchedRecord(Record):
    """One breach that stands until a named operator clears it; `level` is a hold level's number."""

    code: str
    subject: str
    level: int
    since_ns: int
    source: str
    evidence: str


class SentRecord(Record):
    """One order for the throttles: when, what and which wish."""

    created_ns: int
    symbol: str
    side: Side
    quantity: Decimal
    reduce_only: bool
    account: str
    strategy: str
    dedupe_key: str


class SentValue(Record):
    """One entry for the desk's flow: when it was made, and what it was worth at the worse of two prices."""

    created_ns: int
    quantity: Decimal
    limit_price: Decimal
    mark_price: Decimal

    @property
    def value_usd(self) -> Decimal:
        return self.quantity * max(self.limit_price, self.mark_price)


class PolicyRecord(Record):
    """A policy's canonical JSON by its hash."""

    sha256: str
    body: str
    at_ns: int


class JudgementRecord(Record):
    """What one verdict was made from; `phase` is proposal or send. The texts are canonical JSON."""

    seq: int = 0
    session_id: str
    decision_id: str
    phase: str
    at_ns: int
    intent: str
    facts: str
    instrument: str
    policy_sha256: str
    limits_epoch: int
    is_allowed: bool
    reasons: tuple[str, ...]
