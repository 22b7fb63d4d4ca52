"""What people do with tickets: look, approve, sign as the second, reject. The book decides; here it is done.

A person's decision is durable before anything follows from it: once in the audit chain, once in a table
that takes one decision for a ticket and no second one.
"""

from __future__ import annotations

from typing import TypeVar

from engine.api import commands as c
from engine.core import STORAGE_FAILURES, Core
from engine.desk import Desk
from engine.hand_orders import FormRefusal, by_hand, may_override, session_for
from engine.store.rows import ApprovalRecord
from engine.ticket_views import TicketSight, ticket_row
from engine.trading.rows import ticket_row as stored_row
from engine.trading.session import PaperSession
from safety.approval import Ticket, TicketEvent, TicketState
from safety.order_form import feedback
from safety.override import FirstSignature
from safety.reasons import Refusal
from safety.ticket import worse_than
from seams.clock import NS_PER_S
from venues.types import Record

B = TypeVar("B")
UNCONFIRMED = "ticket_unconfirmed"
MAX_AT_ONCE = 200


class TicketDesk:
    """The tickets of one engine, as people handle them."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self.core, self.desk = core, desk

    async def select(self, command: c.Command) -> Record:
        """Run the checks again at fresh prices, reserve the ticket, and show what an approval would mean."""
        body = _is(command.body, c.TicketSelect)
        ticket = self.core.tickets.get(body.ticket_id)
        session = self.desk.session_of_ticket(ticket)
        chosen = self.core.tickets.select(
            ticket.id,
            command.operator,
            self.core.moment(),
            session.judge(ticket.intent),
            self.core.limits.epoch,
            mark=session.ledger.holding(ticket.intent.symbol).mark_price,
        )
        self.core.store.tickets.save_ticket(stored_row(chosen))
        self.core.note("ticket_review", command.operator, f"{ticket.id} v{chosen.version}", hash=chosen.hash)
        return self._shown(chosen)

    async def approve(self, command: c.Command, principal: str) -> Record:
        """Approve what was seen; where two persons are needed the ticket then waits for the second."""
        body, core = _is(command.body, c.TicketApprove), self.core
        ticket = core.tickets.get(body.ticket_id)
        self.desk.session_of_ticket(ticket)
        if body.is_override and not core.settings.supervision.allows_override:
            raise Refusal("override_off", ticket.id)
        first = None
        if body.is_override or core.needs_second(ticket.intent.notional_usd):
            first = FirstSignature(
                principal=self._principal(principal), is_override=body.is_override, reason=command.reason
            )
        approved = core.tickets.approve(
            body.ticket_id,
            body.ticket_hash,
            command.operator,
            typed_size=None if body.typed_size is None else str(body.typed_size),
            epoch=core.epoch,
            moment=core.moment(),
            limits_epoch=core.limits.epoch,
            first=first,
        )
        if approved.state is TicketState.COSIGNING:
            core.store.tickets.save_ticket(stored_row(approved))
            why = (
                f"override of {', '.join(approved.overridden)}: {command.reason}" if body.is_override else ""
            )
            said = f"approved {_words(approved)}; a second person is needed {why}"
            policy = self.core.policies.of_ticket(approved)
            core.note("ticket_cosigning", command.operator, said, hash=approved.hash, policy=policy)
            return self._shown(approved)
        return await self._go(approved, command.operator, body.typed_size)

    async def submit(self, command: c.Command) -> Record:
        """Make a ticket of an order that a person wrote. Raises `FormRefusal` with what to correct."""
        body, core = _is(command.body, c.TicketSubmit), self.core
        wrong = feedback(body.order, "ticket_submit")
        if wrong is not None:
            raise FormRefusal(wrong)
        symbol = str(body.order["symbol"])
        session = session_for(self.desk, body.session_id, symbol)
        intent = by_hand(body.order, session, core.ids.new("M"), core.config_fingerprint)
        verdict = session.judge(intent)
        if not verdict.allowed and not may_override(core, verdict):
            raise Refusal("checks_failed", ", ".join(verdict.reasons))
        ticket = core.tickets.propose(
            core.ids.new("T"),
            intent,
            verdict,
            epoch=core.epoch,
            limits_epoch=core.limits.epoch,
            moment=core.moment(),
            ttl_ns=session.plan.ticket_ttl_ns,
            proposed_by=command.operator,
            why=f"by hand: {command.reason}",
        )
        session.counts.tickets += 1
        core.store.tickets.save_ticket(stored_row(ticket))
        core.note("ticket", command.operator, f"{_words(ticket)} by hand waits", ticket_id=ticket.id)
        return self._shown(ticket)

    async def cosign(self, command: c.Command, principal: str) -> Record:
        """Let the second person's signature send the ticket."""
        body, core = _is(command.body, c.TicketCosign), self.core
        approved = core.tickets.cosign(
            body.ticket_id,
            body.ticket_hash,
            command.operator,
            self._principal(principal),
            epoch=core.epoch,
            moment=core.moment(),
            limits_epoch=core.limits.epoch,
        )
        if approved.overridden:
            failed = ", ".join(approved.overridden)
            said = f"{_words(approved)} past {failed} by {approved.approved_by}: {approved.override_reason}"
            core.alarm("override_used", approved.id, "eng", said)
        return await self._go(approved, command.operator, None)

    async def _go(self, approved: Ticket, operator: str, typed_size: object) -> Record:
        """Write the decision down, then send. Raises `Refusal` where the last checks refuse."""
        core = self.core
        self._decided(approved, approved.approved_by, "approved", "", str(typed_size or ""))
        policy = core.policies.of_ticket(approved)
        said = f"approved {_words(approved)}"
        core.note("ticket_approved", operator, said, hash=approved.hash, policy=policy)
        order = await self.desk.session_of_ticket(approved).execute(approved)
        after = core.tickets.get(approved.id)
        if order is None:
            raise Refusal("checks_failed", after.closed_reason)
        return self._shown(after)

    async def defer(self, command: c.Command) -> Record:
        """Put a ticket back for a while; it expires when it would."""
        body, core = _is(command.body, c.TicketDefer), self.core
        ticket = core.tickets.defer(
            body.ticket_id, command.operator, core.moment(), body.seconds, command.reason
        )
        core.store.tickets.save_ticket(stored_row(ticket))
        left_s = (ticket.deferred_until_ns - core.clock.now_ns()) / NS_PER_S
        said = f"deferred {_words(ticket)} for {left_s:.0f} s: {ticket.deferred_why or 'no reason given'}"
        core.note("ticket_deferred", command.operator, said, ticket_id=ticket.id, hash=ticket.hash)
        return self._shown(ticket)

    async def reject(self, command: c.Command) -> Record:
        """Reject one ticket for one of the six reasons."""
        body = _is(command.body, c.TicketReject)
        self._reject(body.ticket_id, command.operator, body.reason_digit, body.text)
        return self._shown(self.core.tickets.get(body.ticket_id))

    async def reject_all(self, command: c.Command) -> Record:
        """Reject several tickets for one reason; one that cannot be keeps the next from nothing."""
        body = _is(command.body, c.TicketRejectAll)
        rejected: list[str] = []
        refused: list[tuple[str, str]] = []
        for ticket_id in dict.fromkeys(body.ticket_ids[:MAX_AT_ONCE]):
            try:
                self._reject(ticket_id, command.operator, body.reason_digit, body.text)
                rejected.append(ticket_id)
            except Refusal as refusal:
                refused.append((ticket_id, refusal.code))
        return c.RejectedAll(rejected=tuple(rejected), refused=tuple(refused))

    def _reject(self, ticket_id: str, operator: str, digit: int, text: str) -> None:
        core = self.core
        session = self.desk.session_of_ticket(core.tickets.get(ticket_id))
        closed = core.tickets.reject(ticket_id, operator, digit, text, core.moment())
        self._decided(closed, operator, "rejected", closed.closed_reason)
        session.refuse(closed, "ticket_rejected")
        session.counts.rejections += 1
        said, policy = f"rejected {closed.id}: {closed.closed_reason}", core.policies.of_ticket(closed)
        core.note("ticket_rejected", operator, said, policy=policy)

    def drop_reviewed(self, operator: str, why: str) -> tuple[str, ...]:
        """Reject what an operator had in hand: they lost the lease, or nobody is there any more."""
        dropped = []
        for ticket in self.core.tickets.in_hand_of(operator):
            closed = self.core.tickets.advance(ticket.id, TicketEvent.REJECT, reason=why)
            self.core.note("ticket_rejected", "eng", f"rejected {ticket.id}: {why}", ticket_id=ticket.id)
            entry = self.desk.running.get(ticket.intent.session_id)
            if entry is not None:
                entry.session.refuse(closed, "lease_required")
            self._save(closed, "eng")
            dropped.append(ticket.id)
        return tuple(dropped)

    def tend(self) -> None:
        """Once a second: revise what is under review, and call UNKNOWN what no venue has confirmed."""
        core = self.core
        for ticket in core.tickets.open():
            entry = self.desk.running.get(ticket.intent.session_id)
            if ticket.state is TicketState.REVIEWING and entry is not None:
                self._look_again(ticket, entry.session)
        for ticket in core.tickets.unconfirmed(core.moment()):
            lost = core.tickets.advance(ticket.id, TicketEvent.LOSE)
            self._save(lost, "")
            said = f"{_words(lost)}: the venue is silent; do not send it again, the engine asks by its own id"
            core.alarm(UNCONFIRMED, lost.id, "eng", said)
        for code, subject in sorted(core.standing):
            if code == UNCONFIRMED and not self._is_unknown(subject):
                core.calm(UNCONFIRMED, subject)

    def _is_unknown(self, ticket_id: str) -> bool:
        try:
            return self.core.tickets.get(ticket_id).state is TicketState.UNKNOWN
        except Refusal:
            return False

    def _look_again(self, ticket: Ticket, session: PaperSession) -> None:
        mark = session.ledger.holding(ticket.intent.symbol).mark_price
        verdict, core = session.judge(ticket.intent), self.core
        revised = core.tickets.revise(ticket.id, verdict, core.moment(), core.limits.epoch, mark)
        if revised is not None:
            self._save(revised, "")
            worse = ", ".join(worse_than(ticket, verdict)) or "other limits"
            said = f"{revised.id} v{revised.version}: {worse}"
            core.note("ticket_revised", "eng", said, hash=revised.hash)

    def _save(self, ticket: Ticket, by: str) -> None:
        now_ns = self.core.clock.now_ns() if by else 0
        try:
            self.core.store.tickets.save_ticket(stored_row(ticket, by, now_ns))
        except STORAGE_FAILURES as error:
            self.core.halt(error, ticket.id)

    def _decided(self, ticket: Ticket, operator: str, decision: str, reason: str, size: str = "") -> None:
        """Record a person's decision, durably and once. Raises `StoreConflict` for a second one."""
        core = self.core
        now_ns = core.clock.now_ns()
        record = ApprovalRecord(
            approval_id=core.ids.new("A"),
            ticket_id=ticket.id,
            ticket_hash=ticket.hash,
            operator=operator,
            decision=decision,
            reason=reason or ticket.override_reason,
            typed_size=ticket.intent.quantity if size else None,
            at_ns=now_ns,
        )
        core.store.tickets.record_approval(record, stored_row(ticket, operator, now_ns))

    def _principal(self, principal: str) -> str:
        if self.core.needs_two_persons and not principal:
            raise Refusal("principal_required")
        return principal

    def _shown(self, ticket: Ticket) -> Record:
        return ticket_row(ticket, TicketSight.of(self.core, self.desk.sessions))


def _words(ticket: Ticket) -> str:
    intent = ticket.intent
    return f"{ticket.id} {intent.side} {intent.quantity.normalize():f} {intent.symbol}"


def _is(body: object, kind: type[B]) -> B:
    assert isinstance(body, kind)
    return body
