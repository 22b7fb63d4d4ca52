"""The reconciliation desk as people see it: both sides, the difference, and what may be done about it."""

from __future__ import annotations

from enum import StrEnum

from venues.types import Record


class Act(StrEnum):
    """What an operator may decide about a difference."""

    ADOPT = "adopt"
    """Book what the venue says as ours: a `manual_` intent with its fills, or an adjustment."""
    ATTRIBUTE = "attribute"
    """Adopt, and count it to a session."""
    IGNORE = "ignore"
    """Known, and not ours: bound to exactly this difference, for a day."""
    FLATTEN = "flatten"
    """Cancel it at the venue, or adopt it and close it reduce-only."""


class Reconcile(Record, tag="reconcile_act"):
    """Decide about one difference as it was seen: `seen` is its hash; the reason stands in the envelope.

    `session_id` names the session of an `attribute`.
    """

    act: Act
    key: str
    seen: str
    session_id: str = ""


class Reconciled(Record):
    """What was done about a difference, in words, and the verdict since."""

    act: Act
    key: str
    did: str
    verdict: str


class FillsCompared(Record, tag="fills_compared"):
    """Ask for every execution since `since_ns` on either side, ours and the venue's."""

    since_ns: int


class AccountRow(Record):
    """One account's standing verdict: hydrating, clean, settling or ambiguous.

    `agreed_ns` is when both sides last agreed, `heard_ns` when the venue last answered; 0 never.
    """

    account: str
    venue: str
    verdict: str
    agreed_ns: int
    heard_ns: int
    standing: int
    ignored: int


class ActRow(Record):
    """One act that is possible now, and what it would do."""

    act: Act
    effect: str


class DifferenceRow(Record):
    """One difference. `kind` is foreign, position, cash or unknown; `state` standing, settling or ignored.

    `seen` is the hash of exactly this picture: an act that names another one is refused. `proposed` is the
    first of `acts`; where there is none, `blocked_by` says what must happen first.
    """

    account: str
    key: str
    kind: str
    subject: str
    symbol: str
    local: str
    venue: str
    difference: str
    state: str
    seen: str
    since_ns: int
    proposed: str
    acts: tuple[ActRow, ...]
    blocked_by: str = ""


class DecidedRow(Record):
    """One decision about a difference: who, when, why, about which picture."""

    at_ns: int
    operator: str
    act: Act
    key: str
    seen: str
    local: str
    venue: str
    did: str
    reason: str
    until_ns: int = 0
    """When an `ignore` ends; 0 for every other act."""


class ReconcileView(Record, tag="reconcile"):
    """Accounts, what differs now, and the newest decisions, newest first."""

    seq: int
    at_ns: int
    accounts: tuple[AccountRow, ...]
    rows: tuple[DifferenceRow, ...]
    decided: tuple[DecidedRow, ...]


class FillPair(Record):
    """One execution on both sides; an empty side has no such execution."""

    fill_id: str
    at_ns: int
    ours: str
    theirs: str
    is_same: bool


class FillComparison(Record):
    """Every execution of either side since `since_ns`; `differing` counts those that are not the same."""

    account: str
    venue: str
    since_ns: int
    compared: int
    differing: int
    rows: tuple[FillPair, ...]
    """The differing ones first, then the newest; at most a thousand."""
