"""What the loopback Kraken keeps: orders, trades, accounts. Plain state; the rules are in `trading`."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from venues.sandbox.kraken.listing import Pair
from venues.types import Record, Side

ZERO = Decimal(0)


class KrakenError(Exception):
    """A refusal in the venue's own words, such as `EOrder:Insufficient funds`."""


class Status(StrEnum):
    """An order's status as REST says it."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"


ENDED = frozenset({Status.CLOSED, Status.CANCELED, Status.EXPIRED})


class NewOrder(Record):
    """One order as asked for, read and found well formed; `price` is a limit, `trigger` a stop's price."""

    pair: Pair
    side: Side
    ordertype: str
    volume: Decimal
    price: Decimal = ZERO
    trigger: Decimal = ZERO
    timeinforce: str = "GTC"
    is_post_only: bool = False
    fee_in_base: bool = False
    expire_ns: int = 0
    deadline_ns: int = 0
    userref: int | None = None
    cl_ord_id: str = ""
    is_validate_only: bool = False

    @property
    def is_stop(self) -> bool:
        return self.ordertype.startswith(("stop-loss", "take-profit"))

    @property
    def is_limit(self) -> bool:
        return self.ordertype == "limit" or self.ordertype.endswith("-limit")


@dataclass(slots=True)
class Order:
    """One order and all that has happened to it. `number` is its place among all orders that came."""

    number: int
    txid: str
    account: str
    asked: NewOrder
    open_ns: int
    volume: Decimal
    price: Decimal
    status: Status = Status.PENDING
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    close_ns: int = 0
    changed_ns: int = 0
    reason: str = ""
    is_triggered: bool = False
    is_amended: bool = False
    trades: list[str] = field(default_factory=list)

    @property
    def left(self) -> Decimal:
        return self.volume - self.filled

    @property
    def average(self) -> Decimal:
        return self.cost / self.filled if self.filled else ZERO


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution of one account."""

    trade_id: str
    number: int
    txid: str
    account: str
    pair: Pair
    side: Side
    ordertype: str
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade."""

    number: int
    pair: Pair
    side: Side
    price: Decimal
    quantity: Decimal
    is_market: bool
    at_ns: int


@dataclass(slots=True)
class Account:
    """One throw-away account: what it owns, and its dead man's timer."""

    name: str
    balances: dict[str, Decimal]
    volume_usd: Decimal = ZERO
    cancel_all_ns: int = 0
