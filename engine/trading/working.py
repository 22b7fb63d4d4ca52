"""One working order: its confirmed status beside the request in flight."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from engine.store.rows import OrderRecord
from safety.intent import PERSON
from venues.contract import Signed
from venues.types import TERMINAL, OrderRequest, OrderStatus, Record

ZERO = Decimal(0)
MANUAL = f"{PERSON}:manual"
"""The strategy of an order that somebody placed by hand at the venue, and an operator adopted."""


class Sent(Record):
    """What is durable before the first byte leaves: the request, its exact bytes, and by which ticket.

    `epoch` is the engine start that made it.
    """

    request: OrderRequest
    signed: Signed
    ticket_hash: str
    epoch: int
    lane: int
    is_flatten: bool


@dataclass
class ManagedOrder:
    """One order: its confirmed status, and the request in flight (none, submit, cancel)."""

    request: OrderRequest
    ticket_id: str
    venue: str
    account: str
    strategy: str
    session_id: str
    lane: int
    intent_id: str
    created_ns: int
    is_flatten: bool = False
    """Part of an operator's flatten: the one thing every hold lets through besides cancels."""
    ticket_hash: str = ""
    epoch: int = 0
    signed: Signed | None = None
    status: OrderStatus = OrderStatus.SUBMITTING
    pending: str = "submit"
    venue_order_id: str = ""
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    reason: str = ""
    durable_ns: int = 0
    sent_ns: int = 0
    acked_ns: int = 0
    done_ns: int = 0
    closing: Decimal | None = None
    """The venue said that it ended with this much filled; fills up to there are still to come."""
    closing_reason: str = ""
    told: Decimal = ZERO
    """How much of it the venue says is filled; more than `filled` while its lists of fills lag behind."""
    asked_ns: int = 0
    """When the venue was last asked about it, in doubt or because a person wished it; 0: never."""
    heard: str = ""
    """What came of that question."""
    admitted_ns: int = 0
    """When its nonce was proved used, by the venue's clock; 0 while that is open."""

    @property
    def is_whole(self) -> bool:
        """Tell whether every execution of it is booked."""
        return self.filled >= self.request.quantity

    @classmethod
    def from_row(cls, row: OrderRecord) -> ManagedOrder:
        """Rebuild an order from the record. Raises `ValueError` where the record cannot be read."""
        try:
            sent = msgspec.json.decode(row.payload, type=Sent)
        except msgspec.MsgspecError as error:
            raise ValueError(f"order {row.client_order_id} cannot be read: {error}") from error
        return cls(
            request=sent.request,
            ticket_id=row.ticket_id,
            venue=row.venue,
            account=row.account,
            strategy=row.strategy,
            session_id=row.session_id,
            lane=sent.lane,
            intent_id=row.intent_id,
            created_ns=row.created_ns,
            is_flatten=sent.is_flatten,
            ticket_hash=sent.ticket_hash,
            epoch=sent.epoch,
            signed=sent.signed,
            status=row.status,
            pending=row.pending,
            venue_order_id=row.venue_order_id,
            filled=row.filled,
            paid=(row.average_price or ZERO) * row.filled,
            reason=row.reason,
            durable_ns=row.durable_ns or row.created_ns,
            sent_ns=row.sent_ns,
            acked_ns=row.acked_ns,
            done_ns=row.done_ns,
        )

    @property
    def order_id(self) -> str:
        return self.request.client_order_id

    @property
    def is_manual(self) -> bool:
        """Tell whether it was placed by hand at the venue and adopted: no ticket, no bytes of ours."""
        return self.strategy == MANUAL

    @property
    def is_alive(self) -> bool:
        """Tell whether the order may still act at the venue (UNKNOWN ones included)."""
        return self.status not in TERMINAL

    @property
    def remaining(self) -> Decimal:
        return max(ZERO, self.request.quantity - self.filled)

    @property
    def average_price(self) -> Decimal | None:
        return self.paid / self.filled if self.filled else None
