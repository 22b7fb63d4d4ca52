"""The kill switch where its own files are gone, torn or ahead of it: always the stricter reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from safety.killbyte import KillByte, KillLevel
from safety.killswitch import LATCH_FILE, REQUEST_FILE, KillSwitch
from safety.reasons import Refusal
from seams.clock import FixedClock
from seams.disk import MemoryDisk

FOLDER = Path("/engine")
CLEAR, CLOSE_ONLY, HALT_ALL = KillLevel


class Contrary(MemoryDisk):
    """A disk on which one file answers as a test wants when it is read."""

    error: Exception | None = None
    name = REQUEST_FILE

    def read(self, path: Path) -> bytes:
        if self.error is not None and path.name == self.name:
            raise self.error
        return super().read(path)


def opened(disk: MemoryDisk, byte: KillByte) -> KillSwitch:
    return KillSwitch(disk, FixedClock(), FOLDER, byte)


@pytest.mark.parametrize("level", [CLOSE_ONLY, HALT_ALL])
def test_a_byte_set_from_outside_without_a_latch_file_is_written_down(level: KillLevel) -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    byte.raise_to(level)
    record = switch.poll()
    assert record is not None and record.source == "byte" and switch.level is level
    assert opened(disk, KillByte.anonymous()).level is level, "it outlives the memory"


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe"])
def test_a_byte_set_beside_a_latch_that_cannot_be_read_halts(damage: bytes) -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    byte.raise_to(CLOSE_ONLY)
    disk.files[FOLDER / LATCH_FILE] = damage
    record = switch.poll()
    assert record is not None and record.source == "latch_unreadable" and switch.level is HALT_ALL


@pytest.mark.parametrize(
    ("error", "level"),
    [(FileNotFoundError(), CLEAR), (OSError(5, "I/O error"), HALT_ALL), (PermissionError(), HALT_ALL)],
)
def test_a_request_that_cannot_be_read_asks_for_everything_and_one_that_went_for_nothing(
    error: Exception, level: KillLevel
) -> None:
    disk = Contrary()
    switch = opened(disk, KillByte.anonymous())
    disk.write_atomic(FOLDER / REQUEST_FILE, b"close_only")
    disk.error = error
    switch.poll()
    assert switch.level is level


def test_a_request_that_is_no_text_halts() -> None:
    disk = MemoryDisk()
    switch = opened(disk, KillByte.anonymous())
    disk.write_atomic(FOLDER / REQUEST_FILE, b"\xff\xfe\x00")
    switch.poll()
    assert switch.level is HALT_ALL


def test_a_reset_whose_latch_counts_another_trip_is_refused() -> None:
    """Another process has written its trip, and the shared count is not yet seen here."""
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    switch.trip(CLOSE_ONLY, by="ada", reason="drill", source="console")
    other = opened(disk, KillByte.anonymous())
    other.trip(HALT_ALL, by="bob", reason="elsewhere", source="file")
    with pytest.raises(Refusal, match="trip_in_progress"):
        switch.reset(operator="ada", reason="looked", clean_reconciliation=True, unknown_orders=0)
    assert switch.level is not CLEAR
