"""Incidents: a halt opens one, with the views of that moment; people add what they found, and close it.

A folder under `outputs/incidents/` each: `incident.json` (what stood), `views/NAME.json` (what consoles were
shown), `notes.jsonl` (who found what). Its audit range begins with the engine's start and ends at the halt;
later records are in the log itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.api.incidents import INCIDENT_FILE, NOTES_FILE, Incident, IncidentNote, read_incident
from engine.api.views import View
from engine.core import Core
from engine.views import KILL_WORDS, LEVEL_WORDS
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import iso_z

INCIDENT_ID = re.compile(r"I-\d{8}T\d{6}Z-\d{1,10}")
MAX_NOTE = 2_000


class IncidentBook:
    """The incidents of one engine; `look` about once a second."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._first_seq = core.audit.seq
        self._was_halted = core.interlock.level is HoldLevel.HALT
        """A halt that an earlier engine left has its incident already."""

    def look(self, views: Mapping[str, View]) -> str:
        """Open an incident when a halt has begun; return its id, empty where none was opened.

        Raises `OSError`.
        """
        is_halted = self._core.interlock.level is HoldLevel.HALT
        has_begun = is_halted and not self._was_halted
        self._was_halted = is_halted
        return self._open(views) if has_begun else ""

    def note(self, incident_id: str, operator: str, text: str, *, closes: bool) -> Incident:
        """Add what somebody found, or close with it. Raises `Refusal`, or `OSError`."""
        if not INCIDENT_ID.fullmatch(incident_id):
            raise Refusal("not_found", clean(incident_id, 80))
        folder = self._core.paths.incidents / incident_id
        try:
            found = read_incident(folder, self._core.disk)
        except FileNotFoundError:
            raise Refusal("not_found", incident_id) from None
        said = clean(text, MAX_NOTE)
        if not said:
            raise Refusal("reason_required", "say what you found")
        if found.status == "closed":
            raise Refusal("incident_closed", incident_id)
        kind = "close" if closes else "note"
        note = IncidentNote(at=iso_z(self._core.clock.now_ns()), by=clean(operator, 80), kind=kind, text=said)
        self._core.note(f"incident_{kind}", operator, f"{incident_id}: {said}", incident_id=incident_id)
        self._core.disk.append(folder / NOTES_FILE, msgspec.json.encode(note) + b"\n")
        return read_incident(folder, self._core.disk)

    def resumed(self, operator: str, reason: str) -> None:
        """The reason of a resume is a note on every incident that has none: no halt is lifted unexplained."""
        for name in self._core.disk.list(self._core.paths.incidents):
            if not INCIDENT_ID.fullmatch(name):
                continue
            found = read_incident(self._core.paths.incidents / name, self._core.disk)
            if found.status == "open":
                self.note(name, operator, f"resumed: {reason}", closes=False)

    def _open(self, views: Mapping[str, View]) -> str:
        core, record = self._core, self._core.kill.record
        now_ns = core.clock.now_ns()
        stamp = iso_z(now_ns)[:19].replace("-", "").replace(":", "")
        incident_id = f"I-{stamp}Z-{core.audit.seq}"
        is_kill = core.kill.level is not KillLevel.CLEAR
        folder = core.paths.incidents / incident_id
        hold = core.interlock.holds[0]
        core.disk.make_folder(folder / "views")
        for name, view in views.items():
            self._put(folder / "views" / f"{name}.json", msgspec.json.encode(view))
        made = Incident(
            incident_id=incident_id,
            opened_at=iso_z(now_ns),
            opened_ns=now_ns,
            epoch=core.epoch,
            level=LEVEL_WORDS[core.interlock.level],
            kill_level=KILL_WORDS[core.kill.level],
            cause=hold.code,
            by=record.by if is_kill else hold.source,
            reason=record.reason if is_kill else hold.evidence,
            audit_from=self._first_seq,
            audit_to=core.audit.seq,
            audit_head=core.audit.head,
            views=tuple(sorted(views)),
        )
        self._put(folder / INCIDENT_FILE, msgspec.json.encode(made))  # last: a folder without it is none
        core.note("incident_opened", "eng", f"{incident_id}: {made.cause}", incident_id=incident_id)
        return incident_id

    def _put(self, path: Path, data: bytes) -> None:
        self._core.disk.write_atomic(path, msgspec.json.format(data, indent=1) + b"\n")
