"""What the engine may ask of a venue, and what may come back.

Errors say what the caller may do: `Retryable` (nothing happened), `Refused` (proved, with a code),
`OutcomeUnknown` (it may have happened: never send anew to find out).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from seams.wire import MayLeave, always
from venues.types import (
    AccountSnapshot,
    CashEvent,
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


class Busy(Retryable):
    """Not sent: our own count of the venue's request budget has no room now; in `wait_s` there should be."""

    def __init__(self, message: str, wait_s: int = 0) -> None:
        super().__init__(f"try again in {wait_s} s: {message}" if wait_s else message)
        self.wait_s = wait_s


class Refused(VenueError):
    """The venue, or our own check, said no; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class OutcomeUnknown(VenueError):
    """Sent, and not answered: the order is UNKNOWN until venue evidence or an operator ends that."""


class AlreadySeen(OutcomeUnknown):
    """The venue has met these bytes (their nonce) before: what became of them must be asked."""


class Signed(Record):
    """One order as the exact bytes for its venue. Only these bytes may ever be sent again (I3).

    After `valid_until_ns` of the venue's clock they can no longer be admitted; 0 means no such bound.
    """

    client_order_id: str
    nonce: int
    valid_until_ns: int
    wire: bytes


class Fence(StrEnum):
    """What asking the venue to burn an order's nonce proved: it can never act, or it was admitted."""

    DEAD = "dead"
    ADMITTED = "admitted"


class Trading(StrEnum):
    """How far a venue trades as a whole."""

    OPEN = "open"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    CANCEL_ONLY = "cancel_only"
    MAINTENANCE = "maintenance"


class Capabilities(Record):
    """What this venue can do natively; what it cannot is done, and labelled, by the engine."""

    venue: str
    has_reduce_only: bool
    has_native_stop: bool
    has_dead_man_switch: bool
    has_test_order: bool
    has_fence: bool = False
    """A used-up nonce proves that the order which carried it can never act."""
    has_expiry: bool = False
    """The venue refuses bytes after their `valid_until_ns`."""
    lookup_lag_ns: int = 0
    """For how long an order that exists may be missing from the venue's answers."""
    has_replace: bool = False
    """An order can be changed by one request that puts another in its place."""
    has_funding: bool = False
    """Positions pay or earn by the clock; the adapter is a `CashTeller`."""
    has_sub_accounts: bool = False
    """A key can act for a sub-account or vault that its account leads."""
    has_request_budget: bool = False
    """The venue counts requests; the adapter keeps questions below that count, for orders and cancels."""
    has_state_channel: bool = False
    """The venue says how far it trades, and pushes changes; the adapter is a `StateTeller`."""
    has_pushed_balances: bool = False
    """The stream says what the account holds; the adapter is a `BalanceTeller`."""
    pays_in_full: bool = False
    """Spot: a purchase takes its whole price out of the cash balance at once, a sale brings it back."""
    outlives_engine: bool = True
    """False only for the embedded paper venue, which dies with its process."""


OrderListener = Callable[[OrderEvent], None]
LinkListener = Callable[[bool], None]
"""Called with True when the event stream is whole again after a gap, with False when it is not."""


class VenueAdapter(Protocol):
    """One venue, one account, one signing key. `submit` writes at most once and never retries."""

    @property
    def name(self) -> str: ...

    @property
    def signer(self) -> str:
        """The public name of the signing key: nonces are counted for it."""
        ...

    def capabilities(self) -> Capabilities: ...

    def instruments(self) -> Sequence[Instrument]: ...

    def on_order_event(self, listener: OrderListener) -> None:
        """Register the one listener for acknowledgements, rejects, fills and cancels."""
        ...

    def on_link(self, listener: LinkListener) -> None:
        """Register the one listener for the state of the event stream."""
        ...

    def start(self) -> None:
        """Open the event stream and keep it open; both listeners are registered."""
        ...

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        """Encode and sign; no I/O, so that the bytes can be durable before the first one leaves."""
        ...

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        """Send these bytes once, if `may_leave` says so in the step of the first byte (`Retryable` if not).
        Raises `Retryable`, `Refused`, `AlreadySeen` or `OutcomeUnknown`; events
        come to the listener. Called again with the same bytes it is still the same order."""
        ...

    async def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel; the proof comes to the listener."""
        ...

    async def fence(self, signed: Signed) -> Fence:
        """Burn the order's nonce if it is unused. Raises `Retryable` or `OutcomeUnknown`."""
        ...

    async def time_ns(self) -> int:
        """Return the venue's clock. Raises `Retryable` or `OutcomeUnknown`."""
        ...

    async def query(self, client_order_id: str) -> VenueOrder | None:
        """Ask what the venue knows; None means it knows no such order (now): never a proof by itself."""
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


Taker = Callable[[MarketEvent], bool]
"""Takes an event now, or returns False: then it waits its turn among the feed's events."""


@runtime_checkable
class HandingFeed(Feed, Protocol):
    """A feed that can tell an event in the step that brought it, without waiting for its reader's turn."""

    def hand_over(self, taker: Taker | None) -> None:
        """Offer `taker` each event while none waits before it; what it leaves comes by `events`. None ends
        it."""


@runtime_checkable
class MarketSource(Protocol):
    """A venue's adapter that also tells its market."""

    @property
    def name(self) -> str: ...

    def on_market(self, listener: Callable[[MarketEvent], None]) -> None:
        """Tell `listener` every market event, until `off_market`."""
        ...

    def off_market(self, listener: Callable[[MarketEvent], None]) -> None:
        """Tell `listener` no more; harmless where it was not told."""
        ...


@runtime_checkable
class CashTeller(Protocol):
    """A venue's adapter that can say which cash moved without a trade (funding)."""

    async def cash_events_since(self, since_ns: int) -> Sequence[CashEvent]:
        """Return every such event from a time on, oldest first."""
        ...


@runtime_checkable
class EndTeller(Protocol):
    """A venue's adapter that can list past orders, beside `query`: a dearer question, asked before an order
    counts as never placed."""

    async def past_order(self, client_order_id: str) -> VenueOrder | None:
        """Return an order as that list shows it; None where it lacks it. Raises `VenueError`."""
        ...


@runtime_checkable
class StreamTeller(Protocol):
    """An adapter whose venue tells orders, fills and prices by a stream beside its answers."""

    is_up: bool
    """The stream is whole, and all that an order needs is known."""


@runtime_checkable
class StateTeller(Protocol):
    """A venue's adapter that hears how far the venue trades, and refuses entries that it would refuse."""

    @property
    def trading(self) -> Trading:
        """What the venue last said; no I/O."""
        ...

    async def ask_trading(self) -> Trading:
        """Ask anew, and take the answer over. Raises `VenueError`."""
        ...


class Pushed(Record):
    """What a venue's stream says of an account: cash in USD and signed holdings by our symbols.

    `whole_ns` is when it last told all of it, on the monotonic clock.
    """

    cash_usd: Decimal
    held: dict[str, Decimal]
    whole_ns: int


@runtime_checkable
class BalanceTeller(Protocol):
    """A venue's adapter whose stream says what the account holds: a second source beside `account`."""

    def pushed(self) -> Pushed | None:
        """Return what was last heard; None while nothing whole is. No I/O."""
        ...

    def push_anew(self) -> None:
        """Let the stream tell all of it again, if it does not do so by itself."""
        ...


@runtime_checkable
class Recaller(Protocol):
    """A venue's adapter whose cancels name more than the order, and which can be told that."""

    def recall(self, request: OrderRequest) -> None:
        """Know an order that this process did not sign (an earlier engine's, or an adopted one), so that its
        cancel needs no question; no I/O."""
        ...


@runtime_checkable
class LiveVenue(VenueAdapter, MarketSource, Protocol):
    """What a live engine trades on: an adapter that tells its market and can cancel everything."""

    async def cancel_all(self) -> None:
        """Ask for the cancel of every working order of the account, whoever placed it."""
        ...

    async def cancel_all_after(self, seconds: int) -> str:
        """Arm (0: disarm) the venue's own dead man's switch: unless armed anew it cancels everything on the
        account, once. Returns when, in the venue's words. Raises `Refused` (`dead_man_unsupported`, or the
        venue's reason) where it is not armed."""
        ...

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        """Encode and sign an order that takes the place of a working one; `submit` sends it.

        The old order's end is told by an event of its own, also where the venue refuses the new one: ask
        for both. A venue without `has_replace` refuses in `submit` (`replace_unsupported`) and sends nothing.
        """
        ...
