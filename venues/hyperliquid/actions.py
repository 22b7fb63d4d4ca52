"""Actions of Hyperliquid as data, with the keys in the order that the venue hashes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from venues.hyperliquid.precision import wire
from venues.hyperliquid.signing import Action
from venues.types import TimeInForce

TIFS = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc", TimeInForce.POST_ONLY: "Alo"}


def order_wire(
    asset: int,
    *,
    is_buy: bool,
    price: Decimal,
    size: Decimal,
    tif: TimeInForce,
    reduce_only: bool = False,
    cloid: str | None = None,
) -> Action:
    """Return one order of an `order` or `batchModify` action."""
    made: Action = {
        "a": asset,
        "b": is_buy,
        "p": wire(price),
        "s": wire(size),
        "r": reduce_only,
        "t": {"limit": {"tif": TIFS[tif]}},
    }
    if cloid is not None:
        made["c"] = cloid
    return made


def place(orders: Sequence[Action]) -> Action:
    return {"type": "order", "orders": list(orders), "grouping": "na"}


def cancel(items: Sequence[tuple[int, int]]) -> Action:
    """Return a cancel of (asset, oid) pairs."""
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid} for asset, oid in items]}


def cancel_by_cloid(items: Sequence[tuple[int, str]]) -> Action:
    """Return a cancel of (asset, cloid) pairs."""
    return {"type": "cancelByCloid", "cancels": [{"asset": asset, "cloid": cloid} for asset, cloid in items]}


def modify(oid: int | str, order: Action) -> Action:
    """Return a change of one order, never with `a` (place even if the cancel failed)."""
    return {"type": "batchModify", "modifies": [{"oid": oid, "order": order}]}


def update_leverage(asset: int, leverage: int, *, is_cross: bool) -> Action:
    return {"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": leverage}


def schedule_cancel(at_ms: int | None) -> Action:
    """Return the setting of the venue's dead-man's switch; None clears it."""
    return {"type": "scheduleCancel"} if at_ms is None else {"type": "scheduleCancel", "time": at_ms}


def noop() -> Action:
    """Return the action that only uses up its nonce: the fence."""
    return {"type": "noop"}
