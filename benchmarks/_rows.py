"""One line of a comparison: ours, the plain C loop of the same work in the same process, and the ratio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """`ours` and `c` are rates in `unit`; `ratio` is ours over C. Both None where C has no such loop."""

    name: str
    unit: str
    ours: float
    c: float | None
    ratio: float | None


def row(name: str, unit: str, ours: float, c: float | None, ratio: float | None = None) -> Row:
    """Make a row; the ratio is that of the rates unless it was measured better (processor time)."""
    if ratio is None and c:
        ratio = round(ours / c, 3)
    return Row(name=name, unit=unit, ours=ours, c=c, ratio=ratio)
