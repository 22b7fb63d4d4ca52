"""Incidents: a halt opens one, with the views of that moment; people add what they found, and close it.

A folder under `outputs/incidents/` each: `incident.json` (what stood), `views/NAME.json` (what consoles were
shown), `notes.jsonl` (who found what), `timeline.jsonl` (what happened before, and after until it is closed).
Its audit range begins with the engine's start and ends at the opening; later records are in the log itself.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from engine.api.incidents import (
    INCIDENT_FILE,
    NOTES_FILE,
    TIMELINE_FILE,
    Incident,
    IncidentNote,
    read_incident,
)
from engine.api.views import View
from engine.core import Core
from engine.ops.events import MAX_PAGE
from engine.views import KILL_WORDS, LEVEL_WORDS
from safety.interlock import Clearance, Hold, HoldLevel
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import iso_z
from seams.disk import append_lazily

INCIDENT_ID = re.compile(r"I-\d{8}T\d{6}Z-\d{1,10}")
MAX_NOTE = 2_000
BEFORE = 200
"""How many of the events before it a timeline begins with."""
MAX_TIMELINE = 2_000
SAID_AGAIN = 64
"""What is among the last so many lines is not told again: a halted strategy is denied a hundred times."""
HOLD = "incident"

OPENERS: Mapping[str, Callable[[Hold], bool]] = {
    "halt": lambda hold: hold.level is HoldLevel.HALT,
    "dead_man": lambda hold: hold.code == "kill" and hold.source == "watchdog",
    "limits": lambda hold: hold.code == "limits",
    "order_storm": lambda hold: hold.code == "order_storm",
    "ambiguity": lambda hold: hold.code == "ambiguity" and hold.subject == "account",
}
"""What opens an incident: an opener's name, and which hold is one. A halt alone holds until it is noted."""


class IncidentBook:
    """The incidents of one engine; `look` about once a second."""

    def __init__(self, core: Core) -> None:
        """What an earlier engine left without a note holds again. Raises `OSError`."""
        self._core = core
        self._first_seq = core.audit.seq
        self._told: dict[str, int] = {}
        """Incident that is not closed -> the last event in its timeline."""
        self._lines: dict[str, int] = {}
        self._said: dict[str, deque[tuple[str, str]]] = {}
        for found in self._all():
            if found.status != "closed":
                self._told[found.incident_id], self._lines[found.incident_id] = core.events.seq, 0
            if found.status == "open" and found.opener == "halt":
                self._raise(found)
        self._standing = {name for name, hold in self._causes().items() if self._is_known(name, hold)}
        """Openers that stand and have their incident."""

    def look(self, views: Mapping[str, View]) -> str:
        """Open an incident where an opener has begun, and go on with the timelines; return the id of one
        that was opened, empty where none was. Raises `OSError`; what was not opened is tried again."""
        causes = self._causes()
        self._standing &= causes.keys()
        opened = ""
        for opener, hold in causes.items():
            if opener not in self._standing:
                opened = self._open(opener, hold, views)
                self._standing |= causes.keys()  # what began with it is told by it
        self._go_on()
        return opened

    def without_note(self) -> tuple[str, ...]:
        """Return the incidents of halts that nobody has explained, oldest first."""
        return tuple(hold.subject for hold in self._core.interlock.holds if hold.code == HOLD)

    def note(self, incident_id: str, operator: str, text: str, *, closes: bool) -> Incident:
        """Add what somebody found, or close with it; a first note clears its hold. Raises `Refusal`, or
        `OSError`."""
        if not INCIDENT_ID.fullmatch(incident_id):
            raise Refusal("not_found", clean(incident_id, 80))
        folder = self._core.paths.incidents / incident_id
        try:
            found = read_incident(folder, self._core.disk)
        except FileNotFoundError:
            raise Refusal("not_found", incident_id) from None
        said, who = clean(text, MAX_NOTE), clean(operator, 80)
        if not said.strip():
            raise Refusal("reason_required", "say what you found")
        if found.status == "closed":
            raise Refusal("incident_closed", incident_id)
        kind = "close" if closes else "note"
        note = IncidentNote(at=iso_z(self._core.clock.now_ns()), by=who, kind=kind, text=said)
        self._core.note(f"incident_{kind}", operator, f"{incident_id}: {said}", incident_id=incident_id)
        self._core.disk.append(folder / NOTES_FILE, msgspec.json.encode(note) + b"\n")
        if self._core.interlock.has(HOLD, incident_id):
            self._core.interlock.clear_hold(HOLD, Clearance(operator=who, reason=said), incident_id)
            self._core.note("hold_cleared", operator, f"{HOLD} {incident_id}: noted")
        self._go_on()
        if closes:
            self._told.pop(incident_id, None)
        return read_incident(folder, self._core.disk)

    def demand_notes(self, operator: str, note: str, views: Mapping[str, View]) -> None:
        """Let nobody go on from a halt that nobody explained (QL-101): `note` is put on every incident that
        has none. Raises `Refusal` with incident_note_required, or `OSError`."""
        self.look(views)  # a resume right after a halt comes before the next look
        unexplained = self.without_note()
        if unexplained and not clean(note).strip():
            raise Refusal("incident_note_required", ", ".join(unexplained))
        for incident_id in unexplained:
            self.note(incident_id, operator, note, closes=False)

    def note_resume(self) -> None:
        """What a resume cleared has ended, though it may begin anew before the next look."""
        self._standing &= self._causes().keys()

    def _causes(self) -> dict[str, Hold]:
        """Return the openers that stand, each with the first hold that is one."""
        holds = [hold for hold in self._core.interlock.holds if hold.code != HOLD]
        return {
            name: next(hold for hold in holds if is_one(hold))
            for name, is_one in OPENERS.items()
            if any(map(is_one, holds))
        }

    def _is_known(self, opener: str, hold: Hold) -> bool:
        """Tell whether an earlier engine opened an incident for what stands now."""
        return any(
            found.opener == opener and (found.status != "closed" or found.opened_ns >= hold.since_ns)
            for found in self._all()
        )

    def _all(self) -> list[Incident]:
        folder, disk = self._core.paths.incidents, self._core.disk
        names = [name for name in disk.list(folder) if INCIDENT_ID.fullmatch(name)]
        found = []
        for name in names:
            try:
                found.append(read_incident(folder / name, disk))
            except (FileNotFoundError, msgspec.MsgspecError) as error:  # half written, or changed by hand
                self._core.events.add("incident_unreadable", "eng", f"{name}: {error}")
        return found

    def _raise(self, found: Incident) -> None:
        self._core.interlock.raise_hold(
            HOLD, subject=found.incident_id, since_ns=found.opened_ns, source="eng", evidence=found.reason
        )

    def _open(self, opener: str, hold: Hold, views: Mapping[str, View]) -> str:
        core, record = self._core, self._core.kill.record
        now_ns = core.clock.now_ns()
        stamp = iso_z(now_ns)[:19].replace("-", "").replace(":", "")
        incident_id = f"I-{stamp}Z-{core.audit.seq}"
        is_kill = hold.code == "kill" and core.kill.level is not KillLevel.CLEAR
        folder = core.paths.incidents / incident_id
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
            opener=opener,
        )
        self._put(folder / INCIDENT_FILE, msgspec.json.encode(made))  # last: a folder without it is none
        self._told[incident_id], self._lines[incident_id] = max(0, core.events.seq - BEFORE), 0
        core.note("incident_opened", "eng", f"{incident_id}: {opener} {made.cause}", incident_id=incident_id)
        if opener == "halt":
            self._raise(made)
        return incident_id

    def _go_on(self) -> None:
        """Add what happened since to the timeline of every incident that is not closed. Raises `OSError`."""
        newest = self._core.events.seq
        for incident_id, told in self._told.items():
            if newest <= told or self._lines[incident_id] >= MAX_TIMELINE:
                continue
            rows = [row for row in self._core.events.page(limit=MAX_PAGE)[::-1] if row.seq > told]
            said = self._said.setdefault(incident_id, deque(maxlen=SAID_AGAIN))
            fresh = []
            for row in rows:
                if (row.kind, row.text) not in said:
                    said.append((row.kind, row.text))
                    fresh.append(row)
            self._told[incident_id] = newest
            self._lines[incident_id] += len(fresh)
            body = b"".join(msgspec.json.encode(row) + b"\n" for row in fresh)
            append_lazily(self._core.paths.incidents / incident_id / TIMELINE_FILE, body)

    def _put(self, path: Path, data: bytes) -> None:
        self._core.disk.write_atomic(path, msgspec.json.format(data, indent=1) + b"\n")
