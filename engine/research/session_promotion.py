"""Which paper sessions may count towards promotion, and what blocks each of the others (QL-38, QL-113)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.research.schemas import Excluded
from engine.research.session_health import SessionEntry, list_sessions
from engine.research.session_records import PAPER_CONTRACT, SessionReport
from engine.research.sessions import FILES
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

MAX_CANDIDATES = 2
CRITERIA = (
    "status_success",
    "terminal_session",
    "paper_mode",
    "report_present",
    "paper_result_contract",
    "no_error_type",
)


class Candidate(Record):
    """A session that meets every criterion."""

    session_id: str
    finished_at: str | None
    strategies: tuple[str, ...]
    reasons: tuple[str, ...]
    path: str


class Blocked(Record):
    """A session that does not, with every blocker and the criteria that it meets all the same."""

    session_id: str
    status: str
    reasons: tuple[str, ...]
    blockers: tuple[str, ...]
    path: str


class Signal(Record):
    """One of the three signals without which nothing is promoted (QL-113)."""

    name: str
    ok: bool
    evidence: str


class PromotionReport(Record):
    """What of the paper sessions can be promoted. `ready_candidates` are the newest, at most two."""

    generated_at: str
    root_dir: str
    promotion_ready_count: int
    blocked_count: int
    ready_candidates: tuple[Candidate, ...]
    blocked_sessions: tuple[Blocked, ...]
    criteria: tuple[str, ...]
    signals: tuple[Signal, ...]


def promotion_report(sessions: Path, disk: Disk, clock: Clock, alerts_file: Path) -> PromotionReport:
    """Judge every paper session from its own files; what cannot be read blocks."""
    entries, excluded = list_sessions(sessions, disk, clock)
    ready: list[Candidate] = []
    blocked: list[Blocked] = []
    for entry in entries:
        met, blockers = _judged(entry, disk)
        if blockers:
            blocked.append(
                Blocked(
                    session_id=entry.status.session_id,
                    status=entry.shown,
                    reasons=met,
                    blockers=blockers,
                    path=entry.path,
                )
            )
        else:
            ready.append(
                Candidate(
                    session_id=entry.status.session_id,
                    finished_at=entry.status.finished_at,
                    strategies=entry.metadata.strategies,
                    reasons=met,
                    path=entry.path,
                )
            )
    ready.sort(key=lambda row: (row.finished_at or "", row.session_id), reverse=True)
    return PromotionReport(
        generated_at=iso_z(clock.now_ns()),
        root_dir=str(sessions),
        promotion_ready_count=len(ready),
        blocked_count=len(blocked) + len(excluded),
        ready_candidates=tuple(ready[:MAX_CANDIDATES]),
        blocked_sessions=(
            *blocked,
            *(_unreadable(each) for each in excluded),
        ),
        criteria=CRITERIA,
        signals=_signals(entries, len(excluded), disk, alerts_file),
    )


def _unreadable(found: Excluded) -> Blocked:
    return Blocked(
        session_id=found.path,
        status="unreadable",
        reasons=(),
        blockers=(found.reason,),
        path=found.path,
    )


def _judged(entry: SessionEntry, disk: Disk) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the criteria that a session meets, and its blockers."""
    status = entry.status
    contract = _contract(Path(entry.path), disk)
    findings: tuple[tuple[str, bool, str], ...] = (
        ("status_success", entry.shown == "success", f"status_{entry.shown}"),
        ("terminal_session", status.terminal, "non_terminal"),
        ("paper_mode", status.mode == "paper" == entry.metadata.mode, "non_paper_mode"),
        ("report_present", contract is not None, "missing_report"),
        ("paper_result_contract", contract == PAPER_CONTRACT, "unexpected_report_contract"),
        ("no_error_type", not status.error_type, "has_error_type"),
    )
    met = tuple(name for name, is_met, _ in findings if is_met)
    blockers = tuple(blocker for _, is_met, blocker in findings if not is_met)
    # A report that is not there has no contract to be wrong about.
    return met, tuple(b for b in blockers if contract is not None or b != "unexpected_report_contract")


def _contract(folder: Path, disk: Disk) -> str | None:
    """Return what a session's report says it is; None where there is none, empty where it is damaged."""
    try:
        report = msgspec.json.decode(disk.read(folder / FILES["report"]), type=SessionReport)
    except OSError:
        return None
    except msgspec.MsgspecError:
        return ""
    return report.machine_contract.contract_type


def _signals(
    entries: tuple[SessionEntry, ...], unreadable: int, disk: Disk, alerts_file: Path
) -> tuple[Signal, ...]:
    """Compute the three signals from the artifacts alone."""
    ended = [entry for entry in entries if entry.status.terminal]
    told = [entry for entry in ended if entry.status.finished_at and entry.status.status_reason != "active"]
    is_terminal = bool(ended) and len(told) == len(ended) and not unreadable
    paper = [entry for entry in entries if entry.status.mode == "paper" == entry.metadata.mode]
    failed = [entry for entry in entries if entry.shown == "failed"]
    alerted = _alerted(disk, alerts_file)
    untold = [entry.status.session_id for entry in failed if entry.status.session_id not in alerted]
    return (
        Signal(
            name="explicit_terminal_status",
            ok=is_terminal,
            evidence=f"{len(told)} of {len(ended)} ended sessions say how; {unreadable} cannot be read",
        ),
        Signal(
            name="research_and_paper_apart",
            ok=len(paper) == len(entries),
            evidence=f"{len(paper)} of {len(entries)} say that they are paper",
        ),
        Signal(
            name="failures_leave_alerts",
            ok=not untold,
            evidence=f"{len(failed) - len(untold)} of {len(failed)} failed ones are in {alerts_file.name}",
        ),
    )


def _alerted(disk: Disk, alerts_file: Path) -> frozenset[str]:
    """Return the subjects of the alert file's alerts; none where it cannot be read."""
    try:
        body = msgspec.json.decode(disk.read(alerts_file))
        return frozenset(str(alert["session_id"]) for alert in body["alerts"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        return frozenset()
