"""The promotion gates of one engine: what people's words still lack, and the acts that give them."""

from __future__ import annotations

import msgspec

from engine.api.commands import Command
from engine.api.gates import (
    ChecklistRow,
    ChecklistTick,
    ChecklistUntick,
    ClosedOut,
    ExitResult,
    GateBody,
    NoteRow,
    SessionCloseOut,
    Ticked,
)
from engine.api.run_views import RunsView, SessionRow
from engine.api.views import OrdersView, PromotionRow
from engine.core import Core
from engine.corridor.real_sessions import SentSession, SentSessions
from engine.exit_condition import exit_condition
from engine.gate_book import GateBook
from engine.promotion import CLEAN_SESSIONS
from engine.research.schemas import RunMetadata
from safety.canonical import changed, digest
from safety.gates import CHECKLIST, Candidate, note_problem, tick_problem
from safety.intent import Stage
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S
from venues.types import Record

MIN_HASH = 8
LOOK_NS = 5 * NS_PER_S


class GateDesk:
    """Judges every promotion by what people have said, and takes down what they say."""

    def __init__(self, core: Core) -> None:
        self._core, self.book = core, GateBook(core)
        self._rows: dict[str, PromotionRow] = {}
        self._evidence: dict[str, str] = {}
        """Paper session that is over -> the hash of what it left."""
        self._sent = SentSessions(core.paths.submits, core.disk)
        self._sessions: tuple[SentSession, ...] = ()
        self._due_ns = core.clock.monotonic_ns()

    # --- what is lacking -------------------------------------------------------------------------

    def judged(
        self, rows: tuple[PromotionRow, ...], runs: RunsView, leaving: tuple[ExitResult, ...] = ()
    ) -> tuple[PromotionRow, ...]:
        """Return the promotions with checklist and notes, and what these block.

        `leaving` is the exit condition: it blocks what is at the micro stage, and nothing before it.
        """
        over = [row for row in runs.sessions if row.finished_ns]
        self._evidence = {row.session_id: evidence_of(row) for row in over}
        failing = tuple(f"exit_condition:{each.name}" for each in leaving if not each.ok)
        made = tuple(self._judged(row, over, failing if row.stage == Stage.MICRO else ()) for row in rows)
        self._rows = {row.strategy: row for row in made}
        return made

    def exit_condition(self, orders: OrdersView, desk_blockers: tuple[str, ...]) -> tuple[ExitResult, ...]:
        """Return the four results of QL-115; the sessions' folders are looked at every few seconds."""
        now_ns = self._core.clock.monotonic_ns()
        if now_ns >= self._due_ns:
            self._sessions, self._due_ns = self._sent.look(), now_ns + LOOK_NS
        return exit_condition(self._core, self._sessions, self.book.notes, orders, desk_blockers)

    def _judged(self, row: PromotionRow, over: list[SessionRow], failing: tuple[str, ...]) -> PromotionRow:
        candidate = self._candidate(row)
        checklist = self._checklist(row.strategy, candidate)
        notes = self._notes(row.strategy, over)
        blockers = (
            *row.blockers,
            *failing,
            *(f"close_out_{each.problem}:{each.session_id}" for each in notes if each.problem),
            *(f"checklist_{each.problem}:{each.item}" for each in checklist if each.problem),
        )
        return changed(row, blockers=blockers, candidate=candidate, checklist=checklist, notes=notes)

    def _candidate(self, row: PromotionRow) -> str:
        """Return the hash of what would be promoted; empty where the run that proves it cannot be read."""
        core = self._core
        if not row.run_id or not row.config_id:
            return ""
        try:
            data = core.disk.read(core.paths.runs / row.run_id / "metadata.json")
            proof = msgspec.json.decode(data, type=RunMetadata).identity
        except (OSError, msgspec.MsgspecError):
            return ""
        return Candidate(
            strategy=row.strategy,
            config_id=row.config_id,
            strategy_sha256=proof.strategy_sha256,
            kernel_sha256=core.kernel_sha256,
            settings_sha256=core.config_fingerprint,
        ).hash

    def _checklist(self, strategy: str, candidate: str) -> tuple[ChecklistRow, ...]:
        ticks, now_ns = self.book.ticks(strategy), self._core.clock.now_ns()
        rows = []
        for item, said in CHECKLIST.items():
            problem = tick_problem(item, candidate, ticks, now_ns)
            last = next((tick for tick in reversed(ticks) if tick.item == item), None)
            row = ChecklistRow(item=item, said=said, problem=problem)
            if last is not None:
                row = changed(
                    row, operator=last.operator, at_ns=last.at_ns, note=last.note, audit_seq=last.seq
                )
            rows.append(row)
        return tuple(rows)

    def _notes(self, strategy: str, over: list[SessionRow]) -> tuple[NoteRow, ...]:
        """Return the note of each session that counts: the newest that ended in order (QL-116)."""
        clean_ones = [row for row in over if row.status == "success" and strategy in row.strategies]
        newest = sorted(clean_ones, key=lambda row: row.finished_ns, reverse=True)[:CLEAN_SESSIONS]
        return tuple(self.note_row(row.session_id, evidence_of(row)) for row in newest)

    def note_row(self, session_id: str, evidence: str) -> NoteRow:
        """Return one session's note as it counts for this evidence."""
        found = self.book.notes.get(session_id)
        row = NoteRow(session_id=session_id, problem=note_problem(session_id, evidence, self.book.notes))
        if found is None:
            return row
        return changed(row, operator=found.operator, at_ns=found.at_ns, note=found.note, audit_seq=found.seq)

    # --- what people say -------------------------------------------------------------------------

    def act(self, command: Command, principal: str) -> Record:
        """Take down a tick, its withdrawal or a close-out note.

        Raises `Refusal`: audit_broken, reason_required, principal_required, not_found, candidate_changed,
        session_not_over; `OSError` or `AuditBroken` where it cannot be kept.
        """
        body = command.body
        assert isinstance(body, GateBody)
        if self._core.audit.is_broken:
            raise Refusal("audit_broken", "free space, then restart the engine")
        said = clean(body.text if isinstance(body, SessionCloseOut) else command.reason)
        if not said.strip():
            raise Refusal("reason_required", "say what you looked at")
        if self._core.needs_two_persons and not principal and not isinstance(body, ChecklistUntick):
            raise Refusal("principal_required", "a gate to real money is signed with your own key")
        who = (command.operator, principal)
        if isinstance(body, SessionCloseOut):
            return self._close_out(body, who, said)
        return self._tick(body, who, said)

    def _tick(self, body: ChecklistTick | ChecklistUntick, who: tuple[str, str], said: str) -> Ticked:
        row = self._rows.get(body.strategy)
        if row is None or body.item not in CHECKLIST:
            items = ", ".join(CHECKLIST)
            raise Refusal("not_found", clean(f"{body.strategy} {body.item}: the items are {items}", 400))
        is_withdrawn = isinstance(body, ChecklistUntick)
        candidate = self._candidate(row)
        if isinstance(body, ChecklistTick):
            seen = body.candidate.lower()
            if not candidate:
                raise Refusal("candidate_changed", f"{row.strategy} has no run that proves what it is")
            if len(seen) < MIN_HASH or not candidate.startswith(seen):
                raise Refusal("candidate_changed", f"{row.strategy} is {candidate[:16]} now")
        seq = self.book.tick(body.strategy, body.item, candidate, who, said, is_withdrawn=is_withdrawn)
        rows = self._checklist(body.strategy, candidate)
        return Ticked(strategy=body.strategy, candidate=candidate, rows=rows, audit_seq=seq)

    def _close_out(self, body: SessionCloseOut, who: tuple[str, str], said: str) -> ClosedOut:
        sent = {each.session_id: each for each in self._sent.look()}.get(body.session_id)
        evidence = self._evidence.get(body.session_id, "")
        if sent is not None:
            evidence = sent.evidence if sent.is_over else ""
        if not evidence:
            raise Refusal("session_not_over", clean(body.session_id, 80))
        self._due_ns = self._core.clock.monotonic_ns()
        seq = self.book.close_out(body.session_id, evidence, who, said)
        return ClosedOut(session_id=body.session_id, evidence=evidence, audit_seq=seq)


def evidence_of(row: SessionRow) -> str:
    """Return the hash of what a session that is over left: how it ended, what it decided and traded.

    Its times are left out: memory and files tell them to another precision.
    """
    traded = (row.decision_sha256, row.bars, row.orders, row.fills)
    return digest([row.session_id, row.status, *traded, row.config_ids])
