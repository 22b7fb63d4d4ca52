"""Screen 5: what is abnormal, what follows from it, and what to do first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.exports import write_export
from console.tui.model import ACTIVE_STATES, alarm_order
from console.tui.screens.columns import ALARM_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.drawing import bar
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import AlarmAck, AlarmShelve, AlarmUnshelve
from engine.api.views import AlarmRow, AlarmsView

SHELF_MINUTES = 60
"""How long z puts an alarm aside unless another time is typed."""
MAX_SHELF_MINUTES = 240
UNSEEN_STATES = frozenset({"UNACK", "RTN-UN", "LATCH"})
FLOOD_STARTS_AT = 10
"""Alarms per ten minutes above which nobody can handle them (EEMUA 191)."""


class Alarms(Room):
    NAME = "alarms"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "ALARMS",
            ALARM_COLUMNS,
            lambda a: a.alarm_id,
            look=look,
            id="list",
            empty="no alarms: all is normal",
        )
        yield Lines(self._detail, id="detail")
        yield Lines(self._meter, id="meter")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(AlarmsView)
        table = self.query_one("#list", LiveTable)
        rows = view.rows if view else ()
        active = sum(1 for row in rows if row.state in ACTIVE_STATES)
        shelved = sum(1 for row in rows if row.state == "SHELVED")
        table.note = f"active {active}  shelved {shelved}  suppressed {view.suppressed if view else 0}"
        ordered = sorted(rows, key=alarm_order)
        table.set_rows(ordered)

    @property
    def alarm(self) -> AlarmRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, AlarmRow) else None

    def act(self, action_id: str) -> bool:
        alarm = self.alarm
        if alarm is None:
            return False
        if action_id == "ack":
            self.desk_app.send(AlarmAck(alarm_id=alarm.alarm_id), f"ack of {alarm.source}")
        elif action_id == "runbook" and alarm.runbook:
            self.desk_app.open_runbook(alarm.runbook)
        elif action_id == "shelve":
            self._shelve(alarm)
        elif action_id == "unshelve":
            self.desk_app.send(AlarmUnshelve(alarm_id=alarm.alarm_id), f"unshelving {alarm.source}")
        elif action_id == "ack_page":
            self._ack_page()
        elif action_id == "export":
            self._export()
        return action_id in ("ack", "ack_page", "export", "runbook", "shelve", "unshelve")

    def _ack_page(self) -> None:
        """Acknowledge what is on the screen, and nothing else: nobody has seen the rest."""
        rows = [row for row in self.query_one("#list", LiveTable).seen if isinstance(row, AlarmRow)]
        waiting = [row for row in rows if row.state in UNSEEN_STATES and not row.acked_by]
        if not waiting:
            self.desk_app.say("nothing on this page waits for an acknowledgement", "dim")
            return
        for row in waiting:
            self.desk_app.send(AlarmAck(alarm_id=row.alarm_id), f"ack of {len(waiting)} alarms on this page")

    def _export(self) -> None:
        """Write the list as it is filtered and sorted, as tab-separated lines."""
        table = self.query_one("#list", LiveTable)
        head = "\t".join(column.title for column in table.columns)
        rows = [table.row_text(row) for row in table.arranged]
        self.desk_app.say(*write_export("alarms.tsv", "\n".join([head, *rows])))

    def _shelve(self, alarm: AlarmRow) -> None:
        """Ask why, then send; the engine refuses what may not wait."""
        if alarm.priority == 1:
            self.desk_app.say("not shelved: priority 1 asks for an act now", "p3-calm")
            return
        self.desk_app.ask(
            f"Shelve {alarm.code}. Why may it wait:", lambda reason: self._shelf_time(alarm, reason)
        )

    def _shelf_time(self, alarm: AlarmRow, reason: str) -> None:
        if not reason.strip():
            self.desk_app.say("not shelved: a shelf needs a reason", "p3-calm")
            return
        self.desk_app.ask(
            f"For how many minutes, 1 to {MAX_SHELF_MINUTES}:",
            lambda minutes: self._send_shelf(alarm, reason, minutes),
            typed=str(SHELF_MINUTES),
            note=f"reason: {reason}",
        )

    def _send_shelf(self, alarm: AlarmRow, reason: str, minutes: str) -> None:
        if not (minutes.strip().isdecimal() and 1 <= int(minutes) <= MAX_SHELF_MINUTES):
            self.desk_app.say(f"not shelved: 1 to {MAX_SHELF_MINUTES} minutes, not {minutes}", "p3-calm")
            return
        body = AlarmShelve(alarm_id=alarm.alarm_id, minutes=float(minutes))
        self.desk_app.send(body, f"shelving {alarm.source}", reason=reason)

    def open_row(self) -> None:
        if self.alarm is not None and self.alarm.runbook:
            self.desk_app.open_runbook(self.alarm.runbook)

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        alarm, look = self.alarm, self.desk_app.look
        if alarm is None:
            return [rule("DETAIL", width, look.rule), (("  none selected", "dim"),)]
        first = "   FIRST of its group" if alarm.is_first_out else ""
        state = f"{alarm.state} since {text.hms(alarm.since_ns)}Z"
        fields: tuple[tuple[str, str], ...] = (
            ("consequence", alarm.consequence),
            ("respond in", alarm.respond_within),
            ("do first", alarm.first_action),
            ("runbook", f"{alarm.runbook or 'none'}   [r] opens it" if alarm.runbook else "none"),
            ("subject", f"{alarm.subject}   seen {alarm.count}x   {state}"),
        )
        if alarm.shelved_until_ns:
            left = text.left(alarm.shelved_until_ns - self.desk_app.desk.now_ns)
            fields = (*fields, ("shelved", f"{left} left, by {alarm.shelved_by}: {alarm.shelved_why}"))
        lines: list[Line] = [
            rule(f"DETAIL {alarm.code}", width, look.rule, "a = ack"),
            ((f" {alarm.source}  {alarm.message}{first}", "bright"),),
        ]
        return lines + [((f" {text.fit(name, 12)}", "dim"), (value, "text")) for name, value in fields]

    def _meter(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(AlarmsView), self.desk_app.look
        rate = view.rate_10min if view else 0
        is_flood = rate > FLOOD_STARTS_AT or (view is not None and view.is_flood)
        groups = ", ".join(f"{group.code} {group.count}x" for group in view.groups[:3]) if view else ""
        meter = bar(rate, FLOOD_STARTS_AT, 14, look)
        chatty = [row.code for row in view.rows if row.is_chattering] if view else []
        said = f"FLOOD: work by priority. {groups}" if is_flood else "target 1-2, a flood begins above 10"
        return [
            (((look.rule * width), "rule"),),
            ((f" RATE per 10 min: {rate} {meter} {said}", "p2-calm" if is_flood else "text"),),
            (
                (f" chattering: {', '.join(chatty) or 'none'}   ", "p3-calm" if chatty else "dim"),
                ("1! act now   2# act soon   3- today   ACKED = the engine said so", "dim"),
            ),
        ]
