"""The kill that needs no bus and no engine, and imports next to nothing: it acts before the rest loads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.api.home import HomePaths
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, LatchRecord, trip_on_disk
from seams.clock import NS_PER_MS, SystemClock
from seams.disk import RealDisk

COMMAND_LINE = "command line, direct"


class Latched(NamedTuple):
    """What is durable now, and how long that took in milliseconds."""

    record: LatchRecord
    latch_ms: float


def shut(home: Path) -> None:
    """Shut the gate of every process of this home, in microseconds: the shared byte alone, halt_all.

    It becomes durable when the engine sees it, or by `latch`. Raises `OSError` where it cannot be set.
    """
    KillByte.shared(HomePaths(home).safety / BYTE_FILE).raise_to(KillLevel.HALT_ALL)


def latch(home: Path, *, operator: str, reason: str, level: str, source: str = COMMAND_LINE) -> Latched:
    """Trip the latch on disk and in the shared byte. A running engine obeys at once.

    Raises `OSError` where the disk refused; the shared byte then says halt_all all the same.
    """
    clock, disk, folder = SystemClock(), RealDisk(), HomePaths(home).safety
    disk.make_folder(folder)
    began_ns = clock.monotonic_ns()
    record = trip_on_disk(
        disk,
        clock,
        folder,
        KillByte.shared(folder / BYTE_FILE),
        level=KillLevel.CLOSE_ONLY if level == "close_only" else KillLevel.HALT_ALL,
        by=operator,
        reason=reason or "direct kill",
        source=source,
    )
    return Latched(record, (clock.monotonic_ns() - began_ns) / NS_PER_MS)
