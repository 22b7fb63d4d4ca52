"""What was asked of a venue, one row a request, for people and programs: read from the files alone (QL-70).

A row holds names, sizes, times and how it ended, and no header, key, signature or body. `wire_sha256` leads
to the exact bytes: those of an order are on record.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from seams.disk import RealDisk
from venues.types import Record

SCHEMA = "venue_call_v1"
FOLDER = "venue_calls"
ANSWERED, UNREADABLE = "answered", "unreadable"


class VenueCall(Record):
    """One request. `outcome` is answered, unreadable (200 and no JSON, as of a proxy's page), unsent (no byte
    left), lost (it may have arrived) or given_up (whoever asked went away); `status` is HTTP's, 0 without
    an answer. `waited_ms` until the first byte left, `took_ms` until the end, both from the asking."""

    schema: str
    request_id: str
    ts: str
    venue: str
    asked: str
    wire_sha256: str
    outcome: str
    status: int
    sent_bytes: int
    got_bytes: int
    waited_ms: float
    took_ms: float
    said: str


def venue_calls(home: Path, limit: int, about: str = "", is_failed: bool = False) -> tuple[VenueCall, ...]:
    """Return the newest calls, newest first: those whose `asked` holds `about`, and only those without a
    readable answer of 200 where `is_failed`. A line that is no row (a torn last one) is passed over."""
    disk, folder = RealDisk(), HomePaths(home).outputs / FOLDER
    found: list[VenueCall] = []
    for name in reversed(disk.list(folder) if disk.exists(folder) else []):
        for line in reversed(disk.read(folder / name).splitlines()):
            try:
                row = msgspec.json.decode(line, type=VenueCall)
            except msgspec.MsgspecError:
                continue
            is_good = row.outcome == ANSWERED and row.status == 200
            if about.lower() in row.asked.lower() and not (is_failed and is_good):
                found.append(row)
                if len(found) >= limit:
                    return tuple(found)
    return tuple(found)
