"""The Limits screen: every rule by closeness, what is in force, and which raise waits."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.columns import limit_columns
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.risk import SoftCapRow
from engine.api.views import LimitRow, LimitsView, StatusView


class Limits(Room):
    NAME = "limits"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._force, id="force")
        yield LiveTable(
            "LIMITS BY CLOSENESS",
            limit_columns(look),
            lambda r: r.code,
            look=look,
            id="list",
            empty="not known",
        )
        yield Lines(self._detail, id="detail")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(LimitsView)
        self.query_one("#list", LiveTable).set_rows(view.rows if view else ())

    @property
    def row(self) -> LimitRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, LimitRow) else None

    def act(self, action_id: str) -> bool:
        if action_id == "runbook" and self.row is not None:
            self.desk_app.open_runbook(self.row.runbook)
        return action_id == "runbook"

    def open_row(self) -> None:
        self.act("runbook")

    def _force(self, width: int, height: int) -> Sequence[Line]:
        """What is in force, what waits, and each hold with what clears it."""
        desk, look = self.desk_app.desk, self.desk_app.look
        view, status = desk.shown(LimitsView), desk.shown(StatusView)
        lines: list[Line] = [rule("IN FORCE", width, look.rule, "7 = holds and resume")]
        if view is None:
            return [*lines, (("  not known", "dim"),)]
        waits = "; ".join(
            f"{raised.name} {raised.before} -> {raised.after} in {text.age(raised.left_s * 1000)}"
            for raised in view.pending
        )
        lines.append(
            (
                (f" epoch {view.limits_epoch}", "bright"),
                (f"  hash {text.short(view.limits_hash)}  ", "dim"),
                (f"raise waits: {waits}" if waits else "no raise waits", "p3-calm" if waits else "text"),
            )
        )
        lines += _tightened(view.soft, max(1, height - len(lines) - 1))
        holds = status.holds if status else ()
        for hold in holds[: max(1, height - len(lines))]:
            said = f"  clears by {hold.clear_rule}"
            lines.append(((f" {hold.level.upper()} {hold.code}", "bright"), (said, "text")))
        return lines if holds else [*lines, ((" nothing holds risk", "dim"),)]

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.row, self.desk_app.look
        if row is None:
            return []
        fields = (
            ("rule", f"{row.title}: {row.says}"),
            ("now, limit", f"{row.now or '-'} of {row.limit or '-'}   {row.state}"),
            ("whose", f"{row.subject} ({row.level})"),
            ("what to do", row.correction),
            ("controls", row.controls),
            ("runbook", f"{row.runbook}   [r] opens it"),
        )
        lines: list[Line] = [rule(f"RULE {row.code}", width, look.rule)]
        return lines + [((f" {text.fit(name, 12)}", "dim"), (value, "text")) for name, value in fields]


def _tightened(caps: Sequence[SoftCapRow], room: int) -> list[Line]:
    """Return a line for each limit tightened by hand, the newest first; what is cut is counted."""
    newest = sorted(caps, key=lambda cap: -cap.at_ns)
    shown = newest if len(newest) <= room else newest[: room - 1]
    lines: list[Line] = [
        (
            (" TIGHTENED ", "bright"),
            (f"{cap.name} {cap.before} -> {cap.value}", "p3-calm"),
            (f" by {cap.operator} {text.hms(cap.at_ns)} ({cap.reason})", "text"),
        )
        for cap in shown
    ]
    rest = len(newest) - len(shown)
    return [*lines, ((f" TIGHTENED {rest} more: interlock risk view", "bright"),)] if rest else lines
