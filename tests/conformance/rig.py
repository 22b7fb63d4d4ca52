"""What the suite needs of one venue beside its adapter: a double that can be funded, spoilt and looked into.

A rig is written once for each venue (`tests/conformance/rigs`); the cases know nothing but this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from seams.clock import NS_PER_S, Clock
from seams.http import Response, encode_response
from seams.virtual import VirtualClock, VirtualLoop
from seams.wire import MayLeave, Unsent, always
from venues.contract import LiveVenue
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.programs import HTML, Fault, Program, Strike
from venues.sandbox.pushes import PushStrike
from venues.sandbox.web import Peer
from venues.types import Record, Side

BID, ASK = 60_000.0, 60_010.0
"""Where every market of the suite stands at first."""
CASH_USD = Decimal(1_000_000)


class Call(StrEnum):
    """What a fault may meet, by what it is asked for."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    FENCE = "fence"
    TIME = "time"
    QUERY = "query"
    OPEN = "open_orders"
    FILLS = "fills"
    ACCOUNT = "account"


class Who(StrEnum):
    """For whom an adapter is made."""

    DESK = "desk"
    AGAIN = "again"  # the same desk after its engine died
    OTHER_DESK = "other_desk"  # another home on the same account, whose names count from one again
    BYSTANDER = "bystander"  # another account
    POWERLESS = "powerless"  # a key that may not open orders for this account
    FORGED = "forged"  # the key's name with another secret
    SUB = "sub"  # a sub-account of the account


class Halt(StrEnum):
    """What is closed."""

    NOTHING = "nothing"
    VENUE = "venue"
    MARKET = "market"
    ENTRIES = "entries"  # cancels pass, and nothing else; only where the venue says such a thing itself
    TAKERS = "takers"  # only what rests is taken; likewise


class Terms(Record):
    """What a venue's market is like. `codes`: what the suite calls a refusal -> the adapter's reason code."""

    symbol: str
    other: str
    lot: Decimal
    too_small: Decimal
    codes: dict[str, str]
    secret: str
    account: str


class Truth(NamedTuple):
    """One order as the double itself knows it."""

    side: Side
    quantity: Decimal
    price: Decimal
    filled: Decimal
    is_live: bool

    @property
    def has_acted(self) -> bool:
        return self.is_live or self.filled > 0


class Shifted:
    """A venue's clock: ours, and so much more."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.ahead_s = clock, 0.0

    def now_ns(self) -> int:
        return self._clock.now_ns() + round(self.ahead_s * NS_PER_S)

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class Tap(PeerCaller):
    """A way to a peer that keeps what has left, and that the suite can cut or answer for."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        super().__init__(peer, clock)
        self.left: list[bytes] = []
        self.is_down = False

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        def leave() -> bool:
            may = may_leave()
            if may:
                self.left.append(body)
            return may

        if self.is_down and self.is_up:
            if not leave():
                raise Unsent("the gate closed before the first byte")
            return encode_response(Response(503, {"content-type": "text/html"}, HTML))
        return await super().call(body, timeout_s, leave)


class Rig(ABC):
    """One venue's double in the virtual world of one case, and ways to it. Prices are USD, sizes base."""

    terms: Terms
    market_says_bars = True

    def __init__(self, loop: VirtualLoop, *, is_limited: bool) -> None:
        """`is_limited`: the venue's request budget is real; otherwise the case has no use for one."""
        self.clock, self.is_limited = VirtualClock(loop), is_limited
        self.venue_clock = Shifted(self.clock)

    # --- the adapter ----------------------------------------------------------------------------------

    @abstractmethod
    def adapter(self, who: Who) -> LiveVenue:
        """Return a new adapter, not started. Raises `ValueError` where such a key makes none."""

    # --- the market -----------------------------------------------------------------------------------

    @abstractmethod
    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        """Let the market stand here; resting orders in the way are filled."""

    @abstractmethod
    def hit(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Let somebody else trade `quantity` against our best resting order of `side` at `price`."""

    async def settle(self) -> None:
        """Let what was just done reach everybody."""
        await self.clock.sleep(0.05)

    def shallow(self, quantity: Decimal) -> None:
        """Let no more than this be had at the best price. A venue whose street is thin needs nothing."""
        del quantity

    # --- faults ---------------------------------------------------------------------------------------

    @abstractmethod
    def strike(self, call: Call, strike: Strike, *, nth: int = 1, value: float = 0.0, text: str = "") -> None:
        """Let the nth such request from now meet a fault."""

    @abstractmethod
    def push(self, strike: PushStrike, *, nth: int = 1) -> None:
        """Let the nth message about our own orders from now meet a fault."""

    def beat(self) -> None:  # noqa: B027 - a venue may need nothing
        """Let the venue do what it does by the clock, where it needs to be told."""

    def lose_balances(self) -> None:
        """Let the next message about our balances be lost."""
        raise NotImplementedError(f"{self.terms.symbol}'s venue pushes no balances")

    @abstractmethod
    def garble(self) -> None:
        """Let the next message about the market be rubbish."""

    @abstractmethod
    def cut(self, is_cut: bool) -> None:
        """Cut the way of requests, or mend it."""

    @abstractmethod
    def break_streams(self) -> None:
        """Let the venue close every stream."""

    @abstractmethod
    def halt(self, what: Halt) -> None:
        """Close the venue or the market for new orders, or open both."""

    def hush(self) -> None:
        """Let the venue's next word about itself be lost on every connection."""
        raise NotImplementedError(f"{self.terms.symbol}'s venue says nothing of itself")

    @abstractmethod
    def lag(self, seconds: float) -> None:
        """Let lists and lookups be so much behind from now on."""

    @abstractmethod
    def refusal(self, text: str) -> str:
        """Return the venue's refusal of an order with a text that nobody has listed, as its answer's body."""

    @abstractmethod
    def hollow(self) -> str:
        """Return a well-formed success that does not say what became of the order, as an answer's body."""

    # --- what is true ---------------------------------------------------------------------------------

    @abstractmethod
    def sent(self) -> list[bytes]:
        """Return every order (or change of one) that left for the venue, as its exact bytes."""

    @abstractmethod
    def truths(self, name: str) -> list[Truth]:
        """Return every order of our desk under this name, refused ones left out."""

    @abstractmethod
    def live(self) -> int:
        """Return how many orders of our account are working, whoever placed them."""

    @abstractmethod
    def held(self) -> Decimal:
        """Return our account's signed position in the terms' symbol."""

    # --- other hands ----------------------------------------------------------------------------------

    @abstractmethod
    def foreign(self, price: Decimal = Decimal(58_000)) -> None:
        """Let a person place a resting purchase of 0.02 by hand in our account."""

    async def hour(self) -> None:
        """Let an hour pass, with whatever the venue does at its end."""
        await self.clock.sleep(3_601)

    def seize(self) -> None:
        """Let the venue take our position by itself (liquidation, deleveraging)."""
        raise NotImplementedError(f"{self.terms.symbol} cannot be taken away")


class PeerRig(Rig):
    """A rig of a venue whose double is a `Peer` in this process."""

    calls: dict[Call, str]
    own_channel: str
    """What the double calls its messages about our orders."""

    def connect(self, peer: Peer, program: Program) -> None:
        """Make the ways to the double."""
        self.peer, self.program = peer, program
        self.tap = Tap(peer, self.clock)

    def link(self, door: str, path: str) -> PeerLink:
        return PeerLink(self.peer, door, path, self.clock)

    def strike(self, call: Call, strike: Strike, *, nth: int = 1, value: float = 0.0, text: str = "") -> None:
        self.program.add(Fault(nth=nth, on=self.calls[call], strike=strike, value=value, text=text))

    def cut(self, is_cut: bool) -> None:
        self.tap.is_up = not is_cut
