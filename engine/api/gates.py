"""The promotion gates as people see and work them: checklist, close-out notes, the exit condition."""

from __future__ import annotations

from venues.types import Record


class ChecklistTick(Record, tag="checklist_tick"):
    """Tick one item for exactly the candidate of this hash (at least 8 characters of it); the envelope's
    reason says what was looked at."""

    strategy: str
    candidate: str
    item: str


class ChecklistUntick(Record, tag="checklist_untick"):
    """Take a tick back, with a reason. Nothing is erased: both stand in the audit log."""

    strategy: str
    item: str


class SessionCloseOut(Record, tag="session_close_out"):
    """Write the close-out note of a session that is over: what happened, and what was learnt."""

    session_id: str
    text: str


GateBody = ChecklistTick | ChecklistUntick | SessionCloseOut


class ChecklistRow(Record):
    """One item for one strategy. `problem` is unticked, other_candidate or stale; empty where it counts.

    `operator`, `at_ns`, `note` and `audit_seq` are of the last tick, empty where there is none.
    """

    item: str
    said: str
    problem: str
    operator: str = ""
    at_ns: int = 0
    note: str = ""
    audit_seq: int = 0


class NoteRow(Record):
    """One session that counts for a promotion, and its close-out note. `problem` is missing or
    other_evidence; empty where the note counts."""

    session_id: str
    problem: str
    operator: str = ""
    at_ns: int = 0
    note: str = ""
    audit_seq: int = 0


class ExitResult(Record):
    """One of the four results without which nothing leaves the micro stage (QL-115)."""

    name: str
    ok: bool
    said: str


class Ticked(Record):
    """Result of `ChecklistTick` and `ChecklistUntick`: the checklist as it stands, and what it is about."""

    strategy: str
    candidate: str
    rows: tuple[ChecklistRow, ...]
    audit_seq: int


class ClosedOut(Record):
    """Result of `SessionCloseOut`: what the note is bound to, and where it stands."""

    session_id: str
    evidence: str
    audit_seq: int
