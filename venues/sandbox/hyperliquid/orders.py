"""An order at the loopback Hyperliquid: what it is, what became of it and when, and how lists show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from venues.hyperliquid.precision import wire

OPEN, FILLED = "open", "filled"
LIVE = frozenset({OPEN, "triggered"})


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an order begins: at a mark price, as a market or a limit order."""

    price: Decimal
    is_market: bool
    is_take_profit: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What was true of an order from a time on."""

    at_ms: int
    status: str
    remaining: Decimal


@dataclass(slots=True)
class Order:
    """One order of one account. `history` is never empty; its last entry is the present."""

    oid: int
    owner: str
    coin: str
    asset: int
    is_buy: bool
    price: Decimal
    size: Decimal
    tif: str
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    trigger: Trigger | None = None
    is_position_tpsl: bool = False
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    history: list[Past] = field(default_factory=list)
    note: dict[str, Any] = field(default_factory=dict)
    """What its fills say besides: who was liquidated, or that it was a settlement."""

    @property
    def status(self) -> str:
        return self.history[-1].status

    @property
    def remaining(self) -> Decimal:
        return self.history[-1].remaining

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def side(self) -> str:
        return "B" if self.is_buy else "A"

    def become(self, at_ms: int, status: str, remaining: Decimal | None = None) -> None:
        left = self.remaining if remaining is None else remaining
        self.history.append(Past(at_ms, status, left))

    def seen_at(self, at_ms: int) -> Past | None:
        """Return what a list that is as old as `at_ms` shows; None: it does not know the order yet."""
        found = None
        for past in self.history:
            if past.at_ms > at_ms:
                break
            found = past
        return found

    def update(self, past: Past) -> dict[str, Any]:
        """Return one element of an `orderUpdates` push."""
        return {"order": self.basic(past), "status": past.status, "statusTimestamp": past.at_ms}

    def basic(self, past: Past) -> dict[str, Any]:
        """Return an element of `openOrders`."""
        shown: dict[str, Any] = {
            "coin": self.coin,
            "side": self.side,
            "limitPx": wire_float(self.price),
            "sz": wire_float(past.remaining),
            "oid": self.oid,
            "timestamp": self.placed_ms,
            "origSz": wire_float(self.size),
        }
        if self.reduce_only:
            shown["reduceOnly"] = True
        if self.cloid is not None:
            shown["cloid"] = self.cloid
        return shown

    def frontend(self, past: Past, children: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Return an element of `frontendOpenOrders`, or the order inside `orderStatus`."""
        trigger = self.trigger
        word = "Take Profit" if trigger and trigger.is_take_profit else "Stop"
        way = "Market" if trigger and trigger.is_market else "Limit"
        return {
            "coin": self.coin,
            "side": self.side,
            "limitPx": wire_float(self.price),
            "sz": wire_float(past.remaining),
            "oid": self.oid,
            "timestamp": self.placed_ms,
            "triggerCondition": "N/A" if trigger is None else self._condition(trigger),
            "isTrigger": trigger is not None,
            "triggerPx": "0.0" if trigger is None else wire_float(trigger.price),
            "children": children or [],
            "isPositionTpsl": self.is_position_tpsl,
            "reduceOnly": self.reduce_only,
            "orderType": "Limit" if trigger is None else f"{word} {way}",
            "origSz": wire_float(self.size),
            "tif": None if trigger is not None and trigger.is_market else self.tif,
            "cloid": self.cloid,
        }

    def _condition(self, trigger: Trigger) -> str:
        above = fires_above(self.is_buy, trigger)
        return f"Price {'above' if above else 'below'} {wire(trigger.price)}"


def fires_above(is_buy: bool, trigger: Trigger) -> bool:
    """Tell whether a trigger waits for a rise: a stop that buys, or a profit that sells."""
    return is_buy != trigger.is_take_profit


def wire_float(number: Decimal) -> str:
    """Write a number as the venue's lists do: at least one decimal (`"30.0"`)."""
    text = wire(number.quantize(Decimal("1e-8")))
    return text if "." in text else f"{text}.0"
