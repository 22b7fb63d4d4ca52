"""The audit chain finds every change, and a failed write never passes for a record."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from safety.audit import DECISION, TORN_TAIL, AuditBroken, AuditLog, head_path, verify_log
from safety.intent import IntentCategory
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk

PATH = Path("/engine/audit.jsonl")


def written(count: int = 12) -> MemoryDisk:
    disk = MemoryDisk()
    log = AuditLog(disk, FixedClock(), PATH)
    for number in range(count):
        log.append("act", {"number": number, "text": "ü \n"})
    return disk


def lines(disk: MemoryDisk) -> list[bytes]:
    return disk.files[PATH].splitlines(keepends=True)


def test_an_untouched_log_verifies_and_reopens_on_the_same_chain() -> None:
    disk = written()
    log = AuditLog(disk, FixedClock(), PATH)
    record = log.append("act", {})
    assert record.seq == 13
    result = verify_log(disk, PATH)
    assert result.ok and result.records == 13 and result.head == record.hash == log.head


def test_every_single_byte_mutation_is_found() -> None:
    disk, chance = written(), random.Random(7)
    good = disk.files[PATH]
    for _ in range(2500):
        index, flip = chance.randrange(len(good)), chance.randrange(1, 256)
        disk.files[PATH] = good[:index] + bytes([good[index] ^ flip]) + good[index + 1 :]
        assert not verify_log(disk, PATH).ok, (index, flip)


def test_every_single_byte_deletion_and_head_mutation_is_found() -> None:
    disk = written()
    good, head = disk.files[PATH], disk.files[head_path(PATH)]
    for index in range(len(good)):
        disk.files[PATH] = good[:index] + good[index + 1 :]
        assert not verify_log(disk, PATH).ok, index
    disk.files[PATH] = good
    for index in range(len(head)):
        disk.files[head_path(PATH)] = head[:index] + bytes([head[index] ^ 1]) + head[index + 1 :]
        assert not verify_log(disk, PATH).ok, index


def test_truncation_at_every_length_is_found() -> None:
    disk = written()
    good = disk.files[PATH]
    for length in range(len(good)):
        disk.files[PATH] = good[:length]
        assert not verify_log(disk, PATH).ok, length


def test_swaps_cuts_repeats_and_splices_are_found() -> None:
    disk, other = written(), MemoryDisk()
    good = lines(disk)
    log = AuditLog(other, FixedClock(), PATH)
    for number in range(12):
        log.append("act", {"number": -number})
    for index in range(len(good) - 1):
        for forged in (
            [*good[:index], good[index + 1], good[index], *good[index + 2 :]],
            good[:index] + good[index + 1 :],
            [*good[: index + 1], *good[index:]],
            [*good[: index + 1], *lines(other)[index + 1 :]],
        ):
            disk.files[PATH] = b"".join(forged)
            result = verify_log(disk, PATH)
            assert not result.ok and result.first_bad_record is not None


def test_a_missing_head_or_log_is_found() -> None:
    disk = written()
    disk.remove(head_path(PATH))
    assert verify_log(disk, PATH).problem == "head_missing"
    disk = written()
    disk.remove(PATH)
    assert verify_log(disk, PATH).problem == "truncated"


def test_a_broken_log_is_not_continued() -> None:
    disk = written()
    disk.files[PATH] = b"".join(lines(disk)[:-1])
    with pytest.raises(AuditBroken):
        AuditLog(disk, FixedClock(), PATH)


def test_a_torn_last_line_is_reported_quarantined_and_recorded() -> None:
    disk = written(3)
    disk.files[PATH] += b'{"at":"20'
    result = verify_log(disk, PATH)
    assert (result.problem, result.torn_bytes, result.records) == ("torn_tail", 9, 3)
    log = AuditLog(disk, FixedClock(), PATH)
    assert log.seq == 4 and verify_log(disk, PATH).ok
    assert TORN_TAIL.encode() in lines(disk)[-1]
    torn = [name for name in disk.list(PATH.parent) if ".torn-" in name]
    assert [disk.files[PATH.parent / name] for name in torn] == [b'{"at":"20']


def test_a_torn_line_that_was_acknowledged_is_not_quarantined_away() -> None:
    disk = written(3)
    disk.files[PATH] = disk.files[PATH][:-5]
    with pytest.raises(AuditBroken):
        AuditLog(disk, FixedClock(), PATH)


@pytest.mark.parametrize("writes", range(7))
def test_a_full_disk_at_any_write_leaves_a_log_that_reopens(writes: int) -> None:
    disk = MemoryDisk()
    log = AuditLog(disk, FixedClock(), PATH)
    disk.fail_after_writes = writes
    acknowledged = 0
    for number in range(5):
        try:
            acknowledged = log.append("act", {"number": number}).seq
        except (OSError, AuditBroken):
            assert log.is_broken
    disk.fail_after_writes = None
    again = AuditLog(disk, FixedClock(), PATH)
    assert acknowledged <= again.seq <= acknowledged + 1
    assert verify_log(disk, PATH).ok


def test_a_real_disk_holds_the_chain_with_private_files(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(RealDisk(), FixedClock(), path).append("act", {"a": 1})
    AuditLog(RealDisk(), FixedClock(), path).append("act", {"a": 2})
    assert verify_log(RealDisk(), path).records == 2
    assert path.stat().st_mode & 0o077 == 0


def test_a_decision_record_has_category_and_policy_result() -> None:
    log = AuditLog(MemoryDisk(), FixedClock(), PATH)
    record = log.decision(
        intent_category=IntentCategory.KILL,
        policy_result={"allowed": True},
        outcome="executed",
        body={"by": "alice"},
    )
    assert record.kind == DECISION
    assert record.body["intent_category"] == "kill" and record.body["policy_result"] == {"allowed": True}
    with pytest.raises(AssertionError):
        log.decision(intent_category=IntentCategory.KILL, policy_result={}, outcome="executed", body={})


def test_its_times_never_go_back_and_a_restart_still_knows_the_newest() -> None:
    disk = MemoryDisk()
    newest_ns = AuditLog(disk, FixedClock(9_000_000_000), PATH).append("act", {}).at_ns
    clock = FixedClock(5_000_000_000)  # the host's clock was set back
    assert AuditLog(disk, clock, PATH).append("act", {}).at_ns == newest_ns
    again = AuditLog(disk, clock, PATH)
    assert again.last_ns == newest_ns > clock.now_ns()
    clock.advance(6.0)
    assert again.append("act", {}).at_ns == clock.now_ns() > newest_ns
