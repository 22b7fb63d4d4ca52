"""The audit log: append-only JSON lines, each bound to the one before by its hash, plus a head file.

One record is durable before the next; the head file (sequence, hash, size) makes truncation visible, heads
signed with a configured key and anchors in a second place make a log that was written anew visible. The
log goes on in a new segment (`audit.jsonl.1`, `.2`, ...) when one is full; the chain runs through all.
`verify` needs no engine. A torn last line is moved to a file of its own and reported, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from safety.audit_chain import (
    GENESIS,
    AuditHead,
    AuditRecord,
    check_line,
    record_hash,
    segment_path,
    segments_of,
)
from safety.audit_heads import HeadKey, SignedHead, add_head, book_path, trim_book
from safety.audit_verify import AuditBroken as AuditBroken
from safety.audit_verify import VerifyResult as VerifyResult
from safety.audit_verify import head_path, read_head, verify_walk
from safety.audit_verify import verify_log as verify_log
from safety.canonical import canonical, changed, sha256_hex
from safety.intent import IntentCategory
from seams.clock import NS_PER_S, Clock, iso_z
from seams.disk import Disk

MAX_RECORD_BYTES = 1 << 20
SEGMENT_BYTES = 64 << 20
HEAD_EVERY_S = 60.0
TORN_TAIL = "audit.torn_tail"
DECISION = "decision"
_PLAIN = msgspec.json.Decoder(dict[str, object])
OUTCOMES = ("proposed", "blocked", "executed", "failed")
VOUCHED_AT_ONCE = frozenset({"kill", "resume", "ticket_approved", "checklist_tick", "session_close_out"})
"""Kinds after which a signed head is written at once, not at the next interval."""


class AuditLog:
    """The writer of one log; there is exactly one per engine folder.

    Opening verifies the whole log and continues its chain. Raises `AuditBroken` where it does not
    verify; a torn last line that was never acknowledged is quarantined and recorded instead. With a
    `key` heads are signed; `anchors` is the book in a second place that the log must not be behind.
    """

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        path: Path,
        *,
        key: HeadKey | None = None,
        anchors: Path | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        head_every_s: float = HEAD_EVERY_S,
    ) -> None:
        assert segment_bytes > 0 and head_every_s > 0
        self._disk, self._clock, self._path, self._key = disk, clock, path, key
        self._head_path = head_path(path)
        self._segment_bytes, self._head_every_ns = segment_bytes, round(head_every_s * NS_PER_S)
        self._is_broken = False
        self.on_decision: Callable[[AuditRecord], None] = lambda record: None
        """Told of every decision once it is durable; what it does decides nothing."""
        disk.make_folder(path.parent)
        torn = self._quarantine_torn_tail()
        for book in (book_path(path), anchors):
            if book is not None:
                trim_book(disk, book)
        result, found = verify_walk(disk, path, key, anchors)
        if not result.ok:
            raise AuditBroken(result)
        assert found is not None
        self._seq, self._hash, self._size = found.records, found.head, found.size_bytes
        self._last_ns, self._segment = found.last_ns, max(0, found.segments - 1)
        current = segment_path(path, self._segment)
        self._segment_size = len(disk.read(current)) if disk.exists(current) else 0
        self._vouched_seq, self._vouched_ns = 0, clock.monotonic_ns()
        if anchors is not None and not found.records and not result.anchors:
            add_head(disk, anchors, self._vouched("begin"))
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
            raise AuditBroken(self._write_failed())
        at_ns = self._stamp_ns()
        plain = _PLAIN.decode(canonical(body))
        draft = AuditRecord(
            seq=self._seq + 1, at=iso_z(at_ns), at_ns=at_ns, kind=kind, body=plain, prev=self._hash
        )
        record = changed(draft, hash=record_hash(draft))
        line = canonical(record) + b"\n"
        assert len(line) <= MAX_RECORD_BYTES, "records are bounded"
        try:
            self._append_line(line)
            self._seq, self._hash, self._size = record.seq, record.hash, self._size + len(line)
            self._last_ns = at_ns
            self._write_head()
            if kind in VOUCHED_AT_ONCE:
                self._vouch(kind)
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
        record = self.append(
            DECISION,
            {
                "intent_category": intent_category,
                "policy_result": dict(policy_result),
                "outcome": outcome,
                **body,
            },
        )
        self.on_decision(record)
        return record

    def vouch_when_due(self) -> bool:
        """Write a signed head once a minute while there is something new to vouch for; call about 1/s.

        Does nothing where no key is configured. Raises `OSError` or `AuditBroken`: then halt.
        """
        now_ns = self._clock.monotonic_ns()
        if self._is_broken or self._seq == self._vouched_seq:
            return False
        if now_ns - self._vouched_ns < self._head_every_ns:
            return False
        try:
            return self._vouch("interval")
        except OSError:
            self._is_broken = True
            raise

    def _vouch(self, cause: str) -> bool:
        self._vouched_seq, self._vouched_ns = self._seq, self._clock.monotonic_ns()
        if self._key is None:
            return False
        add_head(self._disk, book_path(self._path), self._vouched(cause))
        return True

    def _vouched(self, cause: str) -> SignedHead:
        head = SignedHead(seq=self._seq, hash=self._hash, at_ns=self._clock.now_ns(), cause=cause)
        return head if self._key is None else self._key.sign(head)

    def _stamp_ns(self) -> int:
        """Return the time of the next record: it never goes back (I34), whatever the host's clock does.

        Were it to, a restart would take the last record's time for the newest, and trust the clock again.
        """
        return max(self._clock.now_ns(), self._last_ns)

    def _append_line(self, line: bytes) -> None:
        """Append to the newest segment, or begin the next where it is full."""
        if self._segment_size >= self._segment_bytes:
            self._segment, self._segment_size = self._segment + 1, 0
        self._disk.append(segment_path(self._path, self._segment), line)
        self._segment_size += len(line)

    def _write_failed(self) -> VerifyResult:
        return VerifyResult(
            ok=False,
            records=self._seq,
            head=self._hash,
            first_bad_record=self._seq + 1,
            problem="write_failed",
        )

    def _write_head(self) -> None:
        head = AuditHead(seq=self._seq, hash=self._hash, size_bytes=self._size)
        self._disk.write_atomic(self._head_path, canonical(head))

    def _quarantine_torn_tail(self) -> dict[str, object] | None:
        """Move aside what stands behind the head and is not one whole record: it was never acknowledged.

        A power loss may leave any pages of the last append: a line without its end, or one whose middle
        is missing.
        """
        try:
            segments = segments_of(self._disk, self._path)
            head = read_head(self._disk, self._path) or AuditHead(seq=0, hash=GENESIS, size_bytes=0)
        except (OSError, ValueError):
            return None  # verify_walk reports it
        if not segments:
            return None
        newest = segments[-1]
        data = self._disk.read(newest)
        start = head.size_bytes - sum(len(self._disk.read(each)) for each in segments[:-1])
        tail = data[start:]
        if not 0 <= start <= len(data) or not tail or tail[:-1].count(b"\n"):
            return None  # more than one record behind the head was not left by a crash
        if tail.endswith(b"\n") and check_line(tail[:-1], head.seq + 1, head.hash)[0] is not None:
            return None
        name = f"{newest.name}.torn-{sha256_hex(tail)[:16]}"
        self._disk.write_atomic(newest.with_name(name), tail)
        self._disk.write_atomic(newest, data[:start])
        return {"file": name, "size_bytes": len(tail), "sha256": sha256_hex(tail)}


def anchor_log(disk: Disk, clock: Clock, path: Path, key: HeadKey | None, target: Path | None) -> SignedHead:
    """Verify a log and return a head that vouches for it; append it to `target`, a book elsewhere.

    A configured book that was lost or never begun is begun anew. Raises `AuditBroken` where the log does
    not verify or is behind the book, `OSError` where the book cannot be written.
    """
    has_book = target is not None and disk.exists(target)
    if target is not None and has_book:
        trim_book(disk, target)
    result, _ = verify_walk(disk, path, key, target if has_book else None)
    if not result.ok and result.problem != "anchor_missing":
        raise AuditBroken(result)
    head = SignedHead(seq=result.records, hash=result.head, at_ns=clock.now_ns(), cause="anchor")
    head = head if key is None else key.sign(head)
    if target is not None:
        add_head(disk, target, head)
    return head
