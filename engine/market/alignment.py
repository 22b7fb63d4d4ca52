"""One window for several sets: what is compared must begin and end at the same moments (OC-22).

Sets of different intervals cover one window when each has a bar that begins at its start and none that
ends after its end; so the window's edges lie on the grid of the longest interval.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.market.catalogue import BarColumns, sealed
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
    """The sets share no window, or not the same one where that was demanded; `code` is windows_disjoint."""

    code = "windows_disjoint"


def reach_of(bars: BarColumns) -> Reach:
    """Return what a set covers."""
    assert len(bars)
    return Reach(
        start_ns=int(bars.ts_ns[0]),
        end_ns=int(bars.ts_ns[-1]) + bars.interval_ns,
        interval_ns=bars.interval_ns,
    )


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


def demand_equal(reaches: Mapping[str, Reach]) -> Alignment:
    """Return the window that all sets cover exactly. Raises `WindowsDisjoint` with what differs."""
    found = common_window(reaches)
    if found.notices:
        raise WindowsDisjoint("the windows differ: " + "; ".join(found.notices))
    return found


def align(sets: Mapping[str, BarColumns]) -> tuple[dict[str, BarColumns], Alignment]:
    """Cut all sets to their common window, saying so. Raises `WindowsDisjoint`."""
    found = common_window({name: reach_of(bars) for name, bars in sets.items()})
    return {name: cut(bars, found.start_ns, found.end_ns) for name, bars in sets.items()}, found


def cut(bars: BarColumns, start_ns: int, end_ns: int) -> BarColumns:
    """Return the bars that open in `start_ns <= t < end_ns`, with a content hash of their own."""
    first, last = (int(at) for at in np.searchsorted(bars.ts_ns, (start_ns, end_ns), side="left"))
    if (first, last) == (0, len(bars)):
        return bars
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    return sealed({name: getattr(bars, name)[first:last] for name in names}, bars.interval_ns)


def _shown(start_ns: int, end_ns: int) -> str:
    return f"{iso_z(start_ns)} to {iso_z(end_ns)}"
