"""The shared state of a session's lanes: one mapped page that its engine writes and everybody may read.

A block of 64 bytes for each lane, little-endian, in the order of the session's lanes:

    offset  bytes  field
    0       8      sequence: odd while the block is being written, and one more after it (a seqlock)
    8       1      risk_interlock: 0 clear, 1 close_only, 2 hydrating, 3 halt; read by the kernel at each step
    9       1      execution_state: 0 idle, 1 working, 2 partial, 3 hedging
    10      1      strategy_state: 0 void, 1 vigil, 2 engaged, 3 hedge, 4 halt, 5 recovery
    11      1      kill_level: 0 clear, 1 close_only, 2 halt_all
    12      1      side: -1, 0, +1
    13      1      version of this layout: 1
    14      2      lane
    16      8      steps: bars that the kernel has closed
    24      8      decided_ns: when the market closed the bar of the last decision, UTC; 0 before the first
    32      8      written_ns: the engine's clock, UTC
    40      8      units held, in millionths
    48      8      last close, a double
    56      8      epoch of the engine

The interlock byte alone is read without the sequence: one byte is never half written.
"""

from __future__ import annotations

import mmap
import os
import struct
from enum import IntEnum
from pathlib import Path

from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.strategy_state import StrategyState
from venues.types import Record

BLOCK, INTERLOCK_AT, VERSION, MAX_LANES = 64, 8, 1, 1_024
_SEQUENCE = struct.Struct("<Q")
_REST = struct.Struct("<BBBBbBHqqqqdq")
assert _SEQUENCE.size + _REST.size == BLOCK
MAX_TRIES = 1_000


class ExecutionState(IntEnum):
    """What the lane's orders are doing."""

    IDLE = 0
    WORKING = 1
    PARTIAL = 2
    HEDGING = 3
    """Only orders that reduce risk are alive."""


class LaneBlock(Record):
    """One lane as of one write; fields as in the module's table."""

    risk_interlock: HoldLevel
    execution_state: ExecutionState
    strategy_state: StrategyState
    kill_level: KillLevel
    side: int
    lane: int
    steps: int
    decided_ns: int
    written_ns: int
    units: int
    last_close: float
    epoch: int


class PageDamaged(Exception):
    """The file is no shared state, of another layout, or its writer died inside a write."""


class StatePage:
    """The writer's side. One writer; times are passed in."""

    def __init__(self, page: mmap.mmap, lanes: int) -> None:
        assert 0 < lanes <= MAX_LANES and len(page) >= lanes * BLOCK
        self._page, self.lanes = page, lanes

    @classmethod
    def shared(cls, path: Path, lanes: int) -> StatePage:
        """Create and map a file (0600) for so many lanes, in place of an old one. Raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)  # a reader of the old one keeps its own pages
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, lanes * BLOCK)  # a hole would fault on a full disk
            size = lanes * BLOCK
            return cls(mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), lanes)
        finally:
            os.close(descriptor)

    @classmethod
    def anonymous(cls, lanes: int) -> StatePage:
        """Map memory with no file: the simulator, and tests."""
        return cls(mmap.mmap(-1, lanes * BLOCK), lanes)

    @property
    def memory(self) -> memoryview:
        """The page itself, which the kernel reads."""
        return memoryview(self._page)

    def set_interlock(self, level: HoldLevel) -> None:
        """Show a level in every lane's byte at once, before the next step reads it."""
        for lane in range(self.lanes):
            self._page[lane * BLOCK + INTERLOCK_AT] = level

    def write(self, block: LaneBlock) -> None:
        """Write a lane's block; a reader that meets it half done tries again."""
        assert 0 <= block.lane < self.lanes
        start = block.lane * BLOCK
        sequence: int = _SEQUENCE.unpack_from(self._page, start)[0]
        _SEQUENCE.pack_into(self._page, start, (sequence | 1) % 2**64)
        _REST.pack_into(
            self._page, start + _SEQUENCE.size, block.risk_interlock, block.execution_state,
            block.strategy_state, block.kill_level, block.side, VERSION, block.lane, block.steps,
            block.decided_ns, block.written_ns, block.units, block.last_close, block.epoch,
        )  # fmt: skip
        _SEQUENCE.pack_into(self._page, start, ((sequence | 1) + 1) % 2**64)


class StateReader:
    """A reader's side: mapped read-only, in whatever process."""

    def __init__(self, page: mmap.mmap | memoryview) -> None:
        self._page = page
        if not len(page) or len(page) % BLOCK:
            raise PageDamaged(f"{len(page)} bytes are no shared state")

    @classmethod
    def opened(cls, path: Path) -> StateReader:
        """Map a session's file. Raises `OSError` where there is none, `PageDamaged` where it is none."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_size == 0:
                raise PageDamaged("the file is empty")
            return cls(mmap.mmap(descriptor, 0, mmap.MAP_SHARED, mmap.PROT_READ))
        finally:
            os.close(descriptor)

    @property
    def lanes(self) -> int:
        return len(self._page) // BLOCK

    def interlock(self, lane: int) -> HoldLevel:
        """Return the byte that the kernel reads; one that means nothing is a halt."""
        return _level(self._page[lane * BLOCK + INTERLOCK_AT])

    def block(self, lane: int) -> LaneBlock | None:
        """Return a lane as one write left it; None before the first. Raises `PageDamaged`."""
        start = lane * BLOCK
        for _ in range(MAX_TRIES):
            before: int = _SEQUENCE.unpack_from(self._page, start)[0]
            if before == 0:
                return None
            fields = _REST.unpack_from(self._page, start + _SEQUENCE.size)
            if before % 2 == 0 and _SEQUENCE.unpack_from(self._page, start)[0] == before:
                return _block(fields)
            os.sched_yield()  # a writer that was put aside in its middle needs the processor to end
        raise PageDamaged(f"lane {lane} is never whole: its writer died")

    def blocks(self) -> tuple[LaneBlock, ...]:
        """Return every lane that was written."""
        found = (self.block(lane) for lane in range(self.lanes))
        return tuple(block for block in found if block is not None)


def _block(fields: tuple[int | float, ...]) -> LaneBlock:
    level, execution, state, kill, side, version, lane, steps, decided, written, units, close, epoch = fields
    if version != VERSION:
        raise PageDamaged(f"layout {version}, this build reads {VERSION}")
    try:
        return LaneBlock(
            risk_interlock=_level(int(level)),
            execution_state=ExecutionState(int(execution)),
            strategy_state=StrategyState(int(state)),
            kill_level=KillLevel(int(kill)),
            side=int(side),
            lane=int(lane),
            steps=int(steps),
            decided_ns=int(decided),
            written_ns=int(written),
            units=int(units),
            last_close=float(close),
            epoch=int(epoch),
        )
    except ValueError as error:
        raise PageDamaged(str(error)) from error


def _level(value: int) -> HoldLevel:
    return HoldLevel(value) if value in set(HoldLevel) else HoldLevel.HALT
