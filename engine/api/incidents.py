"""Incidents as files: read with no engine, so that a past instant can be looked at from the record."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from engine.api.views import EventRow
from seams.clock import iso_z
from seams.disk import Disk, RealDisk
from venues.types import Record

INCIDENT_FILE, NOTES_FILE, TIMELINE_FILE = "incident.json", "notes.jsonl", "timeline.jsonl"
MAX_LISTED = 200


class IncidentNote(Record):
    """What somebody found; `kind` is note or close."""

    at: str
    by: str
    kind: str
    text: str


class Incident(Record):
    """One incident: what stood, who pulled it, which audit records led to it, and what was found.

    `opener` is halt, dead_man, limits, order_storm or ambiguity; only a halt holds until it is noted.
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
    opener: str = "halt"
    status: str = "open"
    notes: tuple[IncidentNote, ...] = ()


def read_incident(folder: Path, disk: Disk) -> Incident:
    """Return an incident with its notes. Raises `FileNotFoundError` or `msgspec.MsgspecError`."""
    found = msgspec.json.decode(disk.read(folder / INCIDENT_FILE), type=Incident)
    data = disk.read(folder / NOTES_FILE) if disk.exists(folder / NOTES_FILE) else b""
    whole = data.split(b"\n")[:-1]  # a last line without its end was never acknowledged
    return with_notes(found, tuple(msgspec.json.decode(line, type=IncidentNote) for line in whole))


def with_notes(found: Incident, notes: tuple[IncidentNote, ...]) -> Incident:
    """Return an incident as these notes make it: open, noted or closed."""
    is_closed = any(note.kind == "close" for note in notes)
    status = "closed" if is_closed else "noted" if notes else "open"
    return msgspec.structs.replace(found, status=status, notes=notes)  # type: ignore[type-var]


class IncidentList(Record, tag="incident_list"):
    """Ask for the incidents of this desk, newest first."""


class IncidentShow(Record, tag="incident_show"):
    """Ask for one incident with its timeline."""

    incident_id: str


class Incidents(Record):
    """Result of `IncidentList`: at most `MAX_LISTED`."""

    rows: tuple[Incident, ...]


class IncidentDetail(Record):
    """Result of `IncidentShow`: who did what, alarms, holds and orders, oldest first."""

    incident: Incident
    timeline: tuple[EventRow, ...]


def read_timeline(folder: Path, disk: Disk) -> tuple[EventRow, ...]:
    """Return what happened around an incident, oldest first; a last line that was cut off is left out."""
    data = disk.read(folder / TIMELINE_FILE) if disk.exists(folder / TIMELINE_FILE) else b""
    return tuple(msgspec.json.decode(line, type=EventRow) for line in data.split(b"\n")[:-1])


def incident_detail(home: Path, incident_id: str) -> IncidentDetail:
    """Return one incident with its timeline. Raises `LookupError`."""
    incident = show_incident(home, incident_id)
    timeline = read_timeline(HomePaths(home).incidents / incident_id, RealDisk())
    return IncidentDetail(incident=incident, timeline=timeline)


def incident_report(detail: IncidentDetail) -> str:
    """Return an incident as Markdown: facts, notes, timeline, and where its audit records are."""
    found = detail.incident
    facts = (
        ("status", found.status),
        ("opened", f"{found.opened_at} by {found.opener}: {found.cause}"),
        ("who", found.by),
        ("reason", found.reason),
        ("level", f"{found.level}, kill {found.kill_level}"),
        ("audit records", f"{found.audit_from} to {found.audit_to}, head {found.audit_head}"),
        ("the desk then", f"`interlock past open --incident {found.incident_id}`"),
    )
    lines = [f"# Incident {found.incident_id}", "", *(f"- {name}: {value}" for name, value in facts)]
    lines += ["", "## Notes", "", *(f"- {n.at} {n.by} ({n.kind}): {n.text}" for n in found.notes)]
    lines += ["", "## Timeline", "", "| time | who | what | |", "|---|---|---|---|"]
    lines += [
        f"| {iso_z(row.at_ns)} | {row.actor} | {row.kind} | {row.text.replace('|', '/')} |"
        for row in detail.timeline
    ]
    return "\n".join(lines) + "\n"


def list_incidents(home: Path) -> tuple[Incident, ...]:
    """Return the incidents of a home, newest first; what cannot be read is left out by nobody: it raises."""
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
