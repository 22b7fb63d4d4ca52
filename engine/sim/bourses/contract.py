"""What a simulated world asks of an exchange: its truth, its market, and the way to it and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from engine.core import Core
from engine.sim.wires import SimWire
from venues.contract import LiveVenue
from venues.types import AccountSnapshot, Fill, Instrument, OrderRequest, OrderStatus

SAFETY_S = 45.0
LIVENESS_S = 24.0


class Entry(Protocol):
    """One order as the exchange keeps it."""

    @property
    def request(self) -> OrderRequest: ...

    @property
    def filled(self) -> Decimal: ...

    @property
    def status(self) -> OrderStatus: ...


class Truth(Protocol):
    """The exchange's own books, without lag, loss or fault; and what others do to the account there.

    Orders go by the engine's names; one that is not the engine's has a name of the exchange's.
    """

    @property
    def journal(self) -> Mapping[str, Entry]:
        """Every order that the exchange has taken or listed, by name."""
        ...

    def working(self) -> Sequence[Entry]:
        """Return every order that may still act."""
        ...

    def all_fills(self) -> Sequence[Fill]:
        """Return every execution, oldest first."""
        ...

    def mark(self, symbol: str) -> Decimal:
        """Return the last price of a symbol, 0 before the first."""
        ...

    async def account(self) -> AccountSnapshot: ...

    async def submit(self, request: OrderRequest) -> None:
        """Trade by hand on the account. Raises `VenueError` where the exchange refuses."""
        ...

    def move_cash(self, amount_usd: Decimal) -> None:
        """Book cash that comes or goes without a trade."""
        ...

    def move_position(self, symbol: str, quantity: Decimal) -> None:
        """Book a signed quantity that comes without a trade."""
        ...


class Lag(Protocol):
    """How old the exchange's lists are."""

    lag_ns: int


class Left(NamedTuple):
    """An order that left the engine, read from its bytes."""

    order: OrderRequest
    nonce: int


class Bourse(Protocol):
    """One exchange of one world. Nothing here helps the engine."""

    name: str
    safety_s: float
    liveness_s: float
    """How long the phases of a seed last: doubts of a slow venue take their time."""
    is_spot: bool
    """Purchases are paid in full, and there is no reduce-only on the wire: a sale is one."""
    refuses_locally: bool
    """The adapter may refuse an order before any byte of it leaves."""

    @property
    def venue(self) -> Truth: ...

    @property
    def exchange(self) -> Lag: ...

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What others trade here by hand: symbols, ticks, and lots of a size that is taken."""
        ...

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What must be nowhere but in the signer (I35)."""
        ...

    async def run_market(self) -> None:
        """Let prices move and orders match, for ever."""
        ...

    async def handle(self, body: bytes) -> bytes:
        """Let the exchange answer one request, or be in no mood for it."""
        ...

    def enter(self, number: int) -> tuple[LiveVenue, SimWire]:
        """Return the adapter of an incarnation, not yet started, and its wire."""
        ...

    def enter_guard(self, on_sent: Callable[[bytes], None]) -> tuple[LiveVenue, SimWire]:
        """Return the watchdog's adapter, which is never started, and its wire."""
        ...

    def learn_desk(self, core: Core) -> None:
        """Learn from a starting engine's record by which mark its order ids are told from others."""
        ...

    def left(self, frame: bytes) -> Left | None:
        """Return the order that a request places, None for any other."""
        ...

    def cancelled(self, frame: bytes) -> Sequence[str]:
        """Return the orders whose cancel a request asks for."""
        ...

    def asks_for_all(self, frame: bytes) -> bool:
        """Tell whether a request of the watchdog is for the cancel of everything that works."""
        ...

    def number(self, frame: bytes) -> int | None:
        """Return the number of a pushed frame in its stream; None where it has none."""
        ...

    def listening(self, adapter: object) -> int:
        """Return how many listen to the market through an adapter of this exchange."""
        ...

    def settle(self) -> None:
        """The faults stop: what is broken here is mended."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return how often each of this exchange's own faults struck."""
        ...
