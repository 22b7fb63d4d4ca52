"""The kill latch: durable before it acts, only ever stricter by itself, loosened only by a named operator.

Order of a trip: shared byte (microseconds), then the latch file (fsync), then everything else. A latch
file that is missing after the first start, corrupt or unreadable means halt_all (I12, I13).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from safety.canonical import canonical, changed, digest
from safety.killbyte import KillByte as KillByte
from safety.killbyte import KillLevel as KillLevel
from safety.reasons import Refusal
from safety.text import clean
from seams import chaos
from seams.clock import Clock
from seams.disk import Disk
from venues.types import Record

LATCH_FILE = "kill.latch"
MARKER_FILE = "kill.initialised"
BYTE_FILE = "kill.byte"
REQUEST_FILE = "kill.request"
ENVIRONMENT_NAME = "INTERLOCK_KILL"
MAX_REQUEST_BYTES = 4096
BYTE_SOURCE = "byte"
"""The source of a trip that set the shared byte and said no more: the first who says more is its cause."""


class LatchRecord(Record):
    """What the latch file says. `since_ns`, `by`, `reason` and `source` belong to the first cause."""

    level: KillLevel
    epoch: int
    trips: int
    since_ns: int
    by: str
    reason: str
    source: str
    schema: str = "interlock.kill.v1"


class _Sealed(Record):
    record: LatchRecord
    sha256: str


class LatchNotDurable(OSError):
    """The byte is set (halt_all) but the latch file could not be written: stop the process safely."""


class LatchUnreadable(Exception):
    """The latch file is missing after the first start, corrupt or cannot be read."""


def read_latch(disk: Disk, folder: Path) -> LatchRecord:
    """Return the latch file's record. Raises `LatchUnreadable` for everything but an intact file."""
    try:
        data = disk.read(folder / LATCH_FILE)
        sealed = msgspec.json.decode(data, type=_Sealed)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LatchUnreadable(f"{type(error).__name__}: {clean(str(error))}") from error
    if sealed.sha256 != digest(sealed.record) or canonical(sealed) != data:
        raise LatchUnreadable("the latch file does not match its own checksum")
    return sealed.record


def parse_request(text: str) -> KillLevel | None:
    """Read a kill word: what level it asks for, or None where it asks for nothing.

    `clear`, `resume` and `off` ask for nothing: a file or a variable can tighten, never loosen. An empty
    text (`touch kill.request`) and an unknown word ask for halt_all.
    """
    word = text.strip().lower()
    if word in ("clear", "resume", "off"):
        return None
    return KillLevel.CLOSE_ONLY if word in ("close", "close_only") else KillLevel.HALT_ALL


def _write_latch(disk: Disk, folder: Path, record: LatchRecord) -> None:
    disk.write_atomic(folder / LATCH_FILE, canonical(_Sealed(record=record, sha256=digest(record))))


def _marked_epoch(disk: Disk, folder: Path) -> int:
    """Return the epoch of the last reset; 0 where the marker cannot be read."""
    try:
        return int(disk.read(folder / MARKER_FILE))
    except (OSError, ValueError):
        return 0


def trip_on_disk(
    disk: Disk,
    clock: Clock,
    folder: Path,
    byte: KillByte,
    *,
    level: KillLevel,
    by: str,
    reason: str,
    source: str,
) -> LatchRecord:
    """Trip the switch of an engine folder, whether the engine runs or not.

    Returns the durable record. Raises `LatchNotDurable` where the disk refused; the byte then says
    halt_all. Needs no bus, no engine and no earlier start.
    """
    assert level is not KillLevel.CLEAR, "a trip cannot clear"
    byte.raise_to(level)
    chaos.point("kill.byte_set")
    try:
        standing = read_latch(disk, folder)
    except LatchUnreadable:
        standing = None
    trips = byte.count_trip(at_least=0 if standing is None else standing.trips)
    if standing is not None and standing.level >= level:
        record = changed(standing, trips=trips)
        if standing.source == BYTE_SOURCE:
            record = changed(record, by=clean(by) or record.by, reason=clean(reason), source=clean(source))
    else:
        is_lost = standing is None and disk.exists(folder / MARKER_FILE)
        record = LatchRecord(
            level=KillLevel.HALT_ALL if is_lost else max(level, byte.level),
            epoch=_marked_epoch(disk, folder) if standing is None else standing.epoch,
            trips=trips,
            since_ns=clock.now_ns(),
            by=clean(by) or "unknown",
            reason=clean(reason) or "no reason given",
            source=clean(source) or "unknown",
        )
    try:
        _write_latch(disk, folder, record)
    except OSError as error:
        byte.raise_to(KillLevel.HALT_ALL)
        raise LatchNotDurable(error.errno, f"kill latch not written: {error.strerror}") from error
    byte.raise_to(record.level)  # again: a reset that ran meanwhile must not have the last word
    assert byte.level >= level and record.level >= level
    return record


class Standing(NamedTuple):
    """The switch as somebody has seen it."""

    level: KillLevel
    epoch: int
    trips: int


class KillSwitch:
    """The latch of one engine folder.

    Reads the folder when built: an intact latch is taken over with its level and epoch, a lost one
    trips halt_all. `byte` defaults to the shared file `kill.byte`, which the command line maps too.
    """

    def __init__(self, disk: Disk, clock: Clock, folder: Path, byte: KillByte | None = None) -> None:
        disk.make_folder(folder)
        self._disk, self._clock, self._folder = disk, clock, folder
        was_started = disk.exists(folder / MARKER_FILE)
        self.byte = KillByte.shared(folder / BYTE_FILE) if byte is None else byte
        self._record = self._take_over(was_started)
        assert self.level >= self._record.level

    @property
    def level(self) -> KillLevel:
        """The stricter of the shared byte and the latch record; cheap enough for the send gate."""
        return max(self.byte.level, self._record.level)

    @property
    def record(self) -> LatchRecord:
        """The last record that this process read or wrote."""
        return self._record

    @property
    def epoch(self) -> int:
        """Counts resets; approvals of an earlier epoch are void."""
        return self._record.epoch

    @property
    def is_clear(self) -> bool:
        return self.level is KillLevel.CLEAR

    def trip(self, level: KillLevel, *, by: str, reason: str, source: str) -> LatchRecord:
        """Pull the switch: byte first, then the latch file; durable when this returns.

        A switch that is already as strict keeps its first cause. Raises `LatchNotDurable`.
        """
        self._record = trip_on_disk(
            self._disk,
            self._clock,
            self._folder,
            self.byte,
            level=max(level, self._record.level),
            by=by,
            reason=reason,
            source=source,
        )
        return self._record

    def poll(self) -> LatchRecord | None:
        """Take over what happened outside: a trip by the command line, or a `kill.request` file.

        Call once per loop. Returns the new record where the switch became stricter, else None.
        """
        before = self._record.level
        requested = self._requested()
        if requested is not None and requested > self.level:
            return self.trip(requested, by="file", reason=f"{REQUEST_FILE} asks for it", source="file")
        if self.byte.level <= before:
            return None
        try:
            self._record = read_latch(self._disk, self._folder)
        except LatchUnreadable as error:
            return self.trip(KillLevel.HALT_ALL, by="engine", reason=str(error), source="latch_unreadable")
        if self.byte.level > self._record.level:  # set, and its latch file not written (yet)
            return self.trip(self.byte.level, by="shared byte", reason="set from outside", source=BYTE_SOURCE)
        return self._record

    def apply_environment(self, environment: Mapping[str, str]) -> LatchRecord | None:
        """Obey INTERLOCK_KILL at start; a variable cannot change later, so it is read once."""
        if ENVIRONMENT_NAME not in environment:
            return None
        level = parse_request(environment[ENVIRONMENT_NAME])
        if level is None or level <= self.level:
            return None
        return self.trip(level, by="environment", reason=f"{ENVIRONMENT_NAME} is set", source="environment")

    @property
    def standing(self) -> Standing:
        """What somebody sees who looks at the switch now: a reset is for that, and for nothing later."""
        return Standing(self.level, self.epoch, self.byte.trips)

    def reset(
        self,
        *,
        operator: str,
        reason: str,
        clean_reconciliation: bool,
        unknown_orders: int,
        seen: Standing | None = None,
    ) -> LatchRecord:
        """Clear the latch and begin a new epoch.

        `seen` is the standing when the operator asked: reconciling takes time, and a pull (or another
        reset) meanwhile is not what he looked at. None: just now.

        Raises `Refusal` with operator_required, reason_required, reconciliation_not_clean,
        unknown_orders_remain, kill_request_present or trip_in_progress; `OSError` where the disk
        refused (the latch then stays as it was).
        """
        problem = self._reset_problem(operator, reason, clean_reconciliation, unknown_orders)
        if problem is None and seen is not None and seen != self.standing:
            problem = "trip_in_progress"
        if problem is not None:
            raise Refusal(problem)
        trips = self.byte.trips
        epoch = max(self._record.epoch, _marked_epoch(self._disk, self._folder)) + 1
        try:
            if read_latch(self._disk, self._folder).trips != trips:
                raise Refusal("trip_in_progress")
        except LatchUnreadable:
            # Its epochs are lost too; the clock's seconds are above every count of resets.
            epoch = max(epoch, self._clock.now_ns() // 1_000_000_000)
        record = LatchRecord(
            level=KillLevel.CLEAR,
            epoch=epoch,
            trips=trips,
            since_ns=self._clock.now_ns(),
            by=clean(operator),
            reason=clean(reason),
            source="reset",
        )
        self._disk.write_atomic(self._folder / MARKER_FILE, str(epoch).encode())
        _write_latch(self._disk, self._folder, record)
        self._record = record
        self.byte.clear()
        if self.byte.trips != trips:
            self.trip(KillLevel.HALT_ALL, by="engine", reason="tripped during a reset", source="reset_race")
            raise Refusal("trip_in_progress")
        assert self.is_clear
        return record

    def _reset_problem(self, operator: str, reason: str, is_clean: bool, unknown_orders: int) -> str | None:
        if not clean(operator).strip():
            return "operator_required"
        if not clean(reason).strip():
            return "reason_required"
        if is_clean is not True:
            return "reconciliation_not_clean"
        if unknown_orders != 0:
            return "unknown_orders_remain"
        return None if self._requested() is None else "kill_request_present"

    def _requested(self) -> KillLevel | None:
        """Read `kill.request`; a file that is there but unreadable asks for halt_all."""
        path = self._folder / REQUEST_FILE
        if not self._disk.exists(path):
            return None
        try:
            return parse_request(self._disk.read(path)[:MAX_REQUEST_BYTES].decode())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return KillLevel.HALT_ALL

    def _take_over(self, was_started: bool) -> LatchRecord:
        """Read or create the latch when the process starts."""
        is_first = not was_started and not self._disk.exists(self._folder / LATCH_FILE)
        if is_first and self.byte.level is KillLevel.CLEAR:
            record = LatchRecord(
                level=KillLevel.CLEAR,
                epoch=0,
                trips=self.byte.trips,
                since_ns=self._clock.now_ns(),
                by="engine",
                reason="first start",
                source="initialisation",
            )
            _write_latch(self._disk, self._folder, record)
            self._disk.write_atomic(self._folder / MARKER_FILE, b"0")
            return record
        try:
            record = read_latch(self._disk, self._folder)
        except LatchUnreadable as error:
            return self._trip_at_start(KillLevel.HALT_ALL, str(error), "latch_unreadable")
        if not was_started:
            self._disk.write_atomic(self._folder / MARKER_FILE, str(record.epoch).encode())
        self.byte.set_trips(record.trips)
        if self.byte.level > record.level:
            return self._trip_at_start(self.byte.level, "the byte was set and not written down", "byte")
        self.byte.raise_to(record.level)
        return record

    def _trip_at_start(self, level: KillLevel, reason: str, source: str) -> LatchRecord:
        return trip_on_disk(
            self._disk,
            self._clock,
            self._folder,
            self.byte,
            level=level,
            by="engine",
            reason=reason,
            source=source,
        )
