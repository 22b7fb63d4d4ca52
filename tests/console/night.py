"""When it is, and who sits there: a working night on a clock that stands still."""

from __future__ import annotations

from seams.clock import NS_PER_S

NOW_NS = 1_795_230_847 * NS_PER_S  # 2026-11-21T03:14:07Z
OPERATOR = "mara"


def ago(seconds: float) -> int:
    return NOW_NS - round(seconds * NS_PER_S)
