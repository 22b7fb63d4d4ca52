"""The registry of corridor sessions, made from their folders, and the stub: what a submit would send now.

Neither asks a venue or an engine; nothing is trusted but the artifacts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.api.corridor import Artifact, Step, SubmitRow
from engine.corridor import reading
from engine.corridor.folder import CorridorFolder
from engine.corridor.steps import lacks, newest
from engine.research.index import write_three
from safety.reasons import Refusal
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

INDEX = "submits_index"
ATTEMPT = "submit_attempt.json"


class SubmitsIndex(Record):
    """The registry as one record, newest first."""

    artifact_type: str
    generated_at: str
    root_dir: str
    n_sessions: int
    status_counts: dict[str, int]
    sessions: tuple[SubmitRow, ...]


class SubmitAttempt(Record):
    """What `submit send` would do at this moment, as far as the artifacts say; the gate is judged anew by the
    engine, with the market of then."""

    artifact_type: str
    generated_at: str
    session_id: str
    venue: str
    environment: str
    submit_mode: str
    would_submit: bool
    remote_submit_called: bool
    reasons: tuple[str, ...]
    said: tuple[str, ...]
    prepared_sha256: str
    payload: dict[str, Any]


def index_submits(root: Path, disk: Disk, clock: Clock) -> SubmitsIndex:
    """Scan every session and write the index as json, csv and md beside their root. Raises `OSError`."""
    rows = reading.rows(root, disk)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    index = SubmitsIndex(
        artifact_type="interlock.submits_index",
        generated_at=iso_z(clock.now_ns()),
        root_dir=str(root),
        n_sessions=len(rows),
        status_counts=dict(sorted(counts.items())),
        sessions=rows,
    )
    plain = [msgspec.to_builtins(row) for row in rows]
    write_three(root.parent, INDEX, index, plain, tuple(SubmitRow.__annotations__), disk)
    return index


def stub_submit(root: Path, session_id: str, disk: Disk, clock: Clock) -> SubmitAttempt:
    """Say what a submit would send now and what keeps it from being sent, and write that into the session's
    folder; nothing is sent, and no step is done by it. Raises `Refusal`: not_found, artifact_altered."""
    folder = CorridorFolder(root, session_id, disk)
    artifacts = folder.artifacts()
    if not artifacts:
        raise Refusal("not_found", session_id)
    found = lacks(artifacts, Step.SUBMIT, clock.now_ns())
    prepared = newest(artifacts, Step.PREPARE)
    made = SubmitAttempt(
        artifact_type="interlock.corridor.submit_attempt",
        generated_at=iso_z(clock.now_ns()),
        session_id=session_id,
        venue=artifacts[0].venue,
        environment=artifacts[0].environment,
        submit_mode="stub",
        would_submit=not found,
        remote_submit_called=False,
        reasons=tuple(each.code for each in found),
        said=tuple(each.said for each in found),
        prepared_sha256="" if prepared is None else folder.hashes()[prepared.number],
        payload={} if prepared is None else _payload(prepared),
    )
    folder.put(ATTEMPT, made)
    return made


def _payload(prepared: Artifact) -> dict[str, Any]:
    """Return the order as the venue reads it: a signed action, or the fields of a form."""
    venue = prepared.body.get("venue") or {}
    fields = dict(venue.get("payload") or {})
    fields.pop("validate", None)  # what is validated first is sent without it
    return fields or dict(venue.get("action_payload") or {})
