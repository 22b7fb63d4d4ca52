"""The trading vocabulary that every floor above the kernel shares. No I/O.

Money and quantities are `Decimal`; times are UTC nanoseconds and end in `_ns`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, dataclass_transform

import msgspec

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
    class Record:
        """What the type checker sees: a frozen, keyword-only dataclass (msgspec's own declaration
        does not carry those defaults to subclasses)."""

        def __init_subclass__(cls, tag: str | None = None, omit_defaults: bool = False) -> None: ...

else:

    class _KeywordOnly(type(msgspec.Struct)):
        """msgspec passes `frozen` on to subclasses, but not `kw_only`."""

        def __new__(cls, name, bases, namespace, **options):
            options.setdefault("kw_only", True)
            return super().__new__(cls, name, bases, namespace, **options)

    class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, metaclass=_KeywordOnly):
        """Base of every message: frozen, keyword-only, unknown fields refused."""


class Mode(StrEnum):
    SIM = "sim"
    PAPER = "paper"
    DRY_LIVE = "dry_live"
    LIVE = "live"


class Environment(StrEnum):
    SANDBOX = "sandbox"
    TESTNET = "testnet"
    MAINNET = "mainnet"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    IOC = "ioc"
    GTC = "gtc"
    POST_ONLY = "post_only"


class OrderStatus(StrEnum):
    """What is proved about an order; UNKNOWN is a state and never ends by itself."""

    SUBMITTING = "submitting"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


TERMINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED})


class Instrument(Record):
    """What a venue says about one symbol."""

    symbol: str
    venue: str
    tick: Decimal
    lot: Decimal
    min_notional_usd: Decimal
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal


class Bar(Record):
    """One candle, keyed by its open time and known at its close."""

    symbol: str
    open_ns: int
    close_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class BarOpen(Record):
    """The first price of a new bar: what a market order decided at the last close fills at."""

    symbol: str
    open_ns: int
    price: float


class Quote(Record):
    """Best bid and offer of one symbol at one time."""

    symbol: str
    at_ns: int
    bid: float
    ask: float

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2.0


class FeedEnd(Record):
    """The feed has no more events (replay reached its end)."""

    reason: str


MarketEvent = Bar | BarOpen | Quote | FeedEnd


class OrderRequest(Record):
    """What goes to a venue, complete; `client_order_id` is ours, durable, and used once."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal
    time_in_force: TimeInForce
    reduce_only: bool
    mark_price: Decimal


class Accepted(Record, tag="accepted"):
    """The venue knows the order."""

    client_order_id: str
    venue_order_id: str
    at_ns: int


class Rejected(Record, tag="rejected"):
    """The venue proved that the order will never act."""

    client_order_id: str
    code: str
    message: str
    at_ns: int


class Forced(StrEnum):
    """Why a venue executed something that nobody ordered."""

    NOT = ""
    LIQUIDATION = "liquidation"
    DELEVERAGING = "deleveraging"
    SETTLEMENT = "settlement"


class Fill(Record, tag="fill"):
    """One execution; `fill_id` is the venue's and unique per venue and account."""

    fill_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    is_maker: bool
    at_ns: int
    forced: Forced = Forced.NOT


EXPIRED = "expired"
"""How the reason of an order's end begins where its time ran out: nobody cancelled it."""


def ran_out(reason: str) -> bool:
    """Tell whether the reason of an order's end says that its time ran out."""
    return reason.partition(":")[0] == EXPIRED


class Cancelled(Record, tag="cancelled"):
    """The venue confirms that the rest of the order is gone; `filled` is what it executed in all, where
    the venue says so (a fill may arrive after this message). `reason` begins with `EXPIRED` where it ran out
    of time."""

    client_order_id: str
    reason: str
    at_ns: int
    filled: Decimal | None = None


OrderEvent = Accepted | Rejected | Fill | Cancelled


class VenueOrder(Record):
    """An order as the venue reports it when asked."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    status: OrderStatus
    limit_price: Decimal = Decimal(0)
    """The worst price that it takes; 0 where the venue names none, as for a market order."""
    ended: str = ""
    """Why its rest is gone, in the venue's words, behind `EXPIRED` where it ran out of time; empty where
    nothing is or the venue does not say."""


class VenuePosition(Record):
    """A signed position as the venue reports it."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal


class CashEvent(Record):
    """Cash that the venue moved without a trade: in above 0, out below; `event_id` is unique per account."""

    event_id: str
    kind: str
    symbol: str
    amount_usd: Decimal
    at_ns: int


class AccountSnapshot(Record):
    """Balances and positions of one account at one time."""

    account_id: str
    cash_usd: Decimal
    equity_usd: Decimal
    positions: tuple[VenuePosition, ...]
    at_ns: int


class SignerType(StrEnum):
    """Whose key signs: the account's own, one that the venue's site made for it, or its agent's."""

    DIRECT = "direct"
    API_WALLET = "api_wallet"
    AGENT_WALLET = "agent_wallet"


class RoutingTarget(StrEnum):
    """What the orders are for: the account itself, or a sub-account or vault that it leads."""

    ACCOUNT = "account"
    SUBACCOUNT = "subaccount"
    VAULT = "vault"


class TransportPreference(StrEnum):
    REST = "rest"
    WEBSOCKET = "websocket"
    EITHER = "either"


class ExecutionContext(Record):
    """The account, signer and road that an order uses; it is part of what is approved."""

    execution_account_id: str
    signer_id: str
    signer_type: SignerType = SignerType.DIRECT
    routing_target: RoutingTarget = RoutingTarget.ACCOUNT
    transport_preference: TransportPreference = TransportPreference.EITHER
    expires_after_ns: int | None = None
    nonce_hint: int | None = None
