"""Paper sessions as a whole: the list, the index, health and the alert snapshot (QL-37)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import msgspec

from engine.api.endpoint import is_alive
from engine.research.index import write_three
from engine.research.schemas import Excluded
from engine.research.session_records import SessionIndexRow, SessionMetadata, SessionsIndex, SessionStatus
from engine.research.sessions import SESSION_ID, read_metadata, read_status
from seams.clock import NS_PER_S, Clock, iso_z
from seams.disk import Disk
from venues.types import Record

STALE_AFTER_MINUTES = 60.0
ALERTS: dict[str, tuple[str, str]] = {
    "failed": ("PAPER_SESSION_FAILED", "critical"),
    "aborted": ("PAPER_SESSION_ABORTED", "warning"),
    "stale": ("PAPER_SESSION_STALE", "warning"),
}
"""Shown state → (alert code, severity)."""


class SessionEntry(Record):
    """One readable session; `shown` is its status, or stale."""

    metadata: SessionMetadata
    status: SessionStatus
    shown: str
    age_minutes: float
    path: str


class Health(Record):
    """The summary of all sessions; equal to a recount of the folders."""

    total_sessions: int
    status_counts: dict[str, int]
    latest_session_id: str | None
    latest_session_status: str | None
    latest_session_at: str | None
    latest_issue_session_id: str | None
    latest_issue_status: str | None
    latest_issue_at: str | None
    latest_issue_error_type: str | None
    active_sessions: tuple[str, ...]


class Alert(Record):
    alert_code: str
    severity: str
    session_id: str
    status: str
    activity_at: str
    age_minutes: float
    error_type: str | None
    message: str
    path: str


class AlertSnapshot(Record):
    """The alerts of a moment; `alert_status` is ok, warning or critical."""

    root_dir: str
    generated_at: str
    stale_after_minutes: float
    total_sessions: int
    status_counts: dict[str, int]
    running_sessions: tuple[str, ...]
    alert_status: str
    has_alerts: bool
    alert_counts: dict[str, int]
    latest_success_session_id: str | None
    latest_success_at: str | None
    latest_alert_session_id: str | None
    latest_alert_at: str | None
    alerts: tuple[Alert, ...]


def list_sessions(
    sessions: Path, disk: Disk, clock: Clock, stale_after_minutes: float = STALE_AFTER_MINUTES
) -> tuple[tuple[SessionEntry, ...], tuple[Excluded, ...]]:
    """Read every session folder, newest first; damaged ones are excluded with a reason."""
    entries: list[SessionEntry] = []
    excluded: list[Excluded] = []
    for name in disk.list(sessions):
        folder = sessions / name
        if not SESSION_ID.fullmatch(name):
            excluded.append(Excluded(path=name, reason="not_a_session_folder"))
            continue
        try:
            status, metadata = read_status(folder, disk), read_metadata(folder, disk)
            age = (clock.now_ns() - _ns(status.updated_at)) / (60 * NS_PER_S)
        except OSError:
            excluded.append(Excluded(path=name, reason="unreadable_status"))
        except (msgspec.MsgspecError, ValueError):
            excluded.append(Excluded(path=name, reason="damaged_status"))
        else:
            shown = "stale" if is_stale(status, age, stale_after_minutes) else status.status
            entries.append(
                SessionEntry(metadata=metadata, status=status, shown=shown, age_minutes=age, path=str(folder))
            )
    entries.sort(key=lambda each: (each.status.started_at, each.status.session_id), reverse=True)
    return tuple(entries), tuple(excluded)


def is_stale(status: SessionStatus, age_minutes: float, stale_after_minutes: float) -> bool:
    """Tell whether a running session has stopped moving, or its process is gone."""
    return not status.terminal and (age_minutes > stale_after_minutes or not is_alive(status.pid))


def refresh_sessions_index(sessions: Path, disk: Disk, clock: Clock) -> SessionsIndex:
    """Write paper_sessions_index.{csv,json,md} beside the sessions' folder. Raises `OSError`."""
    entries, excluded = list_sessions(sessions, disk, clock)
    rows = tuple(_row(entry) for entry in entries)
    index = SessionsIndex(
        generated_at=iso_z(clock.now_ns()),
        root_dir=str(sessions),
        n_sessions=len(rows),
        sessions=rows,
        excluded=excluded,
    )
    columns = tuple(SessionIndexRow.__annotations__)
    built = [msgspec.to_builtins(row) for row in rows]
    write_three(sessions.parent, "paper_sessions_index", index, built, columns, disk)
    return index


def health(entries: tuple[SessionEntry, ...]) -> Health:
    """Summarise sessions given newest first."""
    latest = entries[0] if entries else None
    issue = next((entry for entry in entries if entry.shown in ALERTS), None)
    return Health(
        total_sessions=len(entries),
        status_counts=dict(sorted(Counter(entry.shown for entry in entries).items())),
        latest_session_id=latest.status.session_id if latest else None,
        latest_session_status=latest.shown if latest else None,
        latest_session_at=latest.status.updated_at if latest else None,
        latest_issue_session_id=issue.status.session_id if issue else None,
        latest_issue_status=issue.shown if issue else None,
        latest_issue_at=issue.status.updated_at if issue else None,
        latest_issue_error_type=issue.status.error_type if issue else None,
        active_sessions=tuple(e.status.session_id for e in entries if e.shown == "running"),
    )


def alert_snapshot(
    sessions: Path, disk: Disk, clock: Clock, stale_after_minutes: float = STALE_AFTER_MINUTES
) -> AlertSnapshot:
    """Return the alerts of now, newest session first."""
    entries, _ = list_sessions(sessions, disk, clock, stale_after_minutes)
    alerts = tuple(_alert(entry) for entry in entries if entry.shown in ALERTS)
    severities = {alert.severity for alert in alerts}
    good = next((entry for entry in entries if entry.shown == "success"), None)
    return AlertSnapshot(
        root_dir=str(sessions),
        generated_at=iso_z(clock.now_ns()),
        stale_after_minutes=stale_after_minutes,
        total_sessions=len(entries),
        status_counts=health(entries).status_counts,
        running_sessions=health(entries).active_sessions,
        alert_status="critical" if "critical" in severities else "warning" if severities else "ok",
        has_alerts=bool(alerts),
        alert_counts=dict(sorted(Counter(alert.alert_code for alert in alerts).items())),
        latest_success_session_id=good.status.session_id if good else None,
        latest_success_at=good.status.finished_at if good else None,
        latest_alert_session_id=alerts[0].session_id if alerts else None,
        latest_alert_at=alerts[0].activity_at if alerts else None,
        alerts=alerts,
    )


def _alert(entry: SessionEntry) -> Alert:
    code, severity = ALERTS[entry.shown]
    return Alert(
        alert_code=code,
        severity=severity,
        session_id=entry.status.session_id,
        status=entry.shown,
        activity_at=entry.status.updated_at,
        age_minutes=round(entry.age_minutes, 1),
        error_type=entry.status.error_type,
        message=entry.status.message,
        path=entry.path,
    )


def _row(entry: SessionEntry) -> SessionIndexRow:
    status, metadata = entry.status, entry.metadata
    return SessionIndexRow(
        session_id=status.session_id,
        status=status.status,
        status_reason=status.status_reason,
        started_at=status.started_at,
        finished_at=status.finished_at,
        strategies=" ".join(metadata.strategies),
        symbols=" ".join(metadata.symbols),
        feed=metadata.feed,
        bars=status.bars,
        orders=status.orders,
        fills=status.fills,
        equity_usd=status.equity_usd,
        error_type=status.error_type,
        path=entry.path,
    )


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000) * 1_000_000
