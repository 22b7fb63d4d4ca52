"""One working order: its confirmed status beside the request in flight."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from venues.types import TERMINAL, OrderRequest, OrderStatus

ZERO = Decimal(0)


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

    @property
    def order_id(self) -> str:
        return self.request.client_order_id

    @property
    def is_alive(self) -> bool:
        """Tell whether the order may still act at the venue (UNKNOWN ones included)."""
        return self.status not in TERMINAL

    @property
    def remaining(self) -> Decimal:
        return self.request.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        return self.paid / self.filled if self.filled else None
