"""The byte that the send gate reads: one shared memory page, seen by every process at once.

Reading costs tens of nanoseconds and never waits. The page is not the durable truth (that is the latch
file); it is the fast one, and it is always set first. Byte 0 is the level, bytes 4..8 count trips so
that a reset can tell whether somebody tripped the switch while it was at work.
"""

from __future__ import annotations

import mmap
import os
import struct
from enum import IntEnum
from pathlib import Path

_SIZE = 8
_TRIPS = struct.Struct("<I")


class KillLevel(IntEnum):
    """How far the kill switch is pulled; a larger number wins."""

    CLEAR = 0
    CLOSE_ONLY = 1
    HALT_ALL = 2


_MEANINGS = {level.value: level for level in KillLevel}


class KillByte:
    """A level and a trip count in memory shared between processes."""

    def __init__(self, page: mmap.mmap) -> None:
        assert len(page) >= _SIZE
        self._page = page

    @classmethod
    def shared(cls, path: Path) -> KillByte:
        """Map a file that engine and command line both open; creates it (0600) where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.posix_fallocate(descriptor, 0, _SIZE)  # a hole would fault on a full disk
            return cls(mmap.mmap(descriptor, _SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        finally:
            os.close(descriptor)

    @classmethod
    def anonymous(cls) -> KillByte:
        """Map memory with no file: the simulator, tests, and processes forked from this one."""
        return cls(mmap.mmap(-1, _SIZE))

    @property
    def level(self) -> KillLevel:
        """The level now; a byte that means nothing is read as halt_all."""
        return _MEANINGS.get(self._page[0], KillLevel.HALT_ALL)

    @property
    def trips(self) -> int:
        """How often the switch was tripped, modulo 2**32."""
        count: int = _TRIPS.unpack_from(self._page, 4)[0]
        return count

    def raise_to(self, level: KillLevel) -> None:
        """Make the level at least this strict; never weaker."""
        if self.level < level:
            self._page[0] = level
        assert self.level >= level

    def count_trip(self, at_least: int = 0) -> int:
        """Count one more trip and return the new count, which is above `at_least`."""
        count = (max(self.trips, at_least) + 1) % 2**32
        _TRIPS.pack_into(self._page, 4, count)
        return count

    def set_trips(self, count: int) -> None:
        """Bring the count up to what the latch file says (after a power loss)."""
        if self.trips < count:
            _TRIPS.pack_into(self._page, 4, count)

    def clear(self) -> None:
        """Lower the level; only `KillSwitch.reset` may, and only after the latch file is durable."""
        self._page[0] = KillLevel.CLEAR
