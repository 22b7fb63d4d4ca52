"""Signed heads and anchors find what a chain alone cannot: an end cut off, a log written anew."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from safety.audit import SEGMENT_BYTES, AuditBroken, AuditLog, anchor_log, verify_log
from safety.audit_chain import segments_of
from safety.audit_heads import HeadKey, book_path, read_heads
from safety.audit_verify import CHECKED, NO_KEY, NOT_CHECKED, head_path
from safety.reasons import Refusal
from safety.secrets import Secret
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk
from tests.safety.audit_mutations import KEY, KINDS, PATH, judge, rewrite, tamper, written

ANCHORS = Path("/elsewhere/anchors")


def test_a_thousand_mutations_are_found_and_the_first_bad_record_is_named() -> None:
    kinds = set()
    for seed in range(1000):
        how, is_found, is_named = judge(seed)
        assert is_found and is_named, f"seed {seed}: {how}"
        kinds.add(how)
    assert len(kinds) == len(KINDS)


def test_a_log_written_anew_passes_without_a_key_and_fails_with_one() -> None:
    disk = next(found for found, done in map(tamper, range(99)) if done.how == rewrite.__name__)
    for book in (book_path(PATH), ANCHORS):
        assert disk.files.pop(book)
    assert verify_log(disk, PATH).ok, "a chain and its head can be made anew by anybody"
    disk.files[book_path(PATH)] = written().files[book_path(PATH)]
    assert verify_log(disk, PATH, KEY).problem == "signed_head_mismatch"


def test_heads_are_signed_each_minute_and_after_a_kill_and_not_when_nothing_is_new() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH, key=KEY)
    log.append("act", {})
    assert not log.vouch_when_due()
    clock.advance(60)
    assert log.vouch_when_due() and not log.vouch_when_due()
    clock.advance(600)
    assert not log.vouch_when_due(), "nothing new to vouch for"
    log.append("kill", {})
    log.append("ticket_approved", {})
    heads = read_heads(disk, book_path(PATH))
    assert [(head.seq, head.cause) for head in heads] == [
        (1, "interval"),
        (2, "kill"),
        (3, "ticket_approved"),
    ]
    assert all(KEY.vouches_for(head) for head in heads)
    assert verify_log(disk, PATH, KEY).signatures == CHECKED
    assert verify_log(disk, PATH).signatures == NOT_CHECKED


def test_without_a_key_nothing_is_signed_and_verify_says_so() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH)
    log.append("kill", {})
    clock.advance(61)
    log.append("act", {})
    assert not log.vouch_when_due() and not disk.exists(book_path(PATH))
    assert verify_log(disk, PATH).signatures == NO_KEY


def test_a_head_signed_with_another_key_is_forged() -> None:
    other = HeadKey(Secret("another key, also of enough characters"))
    assert verify_log(written(), PATH, other).problem == "signed_head_forged"
    with pytest.raises(Refusal):
        HeadKey(Secret("short"))


def test_a_start_is_refused_when_the_log_is_behind_its_last_anchor() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH, anchors=ANCHORS)
    early = dict(disk.files)
    for _ in range(5):
        log.append("act", {})
    head = anchor_log(disk, clock, PATH, None, ANCHORS)
    assert head.seq == 5
    AuditLog(disk, clock, PATH, anchors=ANCHORS)
    restored = {**early, ANCHORS: disk.files[ANCHORS]}
    disk.files = restored  # an old copy of the folder: whole in itself
    assert verify_log(disk, PATH).ok
    with pytest.raises(AuditBroken, match="behind_anchor"):
        AuditLog(disk, clock, PATH, anchors=ANCHORS)
    with pytest.raises(AuditBroken, match="behind_anchor"):
        anchor_log(disk, clock, PATH, None, ANCHORS)


def test_a_second_place_that_was_lost_is_refused_until_it_is_begun_anew() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    AuditLog(disk, clock, PATH, anchors=ANCHORS).append("act", {})
    disk.remove(ANCHORS)
    with pytest.raises(AuditBroken, match="anchor_missing"):
        AuditLog(disk, clock, PATH, anchors=ANCHORS)
    anchor_log(disk, clock, PATH, None, ANCHORS)
    assert AuditLog(disk, clock, PATH, anchors=ANCHORS).seq == 1


def test_the_chain_goes_on_through_segments_and_a_missing_one_is_found() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH, segment_bytes=500)
    for number in range(20):
        log.append("act", {"number": number})
    again = AuditLog(disk, clock, PATH, segment_bytes=500)
    again.append("act", {})
    segments = segments_of(disk, PATH)
    assert len(segments) > 5 and all(len(disk.files[path]) < 900 for path in segments)
    result = verify_log(disk, PATH)
    assert result.ok and result.records == 21 and result.segments == len(segments)
    taken = disk.files.pop(segments[2])
    assert verify_log(disk, PATH).problem == "segment_missing"
    disk.files[segments[2]] = taken
    disk.remove(segments[-1])
    assert verify_log(disk, PATH).problem == "truncated"


def test_a_torn_line_in_a_new_segment_is_quarantined() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH, segment_bytes=500)
    for number in range(9):
        log.append("act", {"number": number})
    newest = segments_of(disk, PATH)[-1]
    disk.files[newest.with_name(f"{PATH.name}.{len(segments_of(disk, PATH))}")] = b'{"at":"20'
    again = AuditLog(disk, clock, PATH, segment_bytes=500)
    assert again.seq == 10 and verify_log(disk, PATH).ok


def test_a_record_with_a_hole_behind_the_head_is_quarantined_and_a_log_without_its_head_is_not() -> None:
    """A power loss may keep the last page of an append and lose the first; nobody was told of it."""
    disk, clock = MemoryDisk(), FixedClock()
    AuditLog(disk, clock, PATH).append("act", {})
    disk.files[PATH] += bytes(300) + b'":1}\n'
    assert AuditLog(disk, clock, PATH).seq == 2
    again = written()
    again.remove(head_path(PATH))
    with pytest.raises(AuditBroken, match="head_missing"):
        AuditLog(again, clock, PATH, key=KEY)
    assert not [name for name in again.list(PATH.parent) if "torn" in name]


def test_verify_looks_again_while_the_engine_writes() -> None:
    """The head is read first: a writer that goes on meanwhile must not look like tampering."""

    class Growing(MemoryDisk):
        is_growing = False

        def read(self, path: Path) -> bytes:
            if self.is_growing and path == PATH:
                self.is_growing = False
                for _ in range(3):
                    log.append("act", {})
            return super().read(path)

    disk = Growing()
    log = AuditLog(disk, FixedClock(), PATH)
    log.append("act", {})
    disk.is_growing = True
    result = verify_log(disk, PATH)
    assert result.ok and result.records == 4
    disk.files[head_path(PATH)] = written().files[head_path(PATH)]
    assert not verify_log(disk, PATH).ok


def test_an_append_costs_microseconds_of_work(tmp_path: Path) -> None:
    """The work of a record (hash, encoding, head), without the disk's fsync: well under a millisecond."""
    log = AuditLog(MemoryDisk(), FixedClock(), PATH, segment_bytes=SEGMENT_BYTES)
    began = time.perf_counter()
    for number in range(500):
        log.append("act", {"number": number, "actor": "ada", "text": "a line of usual length for a record"})
    assert (time.perf_counter() - began) / 500 < 1e-3
    real = AuditLog(RealDisk(), FixedClock(), tmp_path / "audit.jsonl", key=KEY)
    assert real.append("kill", {}).seq == 1
    assert book_path(tmp_path / "audit.jsonl").stat().st_mode & 0o077 == 0
