"""What the sandbox knows of every order it was sent, and the whole venue as data."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from venues.sandbox.account import AccountState
from venues.types import Fill, OrderRequest, OrderStatus, Record, VenueOrder

STATE_VERSION = 1


class JournalEntry(Record):
    """Everything the venue knows about one `client_order_id`.

    `received` counts identical requests; `accepted_ns` is the venue's clock, `placed_ns` and `acts_ns`
    market time: when it arrived, and from when on it may execute.
    """

    request: OrderRequest
    venue_order_id: str
    status: OrderStatus
    filled: Decimal
    received: int
    accepted_ns: int
    placed_ns: int
    refused_code: str = ""
    refused_message: str = ""
    acts_ns: int = 0
    parts: int = 0
    """How many executions it has had."""


class SandboxState(Record):
    """The whole venue as data: what `export_state` writes and `import_state` reads."""

    version: int
    account: AccountState
    journal: tuple[JournalEntry, ...]
    fills: tuple[Fill, ...]
    marks: dict[str, float]
    market_ns: int
    attempts: int


def changed(entry: JournalEntry, **changes: OrderStatus | Decimal | int) -> JournalEntry:
    """Return a copy; the library's own type for `replace` does not know derived structs."""
    changed: JournalEntry = msgspec.structs.replace(entry, **changes)  # type: ignore[type-var]
    return changed


def as_venue_order(entry: JournalEntry) -> VenueOrder:
    """Return an order as the venue tells of it."""
    request = entry.request
    return VenueOrder(
        client_order_id=request.client_order_id,
        venue_order_id=entry.venue_order_id,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        filled=entry.filled,
        status=entry.status,
        limit_price=request.limit_price,
    )
