"""Incidents as files: read with no engine, so that a past instant can be looked at from the record."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from seams.disk import Disk, RealDisk
from venues.types import Record

INCIDENT_FILE, NOTES_FILE = "incident.json", "notes.jsonl"


class IncidentNote(Record):
    """What somebody found; `kind` is note or close."""

    at: str
    by: str
    kind: str
    text: str


class Incident(Record):
    """One halt: what stood, who pulled it, which audit records led to it, and what was found.

    `status` is open (nobody wrote a note), noted or closed; it is derived from the notes when read.
    """

    incident_id: str
    opened_at: str
    opened_ns: int
    epoch: int
    level: str
    kill_level: str
    cause: str
    by: str
    reason: str
    audit_from: int
    audit_to: int
    audit_head: str
    views: tuple[str, ...]
    status: str = "open"
    notes: tuple[IncidentNote, ...] = ()


def read_incident(folder: Path, disk: Disk) -> Incident:
    """Return an incident with its notes. Raises `FileNotFoundError` or `msgspec.MsgspecError`."""
    found = msgspec.json.decode(disk.read(folder / INCIDENT_FILE), type=Incident)
    data = disk.read(folder / NOTES_FILE) if disk.exists(folder / NOTES_FILE) else b""
    whole = data.split(b"\n")[:-1]  # a last line without its end was never acknowledged
    notes = tuple(msgspec.json.decode(line, type=IncidentNote) for line in whole)
    is_closed = any(note.kind == "close" for note in notes)
    status = "closed" if is_closed else "noted" if notes else "open"
    return msgspec.structs.replace(found, status=status, notes=notes)  # type: ignore[type-var]


def list_incidents(home: Path) -> tuple[Incident, ...]:
    """Return every incident of a home, newest first; what cannot be read is left out by nobody: it raises."""
    disk, folder = RealDisk(), HomePaths(home).incidents
    names = [name for name in disk.list(folder) if disk.exists(folder / name / INCIDENT_FILE)]
    return tuple(read_incident(folder / name, disk) for name in sorted(names, reverse=True))


def show_incident(home: Path, incident_id: str) -> Incident:
    """Return one incident. Raises `LookupError`."""
    for incident in list_incidents(home):
        if incident.incident_id == incident_id:
            return incident
    raise LookupError(f"no incident {incident_id}")


def incident_view(home: Path, incident_id: str, name: str) -> dict[str, object]:
    """Return one view as it was at the incident. Raises `LookupError`."""
    incident = show_incident(home, incident_id)
    if name not in incident.views:
        raise LookupError(f"{incident_id} has no view {name}: {', '.join(incident.views)}")
    data = RealDisk().read(HomePaths(home).incidents / incident_id / "views" / f"{name}.json")
    return msgspec.json.decode(data, type=dict[str, object])
