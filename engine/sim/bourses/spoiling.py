"""Bad prices as a venue's own stream would carry them (F34); `engine.sim.market` spoils the sandbox's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from engine.sim.faults import Dice, Fault

HOSTILE = "\x1b[2J\u202eX" * 3


class Spoilt(NamedTuple):
    """A best bid and ask as they are shown instead of the truth; `name` is another symbol, or nothing."""

    bid: Decimal
    ask: Decimal
    shift_ms: int = 0
    name: str = ""


Pair = tuple[Decimal, Decimal]
SPOILS: Mapping[str, Callable[[Pair], Spoilt]] = {
    "zero": lambda pair: Spoilt(Decimal(0), Decimal(0)),
    "negative": lambda pair: Spoilt(-pair[0], -pair[1]),
    "crossed": lambda pair: Spoilt(pair[1], pair[0]),
    "spike": lambda pair: Spoilt(pair[0] * 10, pair[1] * 10),
    "crash": lambda pair: Spoilt(pair[0] / 10, pair[1] / 10),
    "past": lambda pair: Spoilt(*pair, shift_ms=-90_000),
    "future": lambda pair: Spoilt(*pair, shift_ms=3_600_000),
    "text": lambda pair: Spoilt(*pair, name=HOSTILE),
}


def spoilt_prices(bid: Decimal, ask: Decimal, dice: Dice) -> Spoilt | None:
    """Return what is shown instead of these prices; None: what was shown last, once more."""
    how = dice.stream(Fault.BAD_MARKET).choice(("frozen", *SPOILS))
    return None if how == "frozen" else SPOILS[how]((bid, ask))
