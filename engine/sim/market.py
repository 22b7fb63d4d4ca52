"""Bad market data: what a broken feed shows instead of the truth (F34). NaN cannot travel in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from engine.sim.faults import Dice, Fault
from seams.clock import NS_PER_S
from venues.sandbox import messages as m

PRICES = ("price", "open", "high", "low", "close", "bid", "ask")
TIMES = ("at_ns", "open_ns", "close_ns")
Fields = dict[str, object]


def _scaled(fields: Fields, factor: float) -> Fields:
    return {name: value * factor if _is_price(name, value) else value for name, value in fields.items()}  # type: ignore[operator]


def _shifted(fields: Fields, by_ns: int) -> Fields:
    return {name: value + by_ns if name in TIMES else value for name, value in fields.items()}  # type: ignore[operator]


def _crossed(fields: Fields) -> Fields:
    """Bid above ask, or low above high."""
    swapped = dict(fields)
    for low, high in (("bid", "ask"), ("low", "high")):
        if low in fields:
            swapped[low], swapped[high] = fields[high], fields[low]
    return swapped


def _is_price(name: str, value: object) -> bool:
    return name in PRICES and isinstance(value, int | float)


SPOILS: Mapping[str, Callable[[Fields], Fields]] = {
    "zero": lambda fields: _scaled(fields, 0.0),
    "negative": lambda fields: _scaled(fields, -1.0),
    "crossed": _crossed,
    "spike": lambda fields: _scaled(fields, 10.0),
    "crash": lambda fields: _scaled(fields, 0.1),
    "past": lambda fields: _shifted(fields, -90 * NS_PER_S),
    "future": lambda fields: _shifted(fields, 3600 * NS_PER_S),
    "text": lambda fields: {**fields, "symbol": "\x1b[2J\u202eX" * 3},
}


def spoilt(frame: bytes, last_shown: Mapping[str, bytes], dice: Dice) -> bytes:
    """Return what the engine is shown instead of a market frame: spoilt, or an earlier one again."""
    how = dice.stream(Fault.BAD_MARKET).choice(("frozen", *SPOILS))
    if how == "frozen":
        return last_shown.get(frame[:40].decode(), frame)
    push = msgspec.json.decode(frame, type=m.MarketPush)
    fields = SPOILS[how](msgspec.json.decode(bytes(push.event), type=Fields))
    event = msgspec.Raw(msgspec.json.encode(fields))
    return m.ENCODER.encode(m.MarketPush(kind=push.kind, event=event))
