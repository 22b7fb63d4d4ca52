"""One window for several sets: what is compared must begin and end at the same moments (OC-22).

Sets of different intervals cover one window when each has a bar that begins at its start and none that
ends after its end; so the window's edges lie on the grid of the longest interval.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.market.validation import phase_ns
from seams.clock import iso_z
from venues.types import Record


class Reach(Record):
    """What a set covers: from `start_ns` to before `end_ns` (UTC ns), in bars of `interval_ns`."""

    start_ns: int
    end_ns: int
    interval_ns: int


class Alignment(Record):
    """The common window, `start_ns <= t < end_ns`, and a notice for each set that reaches beyond it.

    Without notices all sets cover exactly the window.
    """

    start_ns: int
    end_ns: int
    notices: tuple[str, ...]


class WindowsDisjoint(ValueError):
    """The sets share no window; `code` is windows_disjoint."""

    code = "windows_disjoint"


def common_window(reaches: Mapping[str, Reach]) -> Alignment:
    """Return the largest window that every set covers, by name in notices. Raises `WindowsDisjoint`."""
    assert reaches
    longest = max(reach.interval_ns for reach in reaches.values())
    phase = phase_ns(longest)
    latest = max(reach.start_ns for reach in reaches.values())
    earliest = min(reach.end_ns for reach in reaches.values())
    start = -((phase - latest) // longest) * longest + phase
    end = (earliest - phase) // longest * longest + phase
    if start >= end:
        shown = "; ".join(f"{name} {_shown(reach.start_ns, reach.end_ns)}" for name, reach in reaches.items())
        raise WindowsDisjoint(f"no common window: {shown}")
    notices = tuple(
        f"{name} covers {_shown(reach.start_ns, reach.end_ns)} and was cut to {_shown(start, end)}"
        for name, reach in reaches.items()
        if (reach.start_ns, reach.end_ns) != (start, end)
    )
    return Alignment(start_ns=start, end_ns=end, notices=notices)


def _shown(start_ns: int, end_ns: int) -> str:
    return f"{iso_z(start_ns)} to {iso_z(end_ns)}"
