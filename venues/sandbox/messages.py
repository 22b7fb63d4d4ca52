"""The sandbox exchange's wire format: tagged JSON, one request and one answer, and numbered pushes."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from venues.types import AccountSnapshot, Fill, MarketEvent, OrderEvent, OrderRequest, Record, VenueOrder

MAX_FRAME_BYTES = 1_000_000


class Place(Record, tag="place"):
    """One order. Its nonce is used up by the first copy that arrives, whatever becomes of it."""

    nonce: int
    valid_until_ns: int
    order: OrderRequest


class Noop(Record, tag="noop"):
    """Use a nonce up and do nothing: the fence."""

    nonce: int


class CancelOrder(Record, tag="cancel"):
    client_order_id: str


class CancelAll(Record, tag="cancel_all"):
    """Cancel every working order: the watchdog's one act."""


class Look(Record, tag="look"):
    client_order_id: str


class ListOpen(Record, tag="list_open"):
    """Ask for every working order."""


class ListFills(Record, tag="list_fills"):
    since_ns: int


class AskAccount(Record, tag="ask_account"):
    """Ask for balances and positions."""


class AskTime(Record, tag="ask_time"):
    """Ask for the exchange's clock."""


class Subscribe(Record, tag="subscribe"):
    """Ask for the stream: what follows on this connection are pushes, and empty lines as heartbeats."""


Body = Subscribe | Place | Noop | CancelOrder | CancelAll | Look | ListOpen | ListFills | AskAccount | AskTime


class Frame(Record):
    """A signed request: `signature` is HMAC-SHA256 over the body's exact bytes."""

    key: str
    signature: str
    body: msgspec.Raw


class Done(Record, tag="done"):
    at_ns: int


class Refusal(Record, tag="refusal"):
    code: str
    message: str
    at_ns: int


class Found(Record, tag="found"):
    order: VenueOrder | None
    at_ns: int


class OpenList(Record, tag="open_list"):
    orders: tuple[VenueOrder, ...]
    at_ns: int


class FillList(Record, tag="fill_list"):
    fills: tuple[Fill, ...]
    at_ns: int


class AccountIs(Record, tag="account"):
    snapshot: AccountSnapshot
    at_ns: int


Answer = Done | Refusal | Found | OpenList | FillList | AccountIs


class OrderPush(Record, tag="order"):
    """One order event; `seq` counts them from 1 without a gap."""

    seq: int
    event: OrderEvent


class MarketPush(Record, tag="market"):
    """One market event; the kind stands beside it, because market events carry no tag of their own."""

    kind: str
    event: msgspec.Raw


Push = OrderPush | MarketPush

ENCODER = msgspec.json.Encoder()
BODIES: msgspec.json.Decoder[Body] = msgspec.json.Decoder(Body)
FRAMES = msgspec.json.Decoder(Frame)
ANSWERS: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
PUSHES: msgspec.json.Decoder[Push] = msgspec.json.Decoder(Push)


def sign(secret: bytes, body: bytes) -> str:
    """Return the signature of a request's exact bytes."""
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def seal(key: str, secret: bytes, body: Body) -> bytes:
    """Return a signed request, complete."""
    raw = ENCODER.encode(body)
    return ENCODER.encode(Frame(key=key, signature=sign(secret, raw), body=msgspec.Raw(raw)))


def market_push(event: MarketEvent) -> bytes:
    """Return the frame that carries a market event."""
    raw = msgspec.Raw(ENCODER.encode(event))
    return ENCODER.encode(MarketPush(kind=type(event).__name__, event=raw))
