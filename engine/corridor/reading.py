"""Corridor sessions as files: read with no engine, for lists, for a person's look, for the evidence pack."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from engine.api.corridor import (
    Artifact,
    SessionState,
    Step,
    StepRow,
    SubmitAlert,
    SubmitRow,
    SubmitsHealth,
    SubmitView,
)
from engine.corridor.folder import CorridorFolder
from engine.corridor.runbook import runbooks_of
from engine.corridor.status import next_step, state_of
from engine.corridor.steps import CONFIRMATIONS, STEPS, is_done, lacks, newest
from safety.reasons import Refusal
from seams.clock import Clock, iso_z
from seams.disk import Disk

ALTERED = "artifact_altered"
HEALTH_FILE, ALERTS_FILE = "submits_health.json", "submits_alerts.json"


def show(root: Path, session_id: str, disk: Disk, now_ns: int) -> SubmitView:
    """Return one session. Raises `Refusal`: not_found, artifact_altered."""
    artifacts = CorridorFolder(root, session_id, disk).artifacts()
    if not artifacts:
        raise Refusal("not_found", f"no corridor session {session_id}; see interlock submit ls")
    return SubmitView(
        state=state_of(session_id, artifacts),
        venue=artifacts[0].venue,
        environment=artifacts[0].environment,
        order=_order(artifacts),
        steps=tuple(_row(artifacts, step, now_ns) for step in STEPS),
        artifacts=artifacts,
        next_step=next_step(artifacts).value,
        confirm=CONFIRMATIONS.get(next_step(artifacts), ""),
        runbooks=runbooks_of(root / session_id, artifacts[0].venue, disk),
    )


def rows(root: Path, disk: Disk) -> tuple[SubmitRow, ...]:
    """Return every session of a home, newest first; one whose record cannot be trusted says so."""
    names = disk.list(root) if disk.exists(root) else []
    found = [row for name in names if (row := listed(root, name, disk)) is not None]
    return tuple(sorted(found, key=lambda row: (row.opened_at, row.session_id), reverse=True))


def states(root: Path, disk: Disk) -> tuple[SessionState, ...]:
    """Return the state of every session that can be read."""
    names = disk.list(root) if disk.exists(root) else []
    found = []
    for name in sorted(names):
        try:
            artifacts = CorridorFolder(root, name, disk).artifacts()
        except Refusal:
            continue
        if artifacts:
            found.append(state_of(name, artifacts))
    return tuple(found)


def health(root: Path, disk: Disk, clock: Clock) -> SubmitsHealth:
    """Return how many sessions there are of each status, computed from their artifacts."""
    found = states(root, disk)
    latest = max(found, key=lambda state: state.updated_at, default=None)
    return SubmitsHealth(
        artifact_type="interlock.corridor.submits_health",
        generated_at=iso_z(clock.now_ns()),
        total_sessions=len(found),
        status_counts=dict(sorted(Counter(state.status for state in found).items())),
        latest_session="" if latest is None else latest.session_id,
        latest_status="" if latest is None else latest.status,
        latest_alert="" if latest is None or not latest.alerts else latest.alerts[0].code,
    )


def alerts(root: Path, disk: Disk) -> tuple[SubmitAlert, ...]:
    """Return the most pressing alert of each session that has one, the most pressing first."""
    found = [
        SubmitAlert(session_id=state.session_id, status=state.status, alert=state.alerts[0])
        for state in states(root, disk)
        if state.alerts
    ]
    return tuple(sorted(found, key=lambda each: (-each.alert.priority, each.session_id)))


def publish(root: Path, disk: Disk, clock: Clock) -> None:
    """Write the two files beside the sessions that other programs read. Raises `OSError`."""
    for name, found in ((HEALTH_FILE, health(root, disk, clock)), (ALERTS_FILE, alerts(root, disk))):
        disk.write_atomic(root / name, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def listed(root: Path, name: str, disk: Disk) -> SubmitRow | None:
    """Return one session's row; None where there is no session of that name."""
    try:
        artifacts = CorridorFolder(root, name, disk).artifacts()
    except Refusal as refusal:
        if refusal.code != ALTERED:
            return None
        return SubmitRow(
            session_id=name,
            opened_at="",
            venue="",
            environment="",
            said=str(refusal),
            status=ALTERED,
            step="",
            alert="ARTIFACT_ALTERED",
        )
    if not artifacts:
        return None
    state = state_of(name, artifacts)
    order = _order(artifacts)
    return SubmitRow(
        session_id=name,
        opened_at=artifacts[0].at,
        venue=artifacts[0].venue,
        environment=artifacts[0].environment,
        said=f"{order['side']} {order['quantity']} {order['symbol']} at {order['limit_price']}",
        status=state.status,
        step=state.step,
        alert=state.alerts[0].code if state.alerts else "",
    )


def _order(artifacts: tuple[Artifact, ...]) -> dict[str, Any]:
    first = newest(artifacts, Step.PREFLIGHT)
    return {} if first is None else dict(first.body["intent"])


def _row(artifacts: tuple[Artifact, ...], step: Step, now_ns: int) -> StepRow:
    found, is_over = newest(artifacts, step), is_done(artifacts, step)
    return StepRow(
        step=step.value,
        state="" if found is None else found.state,
        is_done=is_over,
        at="" if found is None else found.at,
        by="" if found is None else found.by,
        reasons=() if found is None else found.reasons,
        lacks=() if is_over else lacks(artifacts, step, now_ns),
    )
