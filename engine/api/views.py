"""What a console may see: conflated views, each with its sequence, source time and engine epoch.

Views carry facts, never rendering: numbers are numbers, text is plain (already cleaned), states are words.
At most ten per second per view; a missed one is replaced by the next.
"""

from __future__ import annotations

from decimal import Decimal

from engine.api.arming import ArmingView
from engine.api.gates import ChecklistRow, ExitResult, NoteRow
from engine.api.lane_views import LaneStateRow
from engine.api.reconcile import ReconcileView
from engine.api.risk import SoftCapRow
from engine.api.run_views import RunsView
from engine.api.ticket_views import CheckRow as CheckRow
from engine.api.ticket_views import LeaseRow, PairRow
from engine.api.ticket_views import TicketRow as TicketRow
from engine.api.ticket_views import TicketsView as TicketsView
from venues.types import Record


class HoldRow(Record):
    code: str
    level: str
    since_ns: int
    source: str
    evidence: str
    clear_rule: str
    runbook: str


class PartHealth(Record):
    """One part of the engine: `state` is ok, slow, stale, lost, failed or off."""

    part: str
    state: str
    age_ms: int
    detail: str


class StatusView(Record, tag="status"):
    """The status line: identical on every screen."""

    seq: int
    at_ns: int
    epoch: int
    mode: str
    environment: str
    account: str
    engine_version: str
    level: str
    """Effective level: clear, close_only, halt or hydrating."""
    kill_level: str
    kill_id: str
    killed_by: str
    killed_at_ns: int
    holds: tuple[HoldRow, ...]
    feed_state: str
    feed_age_ms: int
    venues_up: int
    venues_total: int
    sessions_active: int
    tickets_open: int
    ticket_next_expiry_ns: int
    orders_working: int
    orders_unknown: int
    alarms_unacked: int
    kernel_sha256: str
    health: tuple[PartHealth, ...]
    lanes: tuple[LaneStateRow, ...] = ()
    """Every running session's lanes, each with its strategy's state."""
    lease: LeaseRow | None = None
    """Who acts; None where nobody does."""
    pairs: tuple[PairRow, ...] = ()
    arming: ArmingView | None = None
    """How arming stands; None where no real venue is meant."""
    """What waits for a second person."""


class LimitBar(Record):
    """One limit: value now against its bound. `state` is ok, warn, breach or missing."""

    code: str
    label: str
    value: float | None
    limit: float
    unit: str
    state: str


class EquityPoint(Record):
    at_ns: int
    equity_usd: float


class PromotionRow(Record):
    """Where a strategy stands. `run_id` and `config_id` are those of the run whose evidence was judged, and
    `baseline_run_id` the baseline that stood then; each is empty where there is none (OC-44, OC-51)."""

    strategy: str
    stage: str
    blockers: tuple[str, ...]
    run_id: str = ""
    config_id: str = ""
    baseline_run_id: str = ""
    candidate: str = ""
    """The hash of what would be promoted: what a tick of the checklist is bound to (I25)."""
    checklist: tuple[ChecklistRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    """The sessions that count, each with its close-out note."""


class OverviewView(Record, tag="overview"):
    seq: int
    at_ns: int
    equity_usd: Decimal
    day_pnl_usd: Decimal
    drawdown: float
    gross_usd: Decimal
    net_usd: Decimal
    leverage: float
    working_orders: int
    rejects_5m: int
    fills_5m: int
    decisions: int
    bars: int
    limits: tuple[LimitBar, ...]
    equity: tuple[EquityPoint, ...]
    promotion: tuple[PromotionRow, ...]
    exit_condition: tuple[ExitResult, ...] = ()
    """What must be true before anything leaves the micro stage (QL-115)."""


class PositionRow(Record):
    symbol: str
    venue: str
    side: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised_usd: Decimal
    realised_day_usd: Decimal
    fees_usd: Decimal
    age_ms: int
    is_stale: bool
    strategy: str
    session_id: str
    stop_price: Decimal | None


class PositionsView(Record, tag="positions"):
    seq: int
    at_ns: int
    rows: tuple[PositionRow, ...]


class OrderRow(Record):
    order_id: str
    venue_order_id: str
    symbol: str
    venue: str
    side: str
    order_type: str
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal
    average_price: Decimal | None
    status: str
    pending: str
    """The request in flight: none, submit or cancel."""
    reason: str
    time_in_force: str
    reduce_only: bool
    strategy: str
    session_id: str
    ticket_id: str
    created_ns: int
    durable_ns: int
    sent_ns: int
    acked_ns: int
    done_ns: int
    asked_ns: int = 0
    """When the venue was last asked about it by its own id; 0: never."""
    heard: str = ""
    """What the venue said then."""


class OrdersView(Record, tag="orders"):
    seq: int
    at_ns: int
    rows: tuple[OrderRow, ...]


class AlarmRow(Record):
    """One alarm. `state` is UNACK, ACKED, RTN-UN, LATCH, SHELVED or NORMAL."""

    alarm_id: str
    code: str
    priority: int
    state: str
    since_ns: int
    source: str
    subject: str
    message: str
    count: int
    acked_by: str
    is_first_out: bool
    consequence: str
    respond_within: str
    first_action: str
    runbook: str
    shelved_until_ns: int = 0
    """When a shelved alarm comes back by itself; 0 where it is not shelved."""
    shelved_by: str = ""
    shelved_why: str = ""
    is_chattering: bool = False
    """It rings so often that its rings are withheld; it still stands here."""


class AlarmGroup(Record):
    """Alarms of one code that stand together; `first_subject` is where it began."""

    code: str
    count: int
    priority: int
    first_subject: str


class AlarmsView(Record, tag="alarms"):
    """Every alarm that is not normal. In a flood (`is_flood`) work by priority and by `groups`."""

    seq: int
    at_ns: int
    rate_10min: int
    suppressed: int
    rows: tuple[AlarmRow, ...]
    is_flood: bool = False
    groups: tuple[AlarmGroup, ...] = ()


class SinkRow(Record):
    """One destination of alarms; `dead` letters were given up, `slowest_ms` is from ring to delivery."""

    name: str
    kind: str
    state: str
    queued: int
    delivered: int
    failed: int
    dead: int
    slowest_ms: float
    last_error: str


class SinksView(Record):
    at_ns: int
    rows: tuple[SinkRow, ...]


class EventRow(Record):
    """One thing that happened; `actor` is eng, a venue or an operator's name."""

    seq: int
    at_ns: int
    kind: str
    actor: str
    text: str


class EventsView(Record, tag="events"):
    """The newest events, newest first."""

    seq: int
    at_ns: int
    rows: tuple[EventRow, ...]


class SystemView(Record, tag="system"):
    """The plumbing, for screen 0; `facts` are (group, name, value) in display order."""

    seq: int
    at_ns: int
    health: tuple[PartHealth, ...]
    facts: tuple[tuple[str, str, str], ...]


class LimitRow(Record):
    """One rule as the next order would meet it. `state` is ok, warn, breach, missing or n/a.

    `used` is the share of the bound that is used up, 0 to 1; None where there is no scale. `subject` says
    whose figure it is: the nearest of all sessions and symbols.
    """

    code: str
    level: str
    subject: str
    title: str
    now: str
    limit: str
    used: float | None
    state: str
    says: str
    controls: str
    correction: str
    runbook: str


class PendingRaise(Record):
    """A looser limit that is not in force yet."""

    name: str
    before: str
    after: str
    left_s: float


class LimitsView(Record, tag="limits"):
    """Every rule by closeness, and which set of limits is in force since when it was counted."""

    seq: int
    at_ns: int
    limits_epoch: int
    limits_hash: str
    rows: tuple[LimitRow, ...]
    pending: tuple[PendingRaise, ...]
    soft: tuple[SoftCapRow, ...] = ()


View = (
    StatusView
    | OverviewView
    | PositionsView
    | OrdersView
    | TicketsView
    | AlarmsView
    | RunsView
    | EventsView
    | SystemView
    | LimitsView
    | ReconcileView
)

VIEW_NAMES: tuple[str, ...] = (
    "status",
    "overview",
    "positions",
    "orders",
    "tickets",
    "alarms",
    "runs",
    "events",
    "system",
    "limits",
    "reconcile",
)


class Views(Record):
    """Result of `Snapshot`: the latest of each view."""

    views: tuple[View, ...]


class HealthReport(Record):
    """Result of `Health`."""

    ok: bool
    level: str
    parts: tuple[PartHealth, ...]
