"""A bar and an answer in plain Python: what `on_bar` is given, and what it says as the kernel reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from engine.lifecycle.forge.vocabulary import ANSWER_FIELDS
from native.strategy import Signal

Answer = tuple[Any, ...]
FIELDS = tuple(ANSWER_FIELDS)
"""An `Answer` has these fields in this order; (None,) for None, (the exception's name,) for a failure."""
_DEFAULTS = tuple(default for _, default in ANSWER_FIELDS.values())[1:]


@dataclass(slots=True)
class PlainBar:
    """A bar as `on_bar` sees it, made outside the kernel."""

    index: int
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    side: int


def answered(answer: object) -> Answer:
    """Return an answer's fields as the kernel reads them. Raises `ValueError` for what it refuses."""
    if answer is None:
        return (None,)
    if not isinstance(answer, Signal):
        return (_side(answer), *_DEFAULTS)
    found: dict[str, Any] = {"side": _side(answer.side)}
    for name in FIELDS[1:]:
        kind, default = ANSWER_FIELDS[name]
        value = getattr(answer, name)
        found[name] = default if value is None else (float(value) if kind == "float" else int(value))
    if found["partial"] and not found["partial_target"]:
        found["partial_target"], found["target"] = found["target"], 0.0
    levels = [found[name] for name in ("stop", "target", "trail", "partial_target", "breakeven")]
    is_good = all(0.0 <= level < math.inf for level in levels) and 0.0 <= found["strength"] <= 1.0
    is_good = is_good and 0.0 <= found["partial"] < 1.0 and found["hold_bars"] >= 0
    is_good = is_good and (answer.limit is None or 0.0 <= answer.limit < math.inf)
    if not is_good or (found["partial"] and not found["partial_target"]):
        raise ValueError(f"not a sensible Signal: {answer!r}")
    return tuple(found.values())


def _side(side: object) -> int:
    if not isinstance(side, int) or not -1 <= side <= 1:
        raise ValueError(f"on_bar must return None, -1, 0, +1 or a Signal, got {side!r}")
    return int(side)
