"""Ways to tamper with an audit log, each with the record at which verification must stop.

The fast tests run a thousand. All ten thousand: python -m tests.safety.audit_mutations --count 10000
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safety.audit import AuditLog, verify_log
from safety.audit_chain import AuditHead, AuditRecord, record_hash, segment_path, segments_of
from safety.audit_heads import HeadKey, add_head, book_path
from safety.audit_verify import head_path
from safety.canonical import canonical, changed
from safety.secrets import Secret
from seams.clock import FixedClock
from seams.disk import MemoryDisk

PATH, ANCHORS = Path("/engine/audit.jsonl"), Path("/elsewhere/anchors")
KEY = HeadKey(Secret("a key for tests only, of enough characters"))
RECORDS, SEGMENT_BYTES = 40, 2_500


def written(flavour: int = 0) -> MemoryDisk:
    """Return a log of 40 records in several segments, signed and anchored, the last record vouched for."""
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, PATH, key=KEY, anchors=ANCHORS, segment_bytes=SEGMENT_BYTES)
    for number in range(1, RECORDS + 1):
        clock.advance(9)
        kind = "kill" if number == RECORDS else "ticket_approved" if number % 11 == 0 else "act"
        log.append(kind, {"number": number, "flavour": flavour, "text": "ü \n"})
        log.vouch_when_due()
        if number == 25:
            head = KEY.sign(log._vouched("anchor"))
            add_head(disk, ANCHORS, head)
    assert verify_log(disk, PATH, KEY, ANCHORS).ok and len(segments_of(disk, PATH)) > 3
    return disk


@dataclass(frozen=True)
class Tampered:
    """What was done, and the numbers of the record that verification may name."""

    how: str
    first: int
    last: int


def _lines(disk: MemoryDisk) -> list[list[bytes]]:
    return [disk.files[path].splitlines(keepends=True) for path in segments_of(disk, PATH)]


def _put(disk: MemoryDisk, segments: list[list[bytes]]) -> None:
    for path in segments_of(disk, PATH)[::-1]:
        disk.remove(path)
    for number, lines in enumerate(segments):
        disk.files[segment_path(PATH, number)] = b"".join(lines)


def _place(segments: list[list[bytes]], number: int) -> tuple[int, int]:
    """Return (segment, line) of a record."""
    for segment, lines in enumerate(segments):
        if number <= len(lines):
            return segment, number - 1
        number -= len(lines)
    raise AssertionError(number)


def flip(disk: MemoryDisk, chance: random.Random) -> Tampered:
    segments, number = _lines(disk), chance.randint(1, RECORDS)
    segment, line = _place(segments, number)
    old = segments[segment][line]
    at = chance.randrange(len(old))
    segments[segment][line] = old[:at] + bytes([old[at] ^ chance.randrange(1, 256)]) + old[at + 1 :]
    _put(disk, segments)
    return Tampered("flip", number, number)


def delete(disk: MemoryDisk, chance: random.Random) -> Tampered:
    segments, number = _lines(disk), chance.randint(1, RECORDS)
    segment, line = _place(segments, number)
    del segments[segment][line]
    _put(disk, segments)
    return Tampered("delete", number, number)


def swap(disk: MemoryDisk, chance: random.Random) -> Tampered:
    segments = _lines(disk)
    one, other = sorted(chance.sample(range(1, RECORDS + 1), 2))
    (s1, l1), (s2, l2) = _place(segments, one), _place(segments, other)
    segments[s1][l1], segments[s2][l2] = segments[s2][l2], segments[s1][l1]
    _put(disk, segments)
    return Tampered("swap", one, one)


def truncate(disk: MemoryDisk, chance: random.Random) -> Tampered:
    segments = _lines(disk)
    whole = b"".join(line for lines in segments for line in lines)
    keep = chance.randrange(len(whole))
    bad = whole[:keep].count(b"\n") + 1
    left: list[list[bytes]] = []
    for lines in segments:
        data = b"".join(lines)[: max(0, keep)]
        keep -= sum(map(len, lines))
        if data:
            left.append([data])
    _put(disk, left)
    return Tampered("truncate", bad, bad)


def splice(disk: MemoryDisk, chance: random.Random) -> Tampered:
    """The rest of the log comes from another, valid log of the same shape."""
    segments, other, number = _lines(disk), _lines(_OTHER), chance.randint(2, RECORDS)
    segment, line = _place(segments, number)
    segments[segment][line:] = other[segment][line:]
    segments[segment + 1 :] = other[segment + 1 :]
    _put(disk, segments)
    return Tampered("splice", number, number)


def replay(disk: MemoryDisk, chance: random.Random) -> Tampered:
    """A record of before stands again behind another."""
    segments = _lines(disk)
    copied, behind = chance.randint(1, RECORDS), chance.randint(1, RECORDS)
    source, line = _place(segments, copied)
    target, at = _place(segments, behind)
    segments[target].insert(at + 1, segments[source][line])
    _put(disk, segments)
    bad = behind + 1 if copied != behind + 1 else behind + 2
    return Tampered("replay", bad, bad)


def rewrite(disk: MemoryDisk, chance: random.Random) -> Tampered:
    """One record is changed and every later hash, and the head, is made to fit: only a key can tell."""
    segments, number = _lines(disk), chance.randint(1, RECORDS)
    prev, seq, size = "", 0, 0
    for lines in segments:
        for index, line in enumerate(lines):
            record = msgspec.json.decode(line, type=AuditRecord)
            seq = record.seq
            if seq == number:
                record = changed(record, body={"number": -1})
            if seq >= number:
                record = changed(record, prev=prev or record.prev)
                record = changed(record, hash=record_hash(record))
            prev = record.hash
            lines[index] = canonical(record) + b"\n"
            size += len(lines[index])
    _put(disk, segments)
    disk.files[head_path(PATH)] = canonical(AuditHead(seq=seq, hash=prev, size_bytes=size))
    return Tampered("rewrite", 1, number)


def books(disk: MemoryDisk, chance: random.Random) -> Tampered:
    """A byte of the head, of a signed head or of an anchor is flipped."""
    path = chance.choice([head_path(PATH), book_path(PATH), ANCHORS])
    old = disk.files[path]
    at = chance.randrange(len(old))
    disk.files[path] = old[:at] + bytes([old[at] ^ chance.randrange(1, 256)]) + old[at + 1 :]
    return Tampered("books", 1, RECORDS + 1)


KINDS: tuple[Callable[[MemoryDisk, random.Random], Tampered], ...] = (
    flip, delete, swap, truncate, splice, replay, rewrite, books,
)  # fmt: skip
_GOOD, _OTHER = written(), written(flavour=1)


def tamper(seed: int) -> tuple[MemoryDisk, Tampered]:
    """Return a log that was tampered with, and what verification must say about it."""
    chance, disk = random.Random(seed), MemoryDisk()
    disk.files = dict(_GOOD.files)
    return disk, chance.choice(KINDS)(disk, chance)


def judge(seed: int) -> tuple[str, bool, bool]:
    """Return (kind, whether it was found, whether the right record was named) of one seed."""
    disk, done = tamper(seed)
    result = verify_log(disk, PATH, KEY, ANCHORS)
    bad = result.first_bad_record
    return done.how, not result.ok, bad is not None and done.first <= bad <= done.last


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began, kinds, missed, misnamed = time.monotonic(), Counter[str](), [], []
    for seed in range(wanted.seed, wanted.seed + wanted.count):
        how, is_found, is_named = judge(seed)
        kinds[how] += 1
        if not is_found:
            missed.append(seed)
        elif not is_named:
            misnamed.append(seed)
    report = {
        "mutations": wanted.count,
        "by_kind": dict(sorted(kinds.items())),
        "undetected": missed,
        "wrong_record_named": misnamed,
        "wall_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(report, indent=1))
    return 1 if missed or misnamed else 0


if __name__ == "__main__":
    sys.exit(main())
