"""What people do with tickets, with the operator lease, and as the second of two persons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from safety.approval import REJECT_REASONS as REJECT_REASONS
from venues.types import Record


class TicketSelect(Record, tag="ticket_select"):
    """Review: re-run the checks and reserve the ticket for this operator."""

    ticket_id: str


class TicketApprove(Record, tag="ticket_approve"):
    """Approve exactly what was seen: `ticket_hash` of the version reviewed; `typed_size` over a WARN.

    With `is_override` the failed checks are passed over, with the envelope's reason, once a second person
    has confirmed it.
    """

    ticket_id: str
    ticket_hash: str
    typed_size: Decimal | None = None
    is_override: bool = False


class TicketCosign(Record, tag="ticket_cosign"):
    """The second person approves what the first one did: exactly the ticket of this hash."""

    ticket_id: str
    ticket_hash: str


class TicketReject(Record, tag="ticket_reject"):
    """Reject with one of the reasons of `REJECT_REASONS` (by its digit) and an optional text."""

    ticket_id: str
    reason_digit: int
    text: str = ""


class TicketRejectAll(Record, tag="ticket_reject_all"):
    """Reject these tickets, for one reason. There is no such thing for approvals."""

    ticket_ids: tuple[str, ...]
    reason_digit: int
    text: str = ""


class TicketDefer(Record, tag="ticket_defer"):
    """Put a ticket back: others are read before it, it expires when it would; the envelope's reason may say
    why. `seconds` 0 is half of what is left of its life."""

    ticket_id: str
    seconds: float = 0


class OrderAsk(Record, tag="order_ask"):
    """Ask the venue again about exactly this order, by its own id. A question: nothing is sent again, signed
    again or burnt."""

    order_id: str


class OrderAsked(Record):
    """What was asked, when, what the venue said, and what the order is by it."""

    order_id: str
    venue: str
    asked_ns: int
    answered_ns: int
    said: str
    status: str
    filled: Decimal


class TicketSubmit(Record, tag="ticket_submit"):
    """An order by hand becomes a ticket of a running session. `order` is the form of `docs/policy.md`:
    figures as text; limit price and protective stop are mandatory (QT-10)."""

    order: dict[str, Any]
    session_id: str = ""
    """Empty: the only session that trades the symbol."""


class LeaseTake(Record, tag="lease_take"):
    """Take the operator lease for this console; from another person it needs a reason."""


class LeaseKeep(Record, tag="lease_keep"):
    """A key was pressed at the console that holds the lease."""


class LeaseGive(Record, tag="lease_give"):
    """Give the lease up; what is under review is rejected."""


class PairConfirm(Record, tag="pair_confirm"):
    """Sign a request for two persons: exactly the one of this hash (at least 8 characters of it)."""

    pair_id: str
    pair_hash: str


class PairRefuse(Record, tag="pair_refuse"):
    """Refuse a request for two persons; the envelope's reason says why."""

    pair_id: str


TicketBody = (
    TicketSelect
    | TicketApprove
    | TicketReject
    | TicketRejectAll
    | TicketCosign
    | TicketDefer
    | TicketSubmit
    | OrderAsk
)


class RejectedAll(Record):
    """Which tickets were rejected, and which were not, each with its reason code."""

    rejected: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


class LeaseHeld(Record):
    """The lease as it is now held; `left_ms` is what is left of it."""

    operator: str
    console: str
    left_ms: int
