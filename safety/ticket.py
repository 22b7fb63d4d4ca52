"""What a ticket is: its states and what leads from one to the next, and the hash an approval is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from safety.canonical import changed, digest
from safety.facts import SEVERITY, Check, Preflight
from safety.intent import ExecutionIntent
from safety.reasons import Refusal
from safety.text import clean
from venues.types import Record


class TicketState(StrEnum):
    PROPOSED = "proposed"
    REVIEWING = "reviewing"
    COSIGNING = "cosigning"
    """One person has approved; a second, other one is awaited (C22, C34)."""
    APPROVED = "approved"
    SENT = "sent"
    ACKED = "acked"
    FILLED = "filled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class TicketEvent(StrEnum):
    SELECT = "select"
    RELEASE = "release"
    REVISE = "revise"
    COSIGN = "cosign"
    APPROVE = "approve"
    APPROVE_BY_RULE = "approve_by_rule"
    REJECT = "reject"
    EXPIRE = "expire"
    SEND = "send"
    ACK = "ack"
    FILL = "fill"
    VENUE_REJECT = "venue_reject"
    LOSE = "lose"


_S, _E = TicketState, TicketEvent
TRANSITIONS: Mapping[tuple[TicketState, TicketEvent], TicketState] = {
    (_S.PROPOSED, _E.SELECT): _S.REVIEWING,
    (_S.PROPOSED, _E.APPROVE_BY_RULE): _S.APPROVED,  # nobody has it under review
    (_S.PROPOSED, _E.REJECT): _S.REJECTED,
    (_S.PROPOSED, _E.EXPIRE): _S.EXPIRED,
    (_S.REVIEWING, _E.SELECT): _S.REVIEWING,  # the same operator looks again
    (_S.REVIEWING, _E.RELEASE): _S.PROPOSED,  # the reservation lapsed
    (_S.REVIEWING, _E.REVISE): _S.REVIEWING,  # a check came out otherwise: a new version to be read
    (_S.REVIEWING, _E.COSIGN): _S.COSIGNING,
    (_S.REVIEWING, _E.APPROVE): _S.APPROVED,
    (_S.REVIEWING, _E.REJECT): _S.REJECTED,
    (_S.REVIEWING, _E.EXPIRE): _S.EXPIRED,
    (_S.COSIGNING, _E.APPROVE): _S.APPROVED,
    (_S.COSIGNING, _E.REJECT): _S.REJECTED,
    (_S.COSIGNING, _E.EXPIRE): _S.EXPIRED,
    (_S.APPROVED, _E.SEND): _S.SENT,
    (_S.APPROVED, _E.REJECT): _S.REJECTED,  # withdrawn, or refused by the second preflight
    (_S.APPROVED, _E.EXPIRE): _S.EXPIRED,
    (_S.SENT, _E.ACK): _S.ACKED,
    (_S.SENT, _E.FILL): _S.FILLED,
    (_S.SENT, _E.VENUE_REJECT): _S.REJECTED,
    (_S.SENT, _E.LOSE): _S.UNKNOWN,
    (_S.ACKED, _E.FILL): _S.FILLED,
    (_S.ACKED, _E.VENUE_REJECT): _S.REJECTED,
    (_S.ACKED, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACK): _S.ACKED,  # venue evidence only
    (_S.UNKNOWN, _E.FILL): _S.FILLED,
    (_S.UNKNOWN, _E.VENUE_REJECT): _S.REJECTED,
}
"""(state, event) -> next state; a pair that is not here is refused."""

OPEN_STATES = frozenset({_S.PROPOSED, _S.REVIEWING, _S.COSIGNING, _S.APPROVED})
REVIEWED_STATES = frozenset({_S.REVIEWING, _S.COSIGNING})
"""Somebody has it in hand: what a lost operator lease rejects."""
FINAL_STATES = frozenset({_S.FILLED, _S.REJECTED, _S.EXPIRED})
RULE_PREFIX = "rule:"


class ApprovalRule(StrEnum):
    """What may approve in a person's place, and is named in the record as the approver.

    PAPER: the paper stage, where no money moves. SANDBOX: a loopback exchange, where none moves either.
    EXIT: an order that can only reduce, which waits for nobody. FLATTEN: the operator already typed
    FLATTEN for the whole desk, so each closing order of it needs no second look. CORRIDOR: a named person
    approved exactly these bytes in a corridor session, whose artifacts say who and when.
    """

    PAPER = "rule:paper"
    SANDBOX = "rule:sandbox"
    EXIT = "rule:exit"
    FLATTEN = "rule:flatten"
    CORRIDOR = "rule:corridor"


REJECT_REASONS: Mapping[int, str] = {
    1: "price moved",
    2: "size too large",
    3: "market conditions",
    4: "strategy misbehaving",
    5: "duplicate or already hedged",
    6: "other (say why)",
}
NEEDS_TEXT = 6


class Moment(Record):
    """One instant on both clocks."""

    now_ns: int
    monotonic_ns: int


class Ticket(Record):
    """An intent with the checks a person sees, its life span and where it stands.

    `mark_seen` is the market's price at the last look, `mark_before` at the look before it; `altered` names
    the checks that the newest version shows otherwise than the one before. `reviewed_ns` is since when the
    present version could be read. `proposed_by` is the person who wrote it by hand; empty: a strategy did.
    `overridden` are the failed checks that two persons pass over, once (C34). Until
    `deferred_until_ns` others are read before it, because `deferred_by` put it back.
    """

    id: str
    version: int
    intent: ExecutionIntent
    checks: tuple[Check, ...]
    allowed: bool
    needs_typed_size: bool
    epoch: int
    limits_epoch: int
    hash: str
    created_ns: int
    expires_ns: int
    expires_monotonic_ns: int
    changed_monotonic_ns: int
    state: TicketState
    reviewer: str = ""
    reserved_until_monotonic_ns: int = 0
    approved_by: str = ""
    approved_ns: int = 0
    closed_reason: str = ""
    mark_seen: Decimal | None = None
    mark_before: Decimal | None = None
    altered: tuple[str, ...] = ()
    reviewed_ns: int = 0
    decided_ns: int = 0
    sent_monotonic_ns: int = 0
    proposed_by: str = ""
    why: str = ""
    first_approver: str = ""
    first_principal: str = ""
    overridden: tuple[str, ...] = ()
    override_reason: str = ""
    deferred_until_ns: int = 0
    deferred_by: str = ""
    deferred_why: str = ""


def ticket_hash(
    ticket_id: str,
    version: int,
    intent: ExecutionIntent,
    checks: tuple[Check, ...],
    epoch: int,
    limits_epoch: int = 0,
) -> str:
    """Return what an approval is bound to: intent, checks shown, version, and both epochs (I21)."""
    return digest([ticket_id, version, intent, checks, epoch, limits_epoch])


def revised(ticket: Ticket, preflight: Preflight, moment: Moment, limits_epoch: int) -> Ticket:
    """Return the next version of a ticket whose checks came out otherwise, with a hash of its own."""
    version = ticket.version + 1
    before = {check.name: check for check in ticket.checks}
    altered = tuple(check.name for check in preflight.checks if before.get(check.name) != check)
    return changed(
        ticket,
        version=version,
        checks=preflight.checks,
        allowed=preflight.allowed,
        needs_typed_size=preflight.has_warning,
        limits_epoch=limits_epoch,
        hash=ticket_hash(ticket.id, version, ticket.intent, preflight.checks, ticket.epoch, limits_epoch),
        changed_monotonic_ns=moment.monotonic_ns,
        reviewed_ns=moment.now_ns,
        altered=altered,
    )


def is_over(ticket: Ticket, moment: Moment) -> bool:
    """Tell whether a ticket's time is up on either clock."""
    return moment.now_ns >= ticket.expires_ns or moment.monotonic_ns >= ticket.expires_monotonic_ns


def demand_same(ticket: Ticket, hash: str, epoch: int, limits_epoch: int | None) -> None:
    """Refuse an approval of anything but this very ticket, engine and set of limits."""
    if epoch != ticket.epoch:
        raise Refusal("wrong_epoch", f"ticket of epoch {ticket.epoch}, engine in {epoch}")
    if limits_epoch is not None and limits_epoch != ticket.limits_epoch:
        raise Refusal("limits_changed", f"shown under {ticket.limits_epoch}, now {limits_epoch}")
    if hash != ticket.hash:
        raise Refusal("ticket_hash_mismatch", ticket.id)


def is_size(typed: str | None, quantity: Decimal) -> bool:
    """Tell whether what was typed is exactly this quantity."""
    try:
        return typed is not None and Decimal(typed.strip()) == quantity
    except InvalidOperation:
        return False


def named(operator: str) -> str:
    """Return a person's name, cleaned. Raises `Refusal("operator_required")` for none, or for a rule's."""
    name = clean(operator, 80).strip()
    if not name or name.startswith(RULE_PREFIX):
        raise Refusal("operator_required", "a person's name; rules sign for themselves")
    return name


def worse_than(ticket: Ticket, preflight: Preflight) -> tuple[str, ...]:
    """Return the checks that come out worse now than the ticket shows them."""
    seen = {check.name: SEVERITY[check.result] for check in ticket.checks}
    return tuple(c.name for c in preflight.checks if SEVERITY[c.result] > seen.get(c.name, -1))
