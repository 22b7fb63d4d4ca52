"""What the console may ask about drills, and how it asks for one."""

from __future__ import annotations

from venues.types import Record

DRILL_KINDS = ("kill", "dead-man", "flatten")
"""What a promotion asks for."""


class DrillStart(Record, tag="drill_start"):
    """Perform a drill on a rehearsal desk of its own processes; needs a reason and the word DRILL."""

    kind: str
    confirm: str


class DrillList(Record, tag="drill_list"):
    """Ask for the last drill of each kind, and for the one that runs."""


class DrillFigure(Record):
    """One figure of a drill against its goal; the unit is the name's last word."""

    name: str
    value: float
    at_most: float
    is_met: bool


class DrillRow(Record):
    """The last drill of a kind. `problem` is why it does not count (absent, failed, stale, other_kernel,
    not_trusted); empty where it does."""

    kind: str
    problem: str
    began_ns: int
    days_left: float
    """For how many more days it counts; 0 where it does not."""
    operator: str
    reason: str
    is_signed: bool
    said: str
    """What went wrong in it, in its own words."""
    figures: tuple[DrillFigure, ...]
    file: str


class DrillRun(Record):
    """A drill under way or, with `exit_code` 0 or above, just ended; `said` is its last line."""

    kind: str
    operator: str
    began_ns: int
    said: str
    exit_code: int


class Drills(Record):
    """Result of `DrillList`."""

    at_ns: int
    rows: tuple[DrillRow, ...]
    run: DrillRun | None = None


class DrillStarted(Record):
    """Result of `DrillStart`."""

    kind: str
