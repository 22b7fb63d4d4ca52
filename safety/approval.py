"""Tickets: an intent waits for a named person, who approves exactly the bytes that were shown.

Plain state; times are passed in. A ticket is approved at most once, never after its expiry (wall or
monotonic, the earlier one), never under another hash, and a restart rejects every open one.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

from safety.canonical import changed
from safety.deferral import put_back
from safety.facts import Preflight
from safety.intent import ExecutionIntent, IntentCategory
from safety.override import FirstSignature, overridden
from safety.reasons import Refusal
from safety.text import clean
from safety.ticket import (
    FINAL_STATES,
    NEEDS_TEXT,
    OPEN_STATES,
    REJECT_REASONS,
    REVIEWED_STATES,
    TRANSITIONS,
    ApprovalRule,
    Moment,
    Ticket,
    TicketEvent,
    TicketState,
    demand_same,
    is_over,
    is_size,
    named,
    revised,
    ticket_hash,
    worse_than,
)
from seams.clock import NS_PER_MS, NS_PER_S

__all__ = [
    "FINAL_STATES",
    "OPEN_STATES",
    "REJECT_REASONS",
    "TRANSITIONS",
    "ApprovalRule",
    "Moment",
    "Ticket",
    "TicketBook",
    "TicketEvent",
    "TicketState",
    "ticket_hash",
]

RESERVATION_NS = 30 * NS_PER_S
GRACE_NS = 500 * NS_PER_MS
CONFIRMED_WITHIN_NS = NS_PER_S
"""How long an order that went out may stay without a word from its venue before its ticket is UNKNOWN."""
DEFAULT_TTL_NS = 60 * NS_PER_S
MAX_OPEN_TICKETS = 200
MAX_CLOSED_TICKETS = 2000
APPROVING = frozenset(
    {
        TicketEvent.SELECT,
        TicketEvent.REVISE,
        TicketEvent.COSIGN,
        TicketEvent.APPROVE,
        TicketEvent.APPROVE_BY_RULE,
    }
)
"""What only `select`, `revise`, `approve` and `cosign` may bring about."""


class TicketBook:
    """All tickets of one engine."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}
        self._live: dict[str, Ticket] = {}
        """Those not in a final state, in the order of proposal; most have ended, and each order asks."""

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
        waiting = [ticket for ticket in self._live.values() if ticket.state in OPEN_STATES]
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
        proposed_by: str = "",
        why: str = "",
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
            mark_seen=intent.mark_price,
            proposed_by=proposed_by,
            why=clean(why),
        )
        self._tickets[ticket_id] = self._live[ticket_id] = ticket
        self._forget_oldest()
        return ticket

    def select(
        self,
        ticket_id: str,
        operator: str,
        moment: Moment,
        preflight: Preflight | None = None,
        limits_epoch: int | None = None,
        mark: Decimal | None = None,
    ) -> Ticket:
        """Reserve a ticket for one operator for 30 s and return it with the hash to approve.

        `preflight` is the re-run with fresh prices, `mark` the price it saw; where its checks differ the
        ticket gets a new version and hash. Raises `Refusal`: operator_required, unknown_ticket,
        ticket_expired, ticket_used, ticket_reserved.
        """
        operator = named(operator)
        ticket = self._alive(ticket_id, moment)
        _demand_free(ticket, operator, moment)
        ticket = self._step(ticket, TicketEvent.SELECT)
        ticket = changed(
            ticket,
            reviewer=operator,
            reserved_until_monotonic_ns=moment.monotonic_ns + RESERVATION_NS,
            reviewed_ns=moment.now_ns,
            mark_before=ticket.mark_seen,
            mark_seen=mark if mark is not None else ticket.mark_seen,
            altered=(),
            deferred_until_ns=0,
        )
        limits_epoch = ticket.limits_epoch if limits_epoch is None else limits_epoch
        if preflight is not None and (preflight.checks, limits_epoch) != (ticket.checks, ticket.limits_epoch):
            ticket = revised(ticket, preflight, moment, limits_epoch)
        return self._keep(ticket)

    def defer(self, ticket_id: str, operator: str, moment: Moment, seconds: float, why: str) -> Ticket:
        """Put a ticket back for a while; a review of it ends. Raises `Refusal` as `select` and `put_back`."""
        operator = named(operator)
        ticket = self._alive(ticket_id, moment)
        _demand_free(ticket, operator, moment)
        if ticket.state is TicketState.REVIEWING:
            ticket = changed(self._step(ticket, TicketEvent.RELEASE), reviewer="")
        return self._keep(put_back(ticket, operator, why, moment, seconds))

    def revise(
        self, ticket_id: str, preflight: Preflight, moment: Moment, limits_epoch: int, mark: Decimal | None
    ) -> Ticket | None:
        """Give a ticket under review a new version where a check now comes out worse, or where the limits
        changed; None where what was read still holds. Whoever reviews it must read it again.
        """
        ticket = self.get(ticket_id)
        is_same = not worse_than(ticket, preflight) and limits_epoch == ticket.limits_epoch
        if ticket.state is not TicketState.REVIEWING or is_same:
            return None
        ticket = changed(self._step(ticket, TicketEvent.REVISE), mark_before=ticket.mark_seen, mark_seen=mark)
        return self._keep(revised(ticket, preflight, moment, limits_epoch))

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
        first: FirstSignature | None = None,
    ) -> Ticket:
        """Approve exactly what `hash` names, once. With `first` a second person's `cosign` must follow.

        Raises `Refusal`: operator_required, unknown_ticket, ticket_used, ticket_expired, wrong_epoch,
        limits_changed, ticket_review_required (also: reserved by another, or the reservation lapsed),
        ticket_hash_mismatch, ticket_changed (less than 0.5 s ago), checks_failed, bad_confirmation,
        not_overridable, reason_required (an override says why).
        """
        operator = named(operator)
        ticket = self._alive(ticket_id, moment)
        is_mine = ticket.reviewer == operator and ticket.reserved_until_monotonic_ns > moment.monotonic_ns
        if ticket.state is not TicketState.REVIEWING or not is_mine:
            raise Refusal("ticket_review_required", ticket_id)
        demand_same(ticket, hash, epoch, limits_epoch)
        if moment.monotonic_ns - ticket.changed_monotonic_ns < GRACE_NS:
            raise Refusal("ticket_changed", ticket_id)
        if not ticket.allowed:
            ticket = overridden(ticket, first)
        if (ticket.needs_typed_size or ticket.overridden) and not is_size(typed_size, ticket.intent.quantity):
            raise Refusal("bad_confirmation", "type the quantity exactly")
        if first is None:
            return self._approved(ticket, operator, moment)
        signed = changed(ticket, first_approver=operator, first_principal=first.principal)
        return self._keep(self._step(signed, TicketEvent.COSIGN))

    def cosign(
        self,
        ticket_id: str,
        hash: str,
        operator: str,
        principal: str,
        *,
        epoch: int,
        moment: Moment,
        limits_epoch: int | None = None,
    ) -> Ticket:
        """The second person approves exactly what the first one did; both names stand on the ticket.

        Raises `Refusal`: operator_required, unknown_ticket, ticket_used, ticket_expired, wrong_epoch,
        limits_changed, ticket_hash_mismatch, same_person (one name or one key twice, or its own author).
        """
        operator = named(operator)
        ticket = self._alive(ticket_id, moment)
        if ticket.state is not TicketState.COSIGNING:
            raise Refusal("ticket_review_required", f"{ticket_id} waits for no second person")
        demand_same(ticket, hash, epoch, limits_epoch)
        if operator == ticket.first_approver or (principal and principal == ticket.first_principal):
            raise Refusal("same_person", operator)
        if operator == ticket.proposed_by:
            raise Refusal("same_person", f"{operator} wrote the order")
        return self._approved(ticket, f"{ticket.first_approver}+{operator}", moment)

    def _approved(self, ticket: Ticket, by: str, moment: Moment) -> Ticket:
        after = self._step(ticket, TicketEvent.APPROVE)
        return self._keep(changed(after, approved_by=by, approved_ns=moment.now_ns, decided_ns=moment.now_ns))

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

    def reject(
        self, ticket_id: str, operator: str, digit: int, text: str = "", moment: Moment | None = None
    ) -> Ticket:
        """Reject an open ticket for one of the six reasons; the sixth needs a text."""
        operator = named(operator)
        ticket = self.get(ticket_id)
        if ticket.state not in OPEN_STATES:
            raise Refusal("ticket_used", ticket.state)
        said = clean(text)
        if digit not in REJECT_REASONS or (digit == NEEDS_TEXT and not said):
            raise Refusal("reason_required", "one digit of " + ", ".join(map(str, REJECT_REASONS)))
        reason = f"{REJECT_REASONS[digit]}: {said}" if said else REJECT_REASONS[digit]
        after = self._step(ticket, TicketEvent.REJECT)
        decided_ns = 0 if moment is None else moment.now_ns
        return self._keep(changed(after, closed_reason=f"{operator}: {reason}", decided_ns=decided_ns))

    def advance(
        self, ticket_id: str, event: TicketEvent, *, reason: str = "", moment: Moment | None = None
    ) -> Ticket:
        """Record what happened after approval (send, ack, fill, venue_reject, lose, or a withdrawal)."""
        ticket = self.get(ticket_id)
        if event in APPROVING:
            raise Refusal("ticket_review_required", "use select and approve")
        after = self._step(ticket, event)
        if event is TicketEvent.SEND and moment is not None:
            after = changed(after, sent_monotonic_ns=moment.monotonic_ns)
        return self._keep(changed(after, closed_reason=clean(reason)) if reason else after)

    def unconfirmed(self, moment: Moment) -> tuple[Ticket, ...]:
        """Return the tickets whose order went out a second ago and of which the venue has said nothing."""
        sent = [ticket for ticket in self._live.values() if ticket.state is TicketState.SENT]
        due_ns = moment.monotonic_ns - CONFIRMED_WITHIN_NS
        return tuple(ticket for ticket in sent if 0 < ticket.sent_monotonic_ns <= due_ns)

    def in_hand_of(self, operator: str) -> tuple[Ticket, ...]:
        """Return the tickets that one operator reviews, or has approved alone so far."""
        mine = [ticket for ticket in self._live.values() if ticket.state in REVIEWED_STATES]
        return tuple(ticket for ticket in mine if ticket.reviewer == operator)

    def expire(self, moment: Moment) -> tuple[Ticket, ...]:
        """Close every open ticket whose time is up, free lapsed reservations; returns the closed ones."""
        expired = []
        for ticket in self.open():
            if is_over(ticket, moment):
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
        self._live = {ticket.id: ticket for ticket in tickets if ticket.state not in FINAL_STATES}
        return self.reject_open("engine restarted")

    def _alive(self, ticket_id: str, moment: Moment) -> Ticket:
        ticket = self.get(ticket_id)
        if ticket.state is TicketState.EXPIRED or (ticket.state in OPEN_STATES and is_over(ticket, moment)):
            raise Refusal("ticket_expired", ticket_id)
        if ticket.state not in OPEN_STATES or ticket.state is TicketState.APPROVED:
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
        if ticket.state in FINAL_STATES:
            self._live.pop(ticket.id, None)  # for good: no step leads out of these
        else:
            self._live[ticket.id] = ticket
        return ticket

    def _forget_oldest(self) -> None:
        too_many = len(self._tickets) - len(self._live) - MAX_CLOSED_TICKETS
        if too_many > 0:
            closed = (ticket_id for ticket_id in self._tickets if ticket_id not in self._live)
            for ticket_id in list(islice(closed, too_many)):
                del self._tickets[ticket_id]


def _demand_free(ticket: Ticket, operator: str, moment: Moment) -> None:
    """Refuse a ticket that another operator has under review."""
    is_reserved = ticket.reserved_until_monotonic_ns > moment.monotonic_ns
    if ticket.state is TicketState.REVIEWING and ticket.reviewer != operator and is_reserved:
        raise Refusal("ticket_reserved", ticket.reviewer)
