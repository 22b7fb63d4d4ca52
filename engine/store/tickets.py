"""Tickets and the decisions of people about them; a ticket is decided once."""

from __future__ import annotations

from sqlalchemy import select

from engine.store.link import Link
from engine.store.rows import ApprovalRecord, TicketRecord
from engine.store.tables import APPROVALS, TICKETS


class TicketRows:
    """The ticket book of record."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def save_ticket(self, ticket: TicketRecord) -> None:
        """Write a ticket at its present version, new or known."""
        self._link.put(TICKETS, "ticket_id", ticket)

    def record_approval(self, approval: ApprovalRecord, ticket: TicketRecord) -> None:
        """Record a decision and the ticket after it. Raises `StoreConflict` where it was decided before."""
        assert approval.ticket_id == ticket.ticket_id
        with self._link.transaction():
            self.save_ticket(ticket)
            self._link.add(APPROVALS, approval)

    def ticket(self, ticket_id: str) -> TicketRecord | None:
        return self._link.row(select(TICKETS).where(TICKETS.c.ticket_id == ticket_id), TicketRecord)

    def tickets_undecided(self) -> list[TicketRecord]:
        """Return the tickets nobody decided, by expiry; a restart must expire or re-check them."""
        query = select(TICKETS).where(TICKETS.c.decided_ns == 0)
        return self._link.rows(query.order_by(TICKETS.c.expires_ns, TICKETS.c.ticket_id), TicketRecord)
