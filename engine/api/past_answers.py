"""What questions were answered at a past instant, where the record tells; with no engine.

Views are recorded as they were shown; incidents and drills leave files with the times of their entries. What
leaves neither is not on record, and is said so rather than answered as of today.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.api.commands import QueryBody
from engine.api.drills import DrillList, Drills
from engine.api.home import HomePaths
from engine.api.incidents import (
    MAX_LISTED,
    Incident,
    IncidentDetail,
    IncidentList,
    Incidents,
    IncidentShow,
    incident_detail,
    list_incidents,
    with_notes,
)
from engine.api.past import NotRecorded
from seams.clock import iso_z, utc_ns
from seams.disk import RealDisk
from venues.types import Record

NOT_ON_RECORD = "not on record: it holds what panels showed, incidents and drills"


def past_answer(
    home: Path, environ: dict[str, str], body: QueryBody, at_ns: int, kernel_sha256: str
) -> Record:
    """Return what an engine would have answered at `at_ns` (UTC) with this kernel.

    Raises `NotRecorded` where nothing tells, or where it was not there yet.
    """
    if isinstance(body, IncidentList):
        return Incidents(rows=incidents_at(home, at_ns)[:MAX_LISTED])
    if isinstance(body, IncidentShow):
        return _incident_at(home, body.incident_id, at_ns)
    if isinstance(body, DrillList):
        return _drills_at(home, environ, at_ns, kernel_sha256)
    raise NotRecorded(NOT_ON_RECORD)


def incidents_at(home: Path, at_ns: int) -> tuple[Incident, ...]:
    """Return the incidents that were open or done by an instant, newest first, with the notes of then."""
    return tuple(_as_of(each, at_ns) for each in list_incidents(home) if each.opened_ns <= at_ns)


def _as_of(incident: Incident, at_ns: int) -> Incident:
    return with_notes(incident, tuple(note for note in incident.notes if utc_ns(note.at) <= at_ns))


def _incident_at(home: Path, incident_id: str, at_ns: int) -> IncidentDetail:
    try:
        found = incident_detail(home, incident_id)
    except LookupError as error:
        raise NotRecorded(f"not on record: {error}") from error
    if found.incident.opened_ns > at_ns:
        raise NotRecorded(f"not on record: {incident_id} was opened at {found.incident.opened_at}")
    timeline = tuple(row for row in found.timeline if row.at_ns <= at_ns)
    return IncidentDetail(incident=_as_of(found.incident, at_ns), timeline=timeline)


def _drills_at(home: Path, environ: dict[str, str], at_ns: int, kernel_sha256: str) -> Drills:
    """A drill is known from its beginning on: its file does not tell when it ended."""
    # Here, not above: a console that looks at the present must not pay for it.
    from engine.config.settings import ConfigError
    from engine.keys import drill_key
    from engine.ops.drill_rows import drill_rows
    from safety.reasons import Refusal
    from safety.secrets import Secret

    key: Secret | Refusal | None
    try:
        key = drill_key(home, environ)
    except (Refusal, ConfigError) as error:
        key = error if isinstance(error, Refusal) else Refusal("invalid_config", str(error))
    try:
        rows = drill_rows(HomePaths(home).outputs, RealDisk(), at_ns, kernel_sha256, key)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotRecorded(f"not on record at {iso_z(at_ns)}: {error}") from error
    return Drills(at_ns=at_ns, rows=rows)
