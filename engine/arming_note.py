"""What outlives an engine of its arming: that something of ours may be at a real venue.

A file and no row of the database: the watchdog, and a flatten without an engine, must be able to reach the
venue while the database is somebody else's, or broken.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from safety.canonical import canonical
from seams.disk import Disk
from venues.types import Record

ARMING_FILE = "arming.json"


class ArmingNote(Record):
    """Who armed what, until when, in which engine's life; `is_tended` while anything of ours may be there."""

    mode: str
    environment: str
    venue: str
    account: str
    by: str
    since_ns: int
    until_ns: int
    epoch: int
    is_tended: bool


def write_note(disk: Disk, safety: Path, note: ArmingNote) -> None:
    """Write it down, durable when this returns. Raises `OSError`."""
    disk.make_folder(safety)
    disk.write_atomic(safety / ARMING_FILE, canonical(note), 0o600)


def is_tended(disk: Disk, safety: Path, environment: str) -> bool:
    """Tell whether something of ours may be at that environment's venue. A file that cannot be read counts as
    yes: it opens the way to look, cancel and reduce, and never to risk."""
    path = safety / ARMING_FILE
    if not disk.exists(path):
        return False
    try:
        note = msgspec.json.decode(disk.read(path), type=ArmingNote)
    except (OSError, msgspec.MsgspecError):
        return True
    return note.is_tended and note.environment == environment
