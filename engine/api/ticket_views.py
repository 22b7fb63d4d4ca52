"""What a console sees of tickets, of the operator lease and of requests for two persons."""

from __future__ import annotations

from decimal import Decimal

from safety.policies import PolicySnippet as PolicySnippet
from venues.types import Record


class CheckRow(Record):
    """One preflight check: what is, what would be, the bound, and the result (ok, warn, fail, look)."""

    name: str
    now: str
    after: str
    limit: str
    result: str
    reason: str


class TicketRow(Record):
    ticket_id: str
    version: int
    ticket_hash: str
    state: str
    symbol: str
    venue: str
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal
    stop_loss: Decimal | None
    time_in_force: str
    reduce_only: bool
    notional_usd: Decimal
    mark_price: Decimal
    mark_now: Decimal
    strategy: str
    session_id: str
    decision_id: str
    why: str
    category: str
    created_ns: int
    expires_ns: int
    reviewer: str
    worst: str
    """The worst check result: ok, warn or fail."""
    reasons: tuple[str, ...]
    decided_by: str
    decided_ns: int
    decision_text: str
    checks: tuple[CheckRow, ...]
    looks: tuple[CheckRow, ...] = ()
    """What is not a rule and must be seen: how far the price moved, the position, the same wish again."""
    altered: tuple[str, ...] = ()
    """The checks that this version shows otherwise than the one before."""
    proposed_by: str = ""
    """Who wrote it by hand; empty: a strategy decided it."""
    parent: str = ""
    """The run or candidate that the session came from, and its fingerprint."""
    needs_second: bool = False
    """An approval waits for a second person."""
    first_approver: str = ""
    overridden: tuple[str, ...] = ()
    override_reason: str = ""
    deferred_until_ns: int = 0
    """Until then others come before it: `deferred_by` put it back."""
    deferred_by: str = ""
    deferred_why: str = ""
    policy: tuple[PolicySnippet, ...] = ()
    """What the desk's policies say about an order like this; shown, recorded, and judging nothing (QT-08)."""


class TicketsView(Record, tag="tickets"):
    """Open tickets by expiry, deferred ones last; then the most recent decided ones."""

    seq: int
    at_ns: int
    rows: tuple[TicketRow, ...]


class LeaseRow(Record):
    """Who holds the operator lease, at which console (empty: the command line), and until when."""

    operator: str
    console: str
    since_ns: int
    until_ns: int


class PairRow(Record):
    """A request for two persons: what it is about, who has signed it, and when it lapses."""

    pair_id: str
    kind: str
    subject: str
    pair_hash: str
    signed_by: tuple[str, ...]
    reason: str
    expires_ns: int
