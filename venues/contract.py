"""What the engine may ask of a venue, and what may come back.

Errors say what the caller may do: `Retryable` (nothing happened), `Refused` (proved, with a code),
`OutcomeUnknown` (it may have happened: never send anew to find out).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from venues.types import (
    AccountSnapshot,
    Fill,
    Instrument,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    Record,
    VenueOrder,
)


class VenueError(Exception):
    """Base of everything that a venue call may raise."""


class Retryable(VenueError):
    """Proved not to have reached the venue; the identical call may be made again."""


class Refused(VenueError):
    """The venue, or our own check, said no; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class OutcomeUnknown(VenueError):
    """Sent, and not answered: the order is UNKNOWN until venue evidence or an operator ends that."""


class Capabilities(Record):
    """What this venue can do natively; what it cannot is done, and labelled, by the engine."""

    venue: str
    has_reduce_only: bool
    has_native_stop: bool
    has_dead_man_switch: bool
    has_test_order: bool


OrderListener = Callable[[OrderEvent], None]


class VenueAdapter(Protocol):
    """One venue, one account. `submit` writes at most once and never retries."""

    @property
    def name(self) -> str: ...

    def capabilities(self) -> Capabilities: ...

    def instruments(self) -> Sequence[Instrument]: ...

    def on_order_event(self, listener: OrderListener) -> None:
        """Register the one listener for acknowledgements, rejects, fills and cancels."""
        ...

    async def submit(self, request: OrderRequest) -> None:
        """Send one order. Raises `Retryable`, `Refused` or `OutcomeUnknown`; events come to the listener."""
        ...

    async def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel; the proof comes to the listener."""
        ...

    async def query(self, client_order_id: str) -> VenueOrder | None:
        """Ask what the venue knows; None means it knows no such order (now)."""
        ...

    async def open_orders(self) -> Sequence[VenueOrder]: ...

    async def fills_since(self, since_ns: int) -> Sequence[Fill]: ...

    async def account(self) -> AccountSnapshot: ...

    async def close(self) -> None: ...


class Feed(Protocol):
    """Market events in time order; pacing and gaps are the feed's business."""

    @property
    def name(self) -> str: ...

    def events(self) -> AsyncIterator[MarketEvent]: ...
