"""The audit log: append-only JSON lines, each bound to the one before by its hash, plus a head file.

One record is durable before the next; the head file (sequence, hash, size) makes truncation visible.
`verify` needs no engine. A torn last line is moved to a file of its own and reported, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from safety.canonical import canonical, changed, digest, sha256_hex
from safety.intent import IntentCategory
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

GENESIS = "0" * 64
MAX_RECORD_BYTES = 1 << 20
TORN_TAIL = "audit.torn_tail"
DECISION = "decision"
OUTCOMES = ("proposed", "blocked", "executed", "failed")


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
    """Where the log ended when it was last written."""

    seq: int
    hash: str
    size_bytes: int


class VerifyResult(Record):
    """What checking a log found. `first_bad_record` is a sequence number, counted from 1."""

    ok: bool
    records: int
    head: str
    first_bad_record: int | None
    problem: str | None
    torn_bytes: int = 0


class AuditBroken(Exception):
    """The log does not verify, or a write failed: nothing may be recorded, so nothing may be risked."""

    code = "audit_broken"

    def __init__(self, result: VerifyResult) -> None:
        super().__init__(f"audit log broken: {result.problem} at record {result.first_bad_record}")
        self.result = result


def head_path(path: Path) -> Path:
    """Return where a log's head is kept."""
    return path.with_name(path.name + ".head")


def _record_hash(record: AuditRecord) -> str:
    return digest([record.seq, record.at, record.at_ns, record.kind, record.body, record.prev])


def _bad(count: int, head: str, problem: str, torn_bytes: int = 0) -> VerifyResult:
    return VerifyResult(
        ok=False,
        records=count,
        head=head,
        first_bad_record=count + 1,
        problem=problem,
        torn_bytes=torn_bytes,
    )


def _check_line(line: bytes, seq: int, prev: str) -> tuple[AuditRecord | None, str]:
    """Return the record of an intact line, or None and what is wrong with it."""
    try:
        record = msgspec.json.decode(line, type=AuditRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, "unreadable"
    if canonical(record) != line:
        return None, "not_canonical"
    if record.seq != seq:
        return None, "out_of_order"
    if record.prev != prev:
        return None, "chain_broken"
    if record.hash != _record_hash(record):
        return None, "hash_mismatch"
    return record, ""


def _check_chain(data: bytes) -> tuple[VerifyResult, int]:
    """Walk the whole log; returns the finding and the last intact record's time."""
    intact, _, torn = data.rpartition(b"\n")
    prev, count, last_ns = GENESIS, 0, 0
    for line in intact.split(b"\n") if intact or data[:1] == b"\n" else ():
        record, problem = _check_line(line, count + 1, prev)
        if record is None:
            return _bad(count, prev, problem), last_ns
        prev, count, last_ns = record.hash, count + 1, record.at_ns
    if torn:
        return _bad(count, prev, "torn_tail", len(torn)), last_ns
    return VerifyResult(ok=True, records=count, head=prev, first_bad_record=None, problem=None), last_ns


def _read_head(disk: Disk, path: Path) -> AuditHead | None:
    """Return the head, or None where there is none. Raises `ValueError` where it cannot be read."""
    try:
        data = disk.read(head_path(path))
    except FileNotFoundError:
        return None
    head = msgspec.json.decode(data, type=AuditHead)
    if canonical(head) != data:
        raise ValueError("head is not canonical")
    return head


def _head_problem(result: VerifyResult, head: AuditHead | None, data: bytes) -> str | None:
    """Compare an intact chain with its head. One record more than the head is a crash between the two."""
    if head is None:
        return "head_missing" if result.records > 1 else None
    if head.seq > result.records or head.size_bytes > len(data):
        return "truncated"
    if head.seq < result.records - 1:
        return "head_behind"
    ahead_of = data[: head.size_bytes]
    last = ahead_of[:-1].rpartition(b"\n")[2]
    if head.seq == 0:
        return None if head.size_bytes == 0 and head.hash == GENESIS else "head_mismatch"
    record, _ = _check_line(last, head.seq, _prev_of(last))
    is_same = ahead_of.endswith(b"\n") and record is not None and record.hash == head.hash
    return None if is_same else "head_mismatch"


def _prev_of(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=AuditRecord).prev
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def verify_log(disk: Disk, path: Path) -> VerifyResult:
    """Check a log against itself and its head. Finds changes, cuts, splices, swaps and torn tails."""
    try:
        data = disk.read(path)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        return _bad(0, GENESIS, f"unreadable_file: {error.strerror}")
    result, _ = _check_chain(data)
    if not result.ok:
        return result
    try:
        problem = _head_problem(result, _read_head(disk, path), data)
    except (OSError, ValueError):
        problem = "head_unreadable"
    if problem is None:
        return result
    return changed(result, ok=False, problem=problem, first_bad_record=result.records + 1)


class AuditLog:
    """The writer of one log; there is exactly one per engine folder.

    Opening verifies the whole log and continues its chain. Raises `AuditBroken` where it does not
    verify; a torn last line that was never acknowledged is quarantined and recorded instead.
    """

    def __init__(self, disk: Disk, clock: Clock, path: Path) -> None:
        self._disk, self._clock, self._path = disk, clock, path
        self._is_broken = False
        disk.make_folder(path.parent)
        torn = self._quarantine_torn_tail()
        result = verify_log(disk, path)
        if not result.ok:
            raise AuditBroken(result)
        data = disk.read(path) if disk.exists(path) else b""
        self._seq, self._hash, self._size = result.records, result.head, len(data)
        self._last_ns = _check_chain(data)[1]
        self._write_head()
        if torn is not None:
            self.append(TORN_TAIL, torn)

    @property
    def seq(self) -> int:
        return self._seq

    @property
    def head(self) -> str:
        """The hash of the newest record."""
        return self._hash

    @property
    def last_ns(self) -> int:
        """The newest recorded time; a clock before it has gone backwards (C16)."""
        return self._last_ns

    @property
    def is_broken(self) -> bool:
        """True after a failed write; every later append is refused."""
        return self._is_broken

    def append(self, kind: str, body: Mapping[str, object]) -> AuditRecord:
        """Add one record; durable when this returns. Raises `OSError` or `AuditBroken`: then halt."""
        assert kind, "a record has a kind"
        if self._is_broken:
            raise AuditBroken(_bad(self._seq, self._hash, "write_failed"))
        at_ns = self._clock.now_ns()
        plain = msgspec.json.decode(canonical(body), type=dict[str, object])
        draft = AuditRecord(
            seq=self._seq + 1, at=iso_z(at_ns), at_ns=at_ns, kind=kind, body=plain, prev=self._hash
        )
        record = changed(draft, hash=_record_hash(draft))
        line = canonical(record) + b"\n"
        assert len(line) <= MAX_RECORD_BYTES, "records are bounded"
        try:
            self._disk.append(self._path, line)
            self._seq, self._hash, self._size = record.seq, record.hash, self._size + len(line)
            self._last_ns = max(self._last_ns, at_ns)
            self._write_head()
        except OSError:
            self._is_broken = True
            raise
        return record

    def decision(
        self,
        *,
        intent_category: IntentCategory,
        policy_result: Mapping[str, object],
        outcome: str,
        body: Mapping[str, object],
    ) -> AuditRecord:
        """Record a decision; both intent category and policy result are mandatory (QT-12)."""
        assert outcome in OUTCOMES, f"outcome is one of {OUTCOMES}"
        assert policy_result, "a decision record says what policy answered"
        return self.append(
            DECISION,
            {
                "intent_category": intent_category,
                "policy_result": dict(policy_result),
                "outcome": outcome,
                **body,
            },
        )

    def _write_head(self) -> None:
        head = AuditHead(seq=self._seq, hash=self._hash, size_bytes=self._size)
        self._disk.write_atomic(head_path(self._path), canonical(head))

    def _quarantine_torn_tail(self) -> dict[str, object] | None:
        """Move bytes after the last line break aside, unless the head says that they were acknowledged."""
        if not self._disk.exists(self._path):
            return None
        data = self._disk.read(self._path)
        kept, separator, torn = data.rpartition(b"\n")
        if not torn:
            return None
        try:
            head = _read_head(self._disk, self._path)
        except (OSError, ValueError):
            return None  # verify_log reports it
        if head is not None and head.size_bytes > len(kept + separator):
            return None
        name = f"{self._path.name}.torn-{sha256_hex(torn)[:16]}"
        self._disk.write_atomic(self._path.with_name(name), torn)
        self._disk.write_atomic(self._path, kept + separator)
        return {"file": name, "size_bytes": len(torn), "sha256": sha256_hex(torn)}
