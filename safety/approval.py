"""Tickets: an intent waits for a named person, who approves exactly the bytes that were shown.

Plain state; times are passed in. A ticket is approved at most once, never after its expiry (wall or
monotonic, the earlier one), never under another hash, and a restart rejects every open one.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from safety.canonical import changed, digest
from safety.facts import Check, Preflight
from safety.intent import ExecutionIntent, IntentCategory
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Record

RESERVATION_NS = 30 * NS_PER_S
GRACE_NS = 500 * NS_PER_MS
DEFAULT_TTL_NS = 60 * NS_PER_S
MAX_OPEN_TICKETS = 200
MAX_CLOSED_TICKETS = 2000


class TicketState(StrEnum):
    PROPOSED = "proposed"
    REVIEWING = "reviewing"
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
    (_S.REVIEWING, _E.APPROVE): _S.APPROVED,
    (_S.REVIEWING, _E.REJECT): _S.REJECTED,
    (_S.REVIEWING, _E.EXPIRE): _S.EXPIRED,
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

OPEN_STATES = frozenset({_S.PROPOSED, _S.REVIEWING, _S.APPROVED})
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
    """An intent with the checks a person sees, its life span and where it stands."""

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


class TicketBook:
    """All tickets of one engine."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}

    def get(self, ticket_id: str) -> Ticket:
        """Return a ticket. Raises `Refusal("unknown_ticket")`."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None:
            raise Refusal("unknown_ticket", clean(ticket_id, 80))
        return ticket

    def all(self) -> tuple[Ticket, ...]:
        """Every kept ticket in the order of proposal."""
        return tuple(self._tickets.values())

    def open(self) -> tuple[Ticket, ...]:
        """The tickets nobody has sent or closed, the one that expires first in front."""
        waiting = [ticket for ticket in self._tickets.values() if ticket.state in OPEN_STATES]
        return tuple(sorted(waiting, key=lambda ticket: (ticket.expires_ns, ticket.id)))

    def propose(
        self,
        ticket_id: str,
        intent: ExecutionIntent,
        preflight: Preflight,
        *,
        epoch: int,
        moment: Moment,
        ttl_ns: int = DEFAULT_TTL_NS,
        limits_epoch: int = 0,
    ) -> Ticket:
        """Put an intent before the operators. Raises `Refusal`: duplicate_request, too_many_tickets."""
        assert ttl_ns > 0
        if ticket_id in self._tickets:
            raise Refusal("duplicate_request", ticket_id)
        if len(self.open()) >= MAX_OPEN_TICKETS:
            raise Refusal("too_many_tickets", f"{MAX_OPEN_TICKETS} wait already")
        ticket = Ticket(
            id=ticket_id,
            version=1,
            intent=intent,
            checks=preflight.checks,
            allowed=preflight.allowed,
            needs_typed_size=preflight.has_warning,
            epoch=epoch,
            limits_epoch=limits_epoch,
            hash=ticket_hash(ticket_id, 1, intent, preflight.checks, epoch, limits_epoch),
            created_ns=moment.now_ns,
            expires_ns=moment.now_ns + ttl_ns,
            expires_monotonic_ns=moment.monotonic_ns + ttl_ns,
            changed_monotonic_ns=moment.monotonic_ns,
            state=TicketState.PROPOSED,
        )
        self._tickets[ticket_id] = ticket
        self._forget_oldest()
        return ticket

    def select(
        self,
        ticket_id: str,
        operator: str,
        moment: Moment,
        preflight: Preflight | None = None,
        limits_epoch: int | None = None,
    ) -> Ticket:
        """Reserve a ticket for one operator for 30 s and return it with the hash to approve.

        `preflight` is the re-run with fresh prices; where its checks differ the ticket gets a new
        version and hash. Raises `Refusal`: operator_required, unknown_ticket, ticket_expired,
        ticket_used, ticket_reserved.
        """
        operator = _named(operator)
        ticket = self._alive(ticket_id, moment)
        is_reserved = ticket.reserved_until_monotonic_ns > moment.monotonic_ns
        if ticket.state is TicketState.REVIEWING and ticket.reviewer != operator and is_reserved:
            raise Refusal("ticket_reserved", ticket.reviewer)
        ticket = self._step(ticket, TicketEvent.SELECT)
        ticket = changed(
            ticket, reviewer=operator, reserved_until_monotonic_ns=moment.monotonic_ns + RESERVATION_NS
        )
        limits_epoch = ticket.limits_epoch if limits_epoch is None else limits_epoch
        if preflight is not None and (preflight.checks, limits_epoch) != (ticket.checks, ticket.limits_epoch):
            ticket = _revised(ticket, preflight, moment, limits_epoch)
        return self._keep(ticket)

    def approve(
        self,
        ticket_id: str,
        hash: str,
        operator: str,
        *,
        typed_size: str | None,
        epoch: int,
        moment: Moment,
        limits_epoch: int | None = None,
    ) -> Ticket:
        """Approve exactly what `hash` names, once.

        Raises `Refusal`: operator_required, unknown_ticket, ticket_used, ticket_expired, wrong_epoch,
        limits_changed, ticket_review_required (also: reserved by another, or the reservation lapsed),
        ticket_hash_mismatch, ticket_changed (less than 0.5 s ago), checks_failed, bad_confirmation.
        """
        operator = _named(operator)
        ticket = self._alive(ticket_id, moment)
        is_mine = ticket.reviewer == operator and ticket.reserved_until_monotonic_ns > moment.monotonic_ns
        if ticket.state is not TicketState.REVIEWING or not is_mine:
            raise Refusal("ticket_review_required", ticket_id)
        if epoch != ticket.epoch:
            raise Refusal("wrong_epoch", f"ticket of epoch {ticket.epoch}, engine in {epoch}")
        if limits_epoch is not None and limits_epoch != ticket.limits_epoch:
            raise Refusal("limits_changed", f"shown under {ticket.limits_epoch}, now {limits_epoch}")
        if hash != ticket.hash:
            raise Refusal("ticket_hash_mismatch", ticket_id)
        if moment.monotonic_ns - ticket.changed_monotonic_ns < GRACE_NS:
            raise Refusal("ticket_changed", ticket_id)
        if not ticket.allowed:
            raise Refusal("checks_failed", ticket_id)
        if ticket.needs_typed_size and not _is_size(typed_size, ticket.intent.quantity):
            raise Refusal("bad_confirmation", "type the quantity exactly")
        approved = self._step(ticket, TicketEvent.APPROVE)
        return self._keep(changed(approved, approved_by=operator, approved_ns=moment.now_ns))

    def approve_by_rule(self, ticket_id: str, rule: ApprovalRule, *, epoch: int, moment: Moment) -> Ticket:
        """Approve a ticket that waits for nobody, once, in the rule's name.

        A warning asks a person for the size and asks a rule for nothing; a failed check stops both.
        Raises `Refusal`: unknown_ticket, ticket_used (also: under review), ticket_expired, wrong_epoch,
        checks_failed, not_permitted (EXIT and FLATTEN approve only reduce-only orders).
        """
        ticket = self._alive(ticket_id, moment)
        if ticket.state is not TicketState.PROPOSED:
            raise Refusal("ticket_used", f"{ticket.reviewer} reviews it")
        if epoch != ticket.epoch:
            raise Refusal("wrong_epoch", f"ticket of epoch {ticket.epoch}, engine in {epoch}")
        if not ticket.allowed:
            raise Refusal("checks_failed", ticket_id)
        intent = ticket.intent
        is_flatten = intent.reduce_only and intent.intent_category is IntentCategory.FLATTEN
        if rule is ApprovalRule.FLATTEN and not is_flatten:
            raise Refusal("not_permitted", f"{rule} does not cover {intent.intent_category}")
        if rule is ApprovalRule.EXIT and not intent.reduce_only:
            raise Refusal("not_permitted", f"{rule} does not cover {intent.intent_category}")
        approved = self._step(ticket, TicketEvent.APPROVE_BY_RULE)
        return self._keep(changed(approved, approved_by=rule.value, approved_ns=moment.now_ns))

    def reject(self, ticket_id: str, operator: str, digit: int, text: str = "") -> Ticket:
        """Reject an open ticket for one of the six reasons; the sixth needs a text."""
        operator = _named(operator)
        ticket = self.get(ticket_id)
        if ticket.state not in OPEN_STATES:
            raise Refusal("ticket_used", ticket.state)
        said = clean(text)
        if digit not in REJECT_REASONS or (digit == NEEDS_TEXT and not said):
            raise Refusal("reason_required", "one digit of " + ", ".join(map(str, REJECT_REASONS)))
        reason = f"{REJECT_REASONS[digit]}: {said}" if said else REJECT_REASONS[digit]
        return self._keep(
            changed(self._step(ticket, TicketEvent.REJECT), closed_reason=f"{operator}: {reason}")
        )

    def advance(self, ticket_id: str, event: TicketEvent, *, reason: str = "") -> Ticket:
        """Record what happened after approval (send, ack, fill, venue_reject, lose, or a withdrawal)."""
        ticket = self.get(ticket_id)
        if event in (TicketEvent.SELECT, TicketEvent.APPROVE, TicketEvent.APPROVE_BY_RULE):
            raise Refusal("ticket_review_required", "use select and approve")
        after = self._step(ticket, event)
        return self._keep(changed(after, closed_reason=clean(reason)) if reason else after)

    def expire(self, moment: Moment) -> tuple[Ticket, ...]:
        """Close every open ticket whose time is up, free lapsed reservations; returns the closed ones."""
        expired = []
        for ticket in self.open():
            if _is_over(ticket, moment):
                closed = changed(self._step(ticket, TicketEvent.EXPIRE), closed_reason="expired")
                expired.append(self._keep(closed))
            elif (
                ticket.state is TicketState.REVIEWING
                and ticket.reserved_until_monotonic_ns <= moment.monotonic_ns
            ):
                self._keep(changed(self._step(ticket, TicketEvent.RELEASE), reviewer=""))
        return tuple(expired)

    def reject_open(self, reason: str) -> tuple[Ticket, ...]:
        """Reject every open ticket: engine restart, kill, lost lease."""
        said = clean(reason)
        assert said, "a rejection says why"
        return tuple(
            self._keep(changed(self._step(ticket, TicketEvent.REJECT), closed_reason=said))
            for ticket in self.open()
        )

    def restore(self, tickets: tuple[Ticket, ...]) -> tuple[Ticket, ...]:
        """Load tickets after a restart and reject those that were open; returns the rejected ones."""
        assert not self._tickets, "restore comes first"
        self._tickets = {ticket.id: ticket for ticket in tickets}
        return self.reject_open("engine restarted")

    def _alive(self, ticket_id: str, moment: Moment) -> Ticket:
        ticket = self.get(ticket_id)
        if ticket.state is TicketState.EXPIRED or (ticket.state in OPEN_STATES and _is_over(ticket, moment)):
            raise Refusal("ticket_expired", ticket_id)
        if ticket.state not in (TicketState.PROPOSED, TicketState.REVIEWING):
            raise Refusal("ticket_used", ticket.state)
        return ticket

    def _step(self, ticket: Ticket, event: TicketEvent) -> Ticket:
        state = TRANSITIONS.get((ticket.state, event))
        if state is None:
            raise Refusal("ticket_used", f"{event} does not apply to a ticket that is {ticket.state}")
        return changed(ticket, state=state)

    def _keep(self, ticket: Ticket) -> Ticket:
        assert ticket.id in self._tickets
        self._tickets[ticket.id] = ticket
        return ticket

    def _forget_oldest(self) -> None:
        closed = [ticket.id for ticket in self._tickets.values() if ticket.state in FINAL_STATES]
        for ticket_id in closed[: max(0, len(closed) - MAX_CLOSED_TICKETS)]:
            del self._tickets[ticket_id]


def _named(operator: str) -> str:
    name = clean(operator, 80).strip()
    if not name or name.startswith(RULE_PREFIX):
        raise Refusal("operator_required", "a person's name; rules sign for themselves")
    return name


def _is_over(ticket: Ticket, moment: Moment) -> bool:
    return moment.now_ns >= ticket.expires_ns or moment.monotonic_ns >= ticket.expires_monotonic_ns


def _is_size(typed: str | None, quantity: Decimal) -> bool:
    try:
        return typed is not None and Decimal(typed.strip()) == quantity
    except InvalidOperation:
        return False


def _revised(ticket: Ticket, preflight: Preflight, moment: Moment, limits_epoch: int) -> Ticket:
    version = ticket.version + 1
    return changed(
        ticket,
        version=version,
        checks=preflight.checks,
        allowed=preflight.allowed,
        needs_typed_size=preflight.has_warning,
        limits_epoch=limits_epoch,
        hash=ticket_hash(ticket.id, version, ticket.intent, preflight.checks, ticket.epoch, limits_epoch),
        changed_monotonic_ns=moment.monotonic_ns,
    )
