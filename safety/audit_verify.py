"""Is a log what was written? Its chain, its head, its signed heads and its anchors, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from safety.audit_chain import GENESIS, AuditHead, Walk, walk
from safety.audit_heads import HeadKey, SignedHead, book_path, read_heads
from safety.canonical import canonical, changed
from seams.disk import Disk
from venues.types import Record

NO_KEY = "none: no key is configured"
NOT_CHECKED = "not checked: no key was given"
CHECKED = "checked"
MAX_TRIES = 5
MOVING = frozenset({"torn_tail", "head_behind", "signed_heads_unreadable"})
"""What a log that is being written may look like for an instant."""


class VerifyResult(Record):
    """What checking a log found. `first_bad_record` is a sequence number, counted from 1.

    `signatures` says in words whether signed heads were checked; `anchors` counts those that were compared.
    """

    ok: bool
    records: int
    head: str
    first_bad_record: int | None
    problem: str | None
    torn_bytes: int = 0
    segments: int = 0
    signed_heads: int = 0
    signatures: str = NO_KEY
    anchors: int = 0


class AuditBroken(Exception):
    """The log does not verify, or a write failed: nothing may be recorded, so nothing may be risked."""

    code = "audit_broken"

    def __init__(self, result: VerifyResult) -> None:
        super().__init__(f"audit log broken: {result.problem} at record {result.first_bad_record}")
        self.result = result


def head_path(path: Path) -> Path:
    """Return where a log's head is kept."""
    return path.with_name(path.name + ".head")


def read_head(disk: Disk, path: Path) -> AuditHead | None:
    """Return the head, or None where there is none. Raises `ValueError` where it cannot be read."""
    try:
        data = disk.read(head_path(path))
    except FileNotFoundError:
        return None
    head = msgspec.json.decode(data, type=AuditHead)
    if canonical(head) != data:
        raise ValueError("head is not canonical")
    return head


def verify_log(
    disk: Disk, path: Path, key: HeadKey | None = None, anchors: Path | None = None
) -> VerifyResult:
    """Check a log against itself and all who vouch for it.

    Finds changes, cuts, splices, swaps, repeats and torn tails; with signed heads or anchors also a log
    that was written anew. `key` checks the signatures, `anchors` is the book in the second place.
    """
    return verify_walk(disk, path, key, anchors)[0]


def verify_walk(
    disk: Disk, path: Path, key: HeadKey | None, anchors: Path | None
) -> tuple[VerifyResult, Walk | None]:
    """Verify a log and return what the walk over it found, None where a file could not be read.

    A log that its engine is writing meanwhile may look cut or ahead of its head; where the head has moved
    since, it is looked at again.
    """
    result, found, before = _verify_once(disk, path, key, anchors)
    for _ in range(MAX_TRIES - 1):
        if result.problem not in MOVING or _head_or_problem(disk, path)[0] == before:
            break
        result, found, before = _verify_once(disk, path, key, anchors)
    return result, found


def _verify_once(
    disk: Disk, path: Path, key: HeadKey | None, anchors: Path | None
) -> tuple[VerifyResult, Walk | None, AuditHead | None]:
    head, head_problem = _head_or_problem(disk, path)
    signed, signed_problem = _heads(disk, book_path(path), "signed_heads")
    anchored, anchor_problem = _heads(disk, anchors, "anchors")
    wanted = {each.seq for each in (*signed, *anchored)} | ({head.seq} if head is not None else set())
    try:
        found = walk(disk, path, wanted)
    except OSError as error:
        return _result(None, f"unreadable_file: {error.strerror}", 1), None, head
    problem, bad = found.problem, found.records + 1
    if problem is None:
        problem = head_problem or _head_problem(found, head)
    if problem is None:
        problem, bad = _vouching_problem(found, signed, "signed_head", key)
        problem = problem or signed_problem
    if problem is None:
        problem, bad = _vouching_problem(found, anchored, "anchor", key)
        problem = problem or anchor_problem or _no_anchor_problem(found, anchors, anchored)
    seals = NO_KEY if key is None and not signed else CHECKED if key is not None else NOT_CHECKED
    facts = {"signed_heads": len(signed), "signatures": seals, "anchors": len(anchored)}
    return changed(_result(found, problem, bad), **facts), found, head


def _head_or_problem(disk: Disk, path: Path) -> tuple[AuditHead | None, str | None]:
    try:
        return read_head(disk, path), None
    except (OSError, ValueError):
        return None, "head_unreadable"


def _result(found: Walk | None, problem: str | None, bad: int) -> VerifyResult:
    return VerifyResult(
        ok=problem is None,
        records=0 if found is None else found.records,
        head=GENESIS if found is None else found.head,
        first_bad_record=None if problem is None else bad,
        problem=problem,
        torn_bytes=0 if found is None else found.torn_bytes,
        segments=0 if found is None else found.segments,
    )


def _heads(disk: Disk, path: Path | None, name: str) -> tuple[Sequence[SignedHead], str | None]:
    if path is None:
        return (), None
    try:
        return read_heads(disk, path), None
    except (OSError, ValueError):
        return (), f"{name}_unreadable"


def _head_problem(found: Walk, head: AuditHead | None) -> str | None:
    """Compare an intact chain with its head. One record more than the head is a crash between the two."""
    if head is None:
        return "head_missing" if found.records > 1 else None
    if head.seq > found.records or head.size_bytes > found.size_bytes:
        return "truncated"
    if head.seq < found.records - 1:
        return "head_behind"
    mark = found.marks.get(head.seq)
    is_same = mark is not None and (mark.hash, mark.end_bytes) == (head.hash, head.size_bytes)
    return None if is_same else "head_mismatch"


def _vouching_problem(
    found: Walk, heads: Sequence[SignedHead], name: str, key: HeadKey | None
) -> tuple[str | None, int]:
    """Compare the chain with heads that vouch for it: the first bad record is after the last that fits."""
    fits, order = 0, 0
    for head in heads:
        if key is not None and head.signature and not key.vouches_for(head):
            return f"{name}_forged", fits + 1
        if key is not None and not head.signature and name == "signed_head":
            return f"{name}_forged", fits + 1
        if head.seq < order:
            return f"{name}_out_of_order", fits + 1
        order = head.seq
        if head.seq > found.records:
            return f"behind_{name}", found.records + 1
        mark = found.marks.get(head.seq)
        if mark is None or mark.hash != head.hash:
            return f"{name}_mismatch", fits + 1
        fits = head.seq
    return None, found.records + 1


def _no_anchor_problem(found: Walk, anchors: Path | None, heads: Sequence[SignedHead]) -> str | None:
    """A second place that is configured holds at least the anchor of the log's beginning."""
    return "anchor_missing" if anchors is not None and found.records and not heads else None
