"""The Incidents screen: every halt, what was before and after it, who did what, and what was found."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.exports import write_export
from console.tui.screens.columns import EVENT_COLUMNS, INCIDENT_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import IncidentClose, IncidentWrite
from engine.api.incidents import (
    Incident,
    IncidentDetail,
    IncidentList,
    Incidents,
    IncidentShow,
    incident_report,
)
from engine.api.views import EventRow
from seams.clock import NS_PER_S

ASK_EVERY_NS = 2 * NS_PER_S
SHOWN_NOTES = 3
NEVER = ("", -1)


class IncidentRoom(Room):
    NAME = "incidents"

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Incident, ...] = ()
        self._detail: IncidentDetail | None = None
        self._asked: tuple[tuple[str, int], int] = (NEVER, 0)

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "INCIDENTS",
            INCIDENT_COLUMNS,
            lambda i: i.incident_id,
            look=look,
            id="list",
            empty="no incident: nothing has halted this desk",
        )
        yield Lines(self._facts, id="facts")
        yield LiveTable(
            "TIMELINE",
            EVENT_COLUMNS,
            lambda e: f"{e.at_ns}{e.seq}",
            look=look,
            id="timeline",
            empty="nothing",
        )

    def feed(self) -> None:
        self._look_again()
        self.query_one("#list", LiveTable).set_rows(self._rows)
        detail, row = self._detail, self.incident
        is_his = detail is not None and row is not None and detail.incident.incident_id == row.incident_id
        timeline: tuple[EventRow, ...] = detail.timeline[::-1] if detail is not None and is_his else ()
        self.query_one("#timeline", LiveTable).set_rows(timeline)

    @property
    def incident(self) -> Incident | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, Incident) else None

    def act(self, action_id: str) -> bool:
        row = self.incident
        if row is None:
            return False
        if action_id == "note_incident":
            self.desk_app.ask(
                f"Note on {row.incident_id}. What did you find?",
                lambda said: self._send(IncidentWrite(incident_id=row.incident_id, text=said), "the note"),
            )
        elif action_id == "close_incident":
            self.desk_app.ask(
                f"Close {row.incident_id}. What was done about its cause?",
                lambda said: self._send(IncidentClose(incident_id=row.incident_id, text=said), "the close"),
            )
        elif action_id == "export" and self._detail is not None:
            self.desk_app.say(*write_export(f"{row.incident_id}.md", incident_report(self._detail)))
        elif action_id == "runbook":
            self.desk_app.open_runbook("alarms.md#incident-note-required")
        return action_id in ("note_incident", "close_incident", "export", "runbook")

    def copy_text(self) -> str:
        """On the list: the command that opens the desk as it was."""
        row = self.incident
        is_list = self.table is self.query_one("#list", LiveTable)
        return f"interlock past open --incident {row.incident_id}" if row and is_list else super().copy_text()

    def _send(self, body: IncidentWrite | IncidentClose, what: str) -> None:
        if not body.text.strip():
            self.desk_app.say(f"{what} is not sent: say it in words", "p3-calm")
            return
        self._asked = (NEVER, 0)
        self.desk_app.send(body, what)

    def _look_again(self) -> None:
        """Ask every two seconds while this is shown; at once for another row, or instant of the past."""
        desk = self.desk_app.desk
        row, now_ns = self.incident, self.desk_app.clock.monotonic_ns()
        wanted = row.incident_id if row is not None else ""
        asked = (wanted, desk.now_ns if desk.is_past else 0)
        is_answered = self._asked[0] == asked and (desk.is_past or now_ns - self._asked[1] < ASK_EVERY_NS)
        if not self.display or is_answered:
            return
        self._asked = (asked, now_ns)
        self.desk_app.ask_engine(IncidentList(), Incidents, self._take, "incidents")
        if wanted:
            ask = IncidentShow(incident_id=wanted)
            self.desk_app.ask_engine(ask, IncidentDetail, self._take_detail, wanted)

    def _take(self, found: Incidents) -> None:
        self._rows = found.rows

    def _take_detail(self, found: IncidentDetail) -> None:
        self._detail = found

    def _facts(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.incident, self.desk_app.look
        if row is None:
            return [rule("INCIDENT", width, look.rule), (("  none selected", "dim"),)]
        holds = row.opener == "halt" and row.status == "open"
        state = {"open": "NOT EXPLAINED", "noted": "noted", "closed": "closed"}[row.status]
        lines: list[Line] = [
            rule(row.incident_id, width, look.rule, "n note  c close  e export"),
            (
                (f" {state} ", "p2" if row.status == "open" else "bright"),
                (f"  {'holds risk until it has a note' if holds else 'holds nothing'}", "text"),
                (f"   audit {row.audit_from}-{row.audit_to} {text.short(row.audit_head)}", "dim"),
            ),
            ((" opened by   ", "dim"), (f"{row.opener}: {row.cause}, {row.by}: {row.reason}", "text")),
            ((" the desk    ", "dim"), (f"interlock past open --incident {row.incident_id}   [y]", "text")),
        ]
        notes = row.notes[-max(1, min(SHOWN_NOTES, height - len(lines))) :]
        lines += [
            ((f" {note.kind:<11} ", "dim"), (f"{note.at[11:19]} {note.by}: {note.text}", "text"))
            for note in notes
        ]
        if not notes:
            lines.append(((" note        ", "dim"), ("nobody has said what it was", "text")))
        return lines
