"""How figures are read: their order, their value in words, and which way is better. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from engine.research.definitions import BY_ID, METRICS
from engine.research.shown import is_known, shown

_RANK = {each.id: place for place, each in enumerate(METRICS)}


def written(name: str, value: float | int | str | None) -> str:
    """Write a figure by its unit: percent, money, a duration; a null is a dash.

    A name without a unit keeps up to six digits, as parameters do.
    """
    if value is None:
        return "-"
    if is_known(name) or isinstance(value, str):
        return shown(name, value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of metrics as `docs/metrics.md` has them: results, risk, trades, costs; others last."""
    known = list(names)
    return sorted(known, key=lambda name: (_RANK.get(name, len(_RANK)), known.index(name)))


def better(name: str) -> str:
    """Return which way a metric is better: `higher`, `lower`, or empty where that is not said of it."""
    return BY_ID[name].better if name in BY_ID else ""
