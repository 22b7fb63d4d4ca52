"""What keeps alarms bearable (ISA-18.2, EEMUA 191): shelves that expire, chattering, floods by code.

Pure: times come in. Priority 1 is never withheld: it cannot be shelved, and its chattering still rings.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from engine.api.views import AlarmGroup, AlarmRow
from seams.clock import NS_PER_S
from venues.types import Record

MAX_SHELF_MINUTES = 240
NOT_SHELVABLE = 1
"""The priority that asks for an act now."""
CHATTER_RINGS, CHATTER_WINDOW_NS = 3, 60 * NS_PER_S
"""So many rings within a minute is chattering (ISA-18.2 takes three)."""
RATE_WINDOW_NS = 600 * NS_PER_S
FLOOD_ABOVE = 10
"""A flood starts above this many rings in ten minutes..."""
FLOOD_ENDS_BELOW = 5
"""...and ends below this many."""


class Shelf(Record):
    """One alarm put aside: by whom, why, and until when."""

    by: str
    reason: str
    until_ns: int


class Burden:
    """How much rings, and whether that is more than a person can handle."""

    def __init__(self) -> None:
        self._rings: deque[int] = deque(maxlen=4096)
        self.is_flooding = False

    def ring(self, now_ns: int) -> None:
        self._rings.append(now_ns)
        self.look(now_ns)

    def look(self, now_ns: int) -> None:
        """Begin or end a flood."""
        rate = self.rate_10min(now_ns)
        self.is_flooding = rate > FLOOD_ABOVE or (self.is_flooding and rate >= FLOOD_ENDS_BELOW)

    def rate_10min(self, now_ns: int) -> int:
        """Return how many alarms rang in the last ten minutes."""
        return sum(1 for at_ns in self._rings if now_ns - at_ns < RATE_WINDOW_NS)


class Chatter(msgspec.Struct):
    """The last rings of one alarm."""

    rings: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=CHATTER_RINGS))

    def note(self, now_ns: int) -> None:
        self.rings.append(now_ns)

    def is_chattering(self, now_ns: int) -> bool:
        """Tell whether it has rung so often within the last minute that once more says nothing new."""
        return len(self.rings) == CHATTER_RINGS and now_ns - self.rings[0] < CHATTER_WINDOW_NS


def groups_of(rows: Iterable[AlarmRow]) -> tuple[AlarmGroup, ...]:
    """Return the codes under which more than one alarm stands, the first-out named, the largest first."""
    by_code: dict[str, list[AlarmRow]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    counted = Counter({code: len(members) for code, members in by_code.items() if len(members) > 1})
    made = []
    for code, count in sorted(counted.items(), key=lambda each: (-each[1], each[0])):
        members = by_code[code]
        first = min(members, key=lambda row: (not row.is_first_out, row.since_ns, row.alarm_id))
        made.append(AlarmGroup(code=code, count=count, priority=first.priority, first_subject=first.subject))
    return tuple(made)
