"""Health and alerts of the desk as files (QL-84), with the fields that the paper sessions' snapshots have."""

from __future__ import annotations

from collections import Counter

import msgspec

from engine.api.views import AlarmRow, PartHealth
from engine.core import Core
from engine.research.session_health import Alert, AlertSnapshot, alert_snapshot, list_sessions
from engine.research.session_health import health as sessions_health
from engine.views import KILL_WORDS, LEVEL_WORDS
from seams.clock import NS_PER_S, iso_z
from venues.types import Record

HEALTH_FILE, ALERTS_FILE = "desk_health.json", "desk_alerts.json"
SEVERITY = {1: "critical", 2: "warning", 3: "warning"}
REFRESH_NS = 60 * NS_PER_S


class DeskHealth(Record):
    """The desk at a moment: its sessions as a whole, the interlock, and each part with its age."""

    generated_at: str
    epoch: int
    level: str
    kill_level: str
    ok: bool
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
    parts: tuple[PartHealth, ...]


class Snapshots:
    """Writes both files when what they say has changed, and once a minute."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._essence: object = None
        self._written_ns = 0

    def look(self, parts: tuple[PartHealth, ...]) -> bool:
        """Write where something is new; True where files were written. Raises `OSError`."""
        core = self._core
        rows = core.alarms.rows(core.clock.now_ns())
        essence = (
            [(row.alarm_id, row.state, row.count, row.message) for row in rows],
            [(part.part, part.state) for part in parts],
            core.kill.level,
            core.interlock.level,
        )
        now_ns = core.clock.monotonic_ns()
        if essence == self._essence and now_ns - self._written_ns < REFRESH_NS:
            return False
        self._essence, self._written_ns = essence, now_ns
        for name, record in ((HEALTH_FILE, desk_health(core, parts)), (ALERTS_FILE, desk_alerts(core, rows))):
            body = msgspec.json.format(msgspec.json.encode(record), indent=1)
            core.disk.write_atomic(core.paths.outputs / name, body + b"\n")
        return True


def desk_health(core: Core, parts: tuple[PartHealth, ...]) -> DeskHealth:
    """Return the desk's health."""
    entries, _ = list_sessions(core.paths.sessions, core.disk, core.clock)
    facts = msgspec.structs.asdict(sessions_health(entries))  # type: ignore[arg-type]  # a Record is one
    return DeskHealth(
        generated_at=iso_z(core.clock.now_ns()),
        epoch=core.epoch,
        level=LEVEL_WORDS[core.interlock.level],
        kill_level=KILL_WORDS[core.kill.level],
        ok=all(part.state in ("ok", "off", "slow") for part in parts),
        parts=parts,
        **facts,
    )


def desk_alerts(core: Core, rows: tuple[AlarmRow, ...]) -> AlertSnapshot:
    """Return the sessions' alerts with the desk's alarms before them, the most urgent first."""
    stale_after = core.settings.analytics.paper_stale_after_minutes
    sessions = alert_snapshot(core.paths.sessions, core.disk, core.clock, stale_after)
    alerts = (*(_alert(core, row) for row in rows), *sessions.alerts)
    severities = {alert.severity for alert in alerts}
    newest = max(alerts, key=lambda alert: alert.activity_at, default=None)
    return msgspec.structs.replace(  # type: ignore[type-var]
        sessions,
        root_dir=str(core.paths.outputs),
        alert_status="critical" if "critical" in severities else "warning" if severities else "ok",
        has_alerts=bool(alerts),
        alert_counts=dict(sorted(Counter(alert.alert_code for alert in alerts).items())),
        latest_alert_session_id=newest.session_id if newest else None,
        latest_alert_at=newest.activity_at if newest else None,
        alerts=alerts,
    )


def _alert(core: Core, row: AlarmRow) -> Alert:
    age_ns = core.clock.now_ns() - row.since_ns
    return Alert(
        alert_code=row.code.upper(),
        severity=SEVERITY[row.priority],
        session_id=row.subject,
        status=row.state,
        activity_at=iso_z(row.since_ns),
        age_minutes=round(max(0, age_ns) / (60 * NS_PER_S), 1),
        error_type=row.code,
        message=row.message,
        path=f"runbooks/{row.runbook}",
    )
