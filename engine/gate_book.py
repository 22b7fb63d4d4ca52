"""Ticks and close-out notes. Each is one record of the audit chain, and the chain is where they are kept.

There is no second copy that could be edited: an engine reads them back at its start from the log that it has
just verified, and whoever changes, removes or slips in one breaks the chain (QL-90).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from engine.core import Core
from safety.audit_chain import AuditRecord, segments_of
from safety.gates import CloseOut, Tick
from safety.text import clean
from seams.disk import Disk

TICK, UNTICK, NOTE = "checklist_tick", "checklist_untick", "session_close_out"
_MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in (TICK, UNTICK, NOTE))
MAX_NOTE = 2_000


class _TickBody(msgspec.Struct, frozen=True):
    actor: str
    strategy: str
    item: str
    candidate: str
    principal: str
    note: str


class _NoteBody(msgspec.Struct, frozen=True):
    actor: str
    session_id: str
    evidence: str
    principal: str
    note: str


class GateBook:
    """What people said on this desk's gates. Raises `OSError`, `ValueError` or `msgspec.MsgspecError`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ticks: dict[str, list[Tick]] = {}
        self._notes: dict[str, CloseOut] = {}
        for record in records_in(core.disk, core.paths.audit):
            self._take(record)

    @property
    def notes(self) -> Mapping[str, CloseOut]:
        """Session -> its last close-out note."""
        return self._notes

    def ticks(self, strategy: str) -> list[Tick]:
        """Return the ticks of a strategy, oldest first."""
        return self._ticks.get(strategy, [])

    def tick(
        self, strategy: str, item: str, candidate: str, who: tuple[str, str], note: str, *, is_withdrawn: bool
    ) -> int:
        """Put a tick, or its withdrawal, on the record; return its number there. `who` is name and key id.

        Durable when this returns. Raises `OSError` or `AuditBroken`: then halt.
        """
        body = {"strategy": strategy, "item": item, "candidate": candidate}
        return self._put(UNTICK if is_withdrawn else TICK, who, note, body, f"{strategy} {item}")

    def close_out(self, session_id: str, evidence: str, who: tuple[str, str], note: str) -> int:
        """Put a close-out note on the record; return its number there. As `tick`."""
        return self._put(NOTE, who, note, {"session_id": session_id, "evidence": evidence}, session_id)

    def _put(self, kind: str, who: tuple[str, str], note: str, body: dict[str, str], subject: str) -> int:
        said = clean(note, MAX_NOTE)
        name, principal = clean(who[0], 80), who[1]
        facts = {"actor": name, "text": f"{subject}: {said}", "principal": principal, "note": said, **body}
        record = self._core.audit.append(kind, facts)
        self._take(record)
        self._core.events.add(kind, name, f"{subject}: {said}")
        return record.seq

    def _take(self, record: AuditRecord) -> None:
        if record.kind == NOTE:
            note = msgspec.convert(record.body, _NoteBody)
            self._notes[note.session_id] = CloseOut(
                session_id=note.session_id,
                evidence=note.evidence,
                operator=note.actor,
                principal=note.principal,
                note=note.note,
                at_ns=record.at_ns,
                seq=record.seq,
                sha256=record.hash,
            )
            return
        tick = msgspec.convert(record.body, _TickBody)
        made = Tick(
            strategy=tick.strategy,
            item=tick.item,
            candidate=tick.candidate,
            operator=tick.actor,
            principal=tick.principal,
            note=tick.note,
            is_withdrawn=record.kind == UNTICK,
            at_ns=record.at_ns,
            seq=record.seq,
            sha256=record.hash,
        )
        self._ticks.setdefault(tick.strategy, []).append(made)


def records_in(disk: Disk, log: Path) -> Iterator[AuditRecord]:
    """Yield the records of ticks and notes, oldest first; other lines are passed over unread."""
    for segment in segments_of(disk, log):
        for line in disk.read(segment).split(b"\n"):
            if any(mark in line for mark in _MARKS):
                record = msgspec.json.decode(line, type=AuditRecord)
                if record.kind in (TICK, UNTICK, NOTE):
                    yield record
