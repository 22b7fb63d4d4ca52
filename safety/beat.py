"""Proof of progress in shared memory: a count that one process raises after each completed cycle.

One writer, many readers, no lock: a seqlock. A reader that meets a half-written beat tries again; one
that stays half-written (its writer died in the middle) reads as None, which is no progress.
"""

from __future__ import annotations

import mmap
import os
import struct
from enum import IntEnum
from pathlib import Path

from venues.types import Record

BEAT_FILE = "engine.beat"
WATCHDOG_BEAT_FILE = "watchdog.beat"
_SEQ = struct.Struct("<Q")
_BODY = struct.Struct("<QQII")
_SIZE = 64
_TRIES = 1_000


class BeatState(IntEnum):
    """Whether beats are to be expected."""

    NEVER = 0
    RUNNING = 1
    STOPPED = 2
    """Ended in order: no beat is missed."""


class Beat(Record):
    """What a reader sees. `at_ns` is the host's monotonic clock, the same for all its processes."""

    state: BeatState
    count: int
    at_ns: int
    pid: int


class BeatPage:
    """One page of memory that carries a beat."""

    def __init__(self, page: mmap.mmap) -> None:
        assert len(page) >= _SIZE
        self._page = page
        self._count = 0

    @classmethod
    def shared(cls, path: Path) -> BeatPage:
        """Map a file (0600); creates it where it is missing. Raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.posix_fallocate(descriptor, 0, _SIZE)  # a hole would fault on a full disk
            return cls(mmap.mmap(descriptor, _SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        finally:
            os.close(descriptor)

    @classmethod
    def anonymous(cls) -> BeatPage:
        """Map memory with no file: the simulator and tests."""
        return cls(mmap.mmap(-1, _SIZE))

    def write(self, state: BeatState, at_ns: int, pid: int) -> None:
        """Put one beat down; only the one writer may."""
        self._count += 1
        odd = (_SEQ.unpack_from(self._page, 0)[0] | 1) % 2**64
        _SEQ.pack_into(self._page, 0, odd)
        _BODY.pack_into(self._page, 8, self._count, at_ns, pid, state)
        _SEQ.pack_into(self._page, 0, (odd + 1) % 2**64)

    def read(self) -> Beat | None:
        """Return the last whole beat; None where its writer ended in the middle of one."""
        for _ in range(_TRIES):
            before = _SEQ.unpack_from(self._page, 0)[0]
            count, at_ns, pid, state = _BODY.unpack_from(self._page, 8)
            if before % 2 == 0 and _SEQ.unpack_from(self._page, 0)[0] == before:
                known = state if state in (0, 1, 2) else BeatState.RUNNING
                return Beat(state=BeatState(known), count=count, at_ns=at_ns, pid=pid)
        return None
