"""The latch is durable before it acts, only tightens by itself, and a lost latch means halt_all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from safety.killbyte import KillByte, KillLevel
from safety.killswitch import (
    BYTE_FILE,
    LATCH_FILE,
    MARKER_FILE,
    REQUEST_FILE,
    KillSwitch,
    LatchNotDurable,
    parse_request,
    trip_on_disk,
)
from safety.reasons import Refusal
from seams.clock import FixedClock, SystemClock
from seams.disk import MemoryDisk, RealDisk

FOLDER = Path("/engine")
CLEAR, CLOSE_ONLY, HALT_ALL = KillLevel


def opened(disk: MemoryDisk, byte: KillByte | None = None) -> KillSwitch:
    return KillSwitch(disk, FixedClock(), FOLDER, byte or KillByte.anonymous())


def tripped(disk: MemoryDisk, level: KillLevel = HALT_ALL) -> KillSwitch:
    switch = opened(disk)
    switch.trip(level, by="alice", reason="drill", source="console")
    return switch


def reset(switch: KillSwitch, **changes: object) -> None:
    arguments: dict[str, object] = {
        "operator": "alice",
        "reason": "cause corrected",
        "clean_reconciliation": True,
        "unknown_orders": 0,
    }
    switch.reset(**{**arguments, **changes})  # type: ignore[arg-type]


def test_a_first_start_is_clear_and_leaves_its_marks() -> None:
    disk = MemoryDisk()
    assert opened(disk).is_clear
    assert {path.name for path in disk.files} == {LATCH_FILE, MARKER_FILE}


@pytest.mark.parametrize("level", [CLOSE_ONLY, HALT_ALL])
def test_the_latch_survives_a_restart(level: KillLevel) -> None:
    disk = MemoryDisk()
    tripped(disk, level)
    again = opened(disk)
    assert again.level is level and again.byte.level is level
    assert (again.record.by, again.record.reason) == ("alice", "drill")


def test_a_missing_latch_after_the_first_start_halts() -> None:
    disk = MemoryDisk()
    opened(disk)
    disk.remove(FOLDER / LATCH_FILE)
    assert opened(disk).level is HALT_ALL
    assert opened(disk).level is HALT_ALL


def test_every_changed_byte_of_the_latch_halts() -> None:
    disk = MemoryDisk()
    opened(disk)
    good = disk.files[FOLDER / LATCH_FILE]
    for index in range(len(good)):
        disk.files[FOLDER / LATCH_FILE] = good[:index] + bytes([good[index] ^ 1]) + good[index + 1 :]
        assert opened(disk).level is HALT_ALL
    disk.files[FOLDER / LATCH_FILE] = good[:-1]
    assert opened(disk).level is HALT_ALL


def test_who_names_himself_is_the_cause_of_a_trip_that_named_nobody() -> None:
    """A console sets the byte, then asks: the engine may have seen the byte by itself in between."""
    disk = MemoryDisk()
    switch = opened(disk)
    switch.byte.raise_to(HALT_ALL)
    record = switch.poll()
    assert record is not None and record.source == "byte"
    switch.trip(HALT_ALL, by="mara", reason="drill", source="command")
    assert (switch.record.by, switch.record.reason, switch.record.source) == ("mara", "drill", "command")
    assert switch.record.since_ns == record.since_ns
    switch.trip(HALT_ALL, by="ada", reason="later", source="command")
    assert switch.record.by == "mara" and opened(disk).record.by == "mara"


def test_severity_only_rises_and_the_first_cause_stays() -> None:
    switch = tripped(MemoryDisk(), HALT_ALL)
    switch.trip(CLOSE_ONLY, by="bob", reason="later", source="file")
    assert switch.level is HALT_ALL and switch.record.by == "alice"
    soft = tripped(MemoryDisk(), CLOSE_ONLY)
    soft.trip(HALT_ALL, by="bob", reason="worse", source="limits")
    assert soft.level is HALT_ALL and soft.record.by == "bob"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operator": "  "}, "operator_required"),
        ({"reason": "\n"}, "reason_required"),
        ({"clean_reconciliation": False}, "reconciliation_not_clean"),
        ({"unknown_orders": 1}, "unknown_orders_remain"),
    ],
)
def test_a_reset_needs_name_reason_and_a_clean_book(changes: dict[str, object], code: str) -> None:
    switch = tripped(MemoryDisk())
    with pytest.raises(Refusal) as refused:
        reset(switch, **changes)
    assert refused.value.code == code and switch.level is HALT_ALL


def test_a_reset_begins_a_new_epoch_that_survives() -> None:
    disk = MemoryDisk()
    switch = tripped(disk)
    reset(switch)
    assert switch.is_clear and switch.epoch == 1
    assert opened(disk).is_clear and opened(disk).epoch == 1


def test_a_lost_latch_is_reset_into_an_epoch_never_used_before() -> None:
    disk = MemoryDisk()
    switch = tripped(disk)
    reset(switch)
    disk.remove(FOLDER / LATCH_FILE)
    lost = opened(disk)
    reset(lost)
    assert lost.epoch > switch.epoch


@pytest.mark.parametrize("writes", range(4))
def test_a_crash_at_any_write_of_a_trip_leaves_the_switch_pulled(writes: int) -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    disk.fail_after_writes = writes
    try:
        switch.trip(CLOSE_ONLY, by="alice", reason="drill", source="console")
    except LatchNotDurable:
        assert byte.level is HALT_ALL
    disk.fail_after_writes = None
    assert opened(disk, byte).level >= CLOSE_ONLY
    if writes >= 1:
        assert opened(disk).level >= CLOSE_ONLY, "durable without the byte"


@pytest.mark.parametrize("writes", range(3))
def test_a_crash_at_any_write_of_a_reset_never_clears_half(writes: int) -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    switch.trip(HALT_ALL, by="alice", reason="drill", source="console")
    disk.fail_after_writes = writes
    if writes < 2:
        with pytest.raises(OSError, match="space"):
            reset(switch)
        assert switch.level is HALT_ALL
    else:
        reset(switch)
    disk.fail_after_writes = None
    assert opened(disk, byte).level is (CLEAR if writes == 2 else HALT_ALL)


def test_a_byte_that_was_not_written_down_is_written_down_at_start() -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    opened(disk, byte)
    byte.raise_to(CLOSE_ONLY)
    assert opened(disk, byte).level is CLOSE_ONLY
    assert opened(disk).level is CLOSE_ONLY


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("halt_all", HALT_ALL),
        ("FULL\n", HALT_ALL),
        ("", HALT_ALL),
        ("nonsense", HALT_ALL),
        ("close", CLOSE_ONLY),
        (" close_only ", CLOSE_ONLY),
        ("clear", None),
        ("resume", None),
        ("off", None),
    ],
)
def test_words_tighten_and_never_loosen(text: str, level: KillLevel | None) -> None:
    assert parse_request(text) is level
    disk = MemoryDisk()
    switch = opened(disk)
    disk.write_atomic(FOLDER / REQUEST_FILE, text.encode())
    switch.poll()
    assert switch.level is (level or CLEAR)
    started = opened(MemoryDisk())
    started.apply_environment({"INTERLOCK_KILL": text})
    assert started.level is (level or CLEAR)


def test_a_deleted_kill_file_does_not_clear_and_a_standing_one_blocks_the_reset() -> None:
    disk = MemoryDisk()
    switch = opened(disk)
    disk.write_atomic(FOLDER / REQUEST_FILE, b"halt_all")
    switch.poll()
    with pytest.raises(Refusal, match="kill_request_present"):
        reset(switch)
    disk.remove(FOLDER / REQUEST_FILE)
    assert switch.poll() is None and switch.level is HALT_ALL
    reset(switch)
    assert switch.is_clear


def test_a_trip_while_a_reset_is_at_work_wins() -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    switch.trip(CLOSE_ONLY, by="alice", reason="drill", source="console")
    byte.count_trip()  # another process has begun: its latch file is not written yet
    with pytest.raises(Refusal, match="trip_in_progress"):
        reset(switch)
    assert switch.level is CLOSE_ONLY


def test_a_reset_is_for_what_was_seen_and_for_nothing_later() -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = opened(disk, byte)
    switch.trip(HALT_ALL, by="alice", reason="drill", source="console")
    seen = switch.standing
    switch.trip(HALT_ALL, by="bob", reason="again", source="console")
    with pytest.raises(Refusal, match="trip_in_progress"):
        reset(switch, seen=seen)
    assert switch.level is HALT_ALL
    seen = switch.standing
    reset(switch, seen=seen)
    switch.trip(CLOSE_ONLY, by="bob", reason="later", source="console")
    with pytest.raises(Refusal, match="trip_in_progress"):
        reset(switch, seen=seen)
    assert switch.level is CLOSE_ONLY


def test_a_trip_between_latch_and_byte_of_a_reset_wins() -> None:
    byte = KillByte.anonymous()

    class Interrupting(MemoryDisk):
        is_armed = False

        def write_atomic(self, path: Path, data: bytes, mode: int = 0o600) -> None:
            super().write_atomic(path, data, mode)
            if self.is_armed and path.name == LATCH_FILE:
                self.is_armed = False
                trip_on_disk(
                    self, FixedClock(), FOLDER, byte, level=HALT_ALL, by="bob", reason="r", source="cli"
                )

    disk = Interrupting()
    switch = opened(disk, byte)
    switch.trip(CLOSE_ONLY, by="alice", reason="drill", source="console")
    disk.is_armed = True
    with pytest.raises(Refusal, match="trip_in_progress"):
        reset(switch)
    assert switch.level is HALT_ALL and opened(disk).level is HALT_ALL


def test_another_process_is_seen_at_once_and_its_cause_taken_over(tmp_path: Path) -> None:
    switch = KillSwitch(RealDisk(), SystemClock(), tmp_path)
    child = os.fork()
    if child == 0:
        byte = KillByte.shared(tmp_path / BYTE_FILE)
        arguments = {"by": "carol", "reason": "from a shell", "source": "cli"}
        trip_on_disk(RealDisk(), SystemClock(), tmp_path, byte, level=HALT_ALL, **arguments)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert switch.level is HALT_ALL
    taken = switch.poll()
    assert taken is not None and taken.by == "carol"
    assert KillSwitch(RealDisk(), SystemClock(), tmp_path).level is HALT_ALL


def test_a_trip_needs_no_engine_and_the_first_start_obeys_it(tmp_path: Path) -> None:
    byte = KillByte.shared(tmp_path / BYTE_FILE)
    trip_on_disk(
        RealDisk(), SystemClock(), tmp_path, byte, level=CLOSE_ONLY, by="carol", reason="r", source="cli"
    )
    assert KillSwitch(RealDisk(), SystemClock(), tmp_path).level is CLOSE_ONLY


def test_a_byte_that_means_nothing_is_halt_all(tmp_path: Path) -> None:
    (tmp_path / BYTE_FILE).write_bytes(b"\x07" + bytes(7))
    assert KillByte.shared(tmp_path / BYTE_FILE).level is HALT_ALL
    assert KillSwitch(RealDisk(), SystemClock(), tmp_path).level is HALT_ALL
