"""Actions as they arrive: typed, so that what is hashed is the venue's own form and not the sender's JSON.

The real server does the same: reordered keys, an upper-case cloid or a padded number hash to what an SDK
would have signed. Field order here is the SDK's key order (venues.md 3.4); an absent flag is absent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from venues.hyperliquid.precision import wire

Number = Annotated[str, msgspec.Meta(pattern=r"^-?\d{1,20}(\.\d{1,20})?$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Cloid = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{32}$")]


class Limit(msgspec.Struct):
    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]


class TriggerOf(msgspec.Struct):
    isMarket: bool
    triggerPx: Number
    tpsl: Literal["tp", "sl"]


class Kind(msgspec.Struct, omit_defaults=True):
    limit: Limit | None = None
    trigger: TriggerOf | None = None


class OrderWire(msgspec.Struct, omit_defaults=True):
    a: int
    b: bool
    p: Number
    s: Number
    r: bool
    t: Kind
    c: Cloid | None = None


class Builder(msgspec.Struct):
    b: Address
    f: int


class Place(msgspec.Struct, tag="order", omit_defaults=True):
    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"]
    builder: Builder | None = None


class CancelItem(msgspec.Struct):
    a: int
    o: int


class Cancel(msgspec.Struct, tag="cancel", omit_defaults=True):
    cancels: list[CancelItem]
    f: bool = False


class CloidItem(msgspec.Struct):
    asset: int
    cloid: Cloid


class CancelByCloid(msgspec.Struct, tag="cancelByCloid", omit_defaults=True):
    cancels: list[CloidItem]
    f: bool = False


class ModifyItem(msgspec.Struct):
    oid: int | Cloid
    order: OrderWire


class BatchModify(msgspec.Struct, tag="batchModify", omit_defaults=True):
    modifies: list[ModifyItem]
    a: bool = False


class Modify(msgspec.Struct, tag="modify", omit_defaults=True):
    oid: int | Cloid
    order: OrderWire
    a: bool = False


class ScheduleCancel(msgspec.Struct, tag="scheduleCancel", omit_defaults=True):
    time: int | None = None


class UpdateLeverage(msgspec.Struct, tag="updateLeverage"):
    asset: int
    isCross: bool
    leverage: int


class UpdateIsolatedMargin(msgspec.Struct, tag="updateIsolatedMargin"):
    asset: int
    isBuy: bool
    ntli: int


class Noop(msgspec.Struct, tag="noop"):
    pass


class ReserveRequestWeight(msgspec.Struct, tag="reserveRequestWeight"):
    weight: int


class CreateSubAccount(msgspec.Struct, tag="createSubAccount"):
    name: str


class SubAccountTransfer(msgspec.Struct, tag="subAccountTransfer"):
    subAccountUser: Address
    isDeposit: bool
    usd: int


class ApproveAgent(msgspec.Struct, tag="approveAgent", omit_defaults=True):
    """User-signed: only a master key can make it."""

    signatureChainId: str
    hyperliquidChain: Literal["Mainnet", "Testnet"]
    agentAddress: Address
    nonce: int
    agentName: str | None = None


Action = (
    Place
    | Cancel
    | CancelByCloid
    | BatchModify
    | Modify
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | Noop
    | ReserveRequestWeight
    | CreateSubAccount
    | SubAccountTransfer
    | ApproveAgent
)


class SignatureWire(msgspec.Struct):
    r: Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]
    s: Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]
    v: int


class Envelope(msgspec.Struct):
    """The body of a request to `/exchange`."""

    action: Action
    nonce: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    signature: SignatureWire
    vaultAddress: Address | None = None
    expiresAfter: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None = None


ENVELOPES = msgspec.json.Decoder(Envelope)


def numbers_of(action: Action) -> list[str]:
    """Return every decimal text of an action, for the eight-decimals rule."""
    orders: list[OrderWire] = []
    if isinstance(action, Place):
        orders = action.orders
    elif isinstance(action, BatchModify):
        orders = [item.order for item in action.modifies]
    elif isinstance(action, Modify):
        orders = [action.order]
    texts = [text for order in orders for text in (order.p, order.s)]
    return texts + [order.t.trigger.triggerPx for order in orders if order.t.trigger is not None]


def canonical(action: Action) -> dict[str, Any]:
    """Return an action in the form that is hashed: SDK key order, plain numbers, lower-case names.

    Raises `Imprecise` for a number beyond eight decimals.
    """
    made: dict[str, Any] = msgspec.to_builtins(action)
    _tidy(made)
    return made


def _tidy(value: Any) -> None:
    """Bring numbers and hexadecimal names into the one form, in place."""
    if isinstance(value, list):
        for item in value:
            _tidy(item)
        return
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in ("p", "s", "triggerPx"):
            value[key] = wire(Decimal(item))
        elif isinstance(item, str) and item[:2] == "0x":
            value[key] = item.lower()
        else:
            _tidy(item)


def count_of(action: Action) -> int:
    """Return how many orders or cancels an action carries: what budgets count."""
    for name in ("orders", "cancels", "modifies"):
        items = getattr(action, name, None)
        if items is not None:
            return len(items)
    return 1
