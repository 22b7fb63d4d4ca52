"""What one audit record is, and how a chain of them is walked: every link, in every segment."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from safety.canonical import canonical, digest
from seams.disk import Disk
from venues.types import Record

GENESIS = "0" * 64


class AuditRecord(Record):
    """One line. `hash` is the SHA-256 of the line's canonical JSON without `hash`."""

    seq: int
    at: str
    at_ns: int
    kind: str
    body: dict[str, object]
    prev: str
    hash: str = ""


class AuditHead(Record):
    """Where the log ended when it was last written; `size_bytes` counts every segment."""

    seq: int
    hash: str
    size_bytes: int


class Mark(Record):
    """What the chain holds at one sequence number: its hash, and how many bytes end with it."""

    hash: str
    end_bytes: int


class Walk(Record):
    """What walking a log found. `problem` is None where every link fits; `marks` hold the wanted numbers."""

    records: int
    head: str
    last_ns: int
    size_bytes: int
    segments: int
    problem: str | None
    torn_bytes: int
    marks: dict[int, Mark]


def record_hash(record: AuditRecord) -> str:
    """Return what a record's `hash` must be."""
    return digest([record.seq, record.at, record.at_ns, record.kind, record.body, record.prev])


def segment_path(path: Path, number: int) -> Path:
    """Return where a segment is: the first is the log's own path, the next are numbered from 1."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def segments_of(disk: Disk, path: Path) -> list[Path]:
    """Return a log's segments in order. Raises `ValueError` where one is missing between others."""
    stem = f"{path.name}."
    numbers = sorted(
        int(name.removeprefix(stem))
        for name in disk.list(path.parent)
        if name.startswith(stem) and name.removeprefix(stem).isdecimal()
    )
    if numbers and (numbers != list(range(1, len(numbers) + 1)) or not disk.exists(path)):
        raise ValueError("segment_missing")
    return [segment_path(path, number) for number in range(len(numbers) + 1) if number or disk.exists(path)]


def check_line(line: bytes, seq: int, prev: str) -> tuple[AuditRecord | None, str]:
    """Return the record of an intact line, or None and what is wrong with it."""
    try:
        record = msgspec.json.decode(line, type=AuditRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, "unreadable"
    if canonical(record) != line:
        return None, "not_canonical"
    if record.seq != seq:
        return None, "out_of_order"
    if record.prev != prev:
        return None, "chain_broken"
    if record.hash != record_hash(record):
        return None, "hash_mismatch"
    return record, ""


def walk(disk: Disk, path: Path, wanted: Collection[int] = ()) -> Walk:
    """Walk every record of every segment; stop at the first that does not fit. Raises `OSError`.

    `wanted` are the sequence numbers whose hashes somebody else remembers: they come back as marks.
    """
    prev, count, last_ns, offset, torn = GENESIS, 0, 0, 0, b""
    marks: dict[int, Mark] = {0: Mark(hash=GENESIS, end_bytes=0)}
    problem: str | None = None
    try:
        segments = segments_of(disk, path)
    except ValueError as error:
        segments, problem = [], str(error)
    for segment in segments:
        data = disk.read(segment)
        intact, separator, torn = data.rpartition(b"\n")
        for line in intact.split(b"\n") if separator else ():
            record, wrong = check_line(line, count + 1, prev)
            if record is None:
                problem = wrong
                break
            prev, count, last_ns = record.hash, count + 1, record.at_ns
            offset += len(line) + 1
            if count in wanted:
                marks[count] = Mark(hash=prev, end_bytes=offset)
        if problem is not None or torn:
            problem = problem or "torn_tail"
            break
    return Walk(
        records=count,
        head=prev,
        last_ns=last_ns,
        size_bytes=offset,
        segments=len(segments),
        problem=problem,
        torn_bytes=len(torn) if problem == "torn_tail" else 0,
        marks=marks,
    )
