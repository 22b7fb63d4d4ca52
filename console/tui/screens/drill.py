"""The Drill screen: the last drill of each kind against its goals, what live still misses, and a new one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import DRILL_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.drawing import bar
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.drills import DrillFigure, DrillList, DrillRow, Drills, DrillStart
from seams.clock import NS_PER_MS, NS_PER_S

ASK_EVERY_NS = NS_PER_S
BAR_CELLS = 16
WHY = {
    "absent": "never made",
    "failed": "a goal was missed",
    "stale": "it is older than 30 days",
    "other_kernel": "it was made with another kernel",
    "not_trusted": "its file was touched, or is not signed by this desk's key",
}


class DrillRoom(Room):
    NAME = "drill"

    def __init__(self) -> None:
        super().__init__()
        self._drills: Drills | None = None
        self._asked_ns = 0
        self._instant_ns = 0
        """Of the past, where one is looked at: what was answered is of it."""

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "DRILLS", DRILL_COLUMNS, lambda d: d.kind, look=look, id="list", empty="not known yet"
        )
        yield Lines(self._live, id="live")
        yield Lines(self._figures, id="figures")

    def feed(self) -> None:
        app = self.desk_app
        now_ns = app.clock.monotonic_ns()
        instant_ns = app.desk.now_ns if app.desk.is_past else 0
        is_due = not self._asked_ns or (not app.desk.is_past and now_ns - self._asked_ns >= ASK_EVERY_NS)
        if self.display and (is_due or instant_ns != self._instant_ns):
            self._asked_ns, self._instant_ns = now_ns, instant_ns
            app.ask_engine(DrillList(), Drills, self._take, "drills")
        self.query_one("#list", LiveTable).set_rows(self._drills.rows if self._drills else ())

    @property
    def row(self) -> DrillRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, DrillRow) else None

    def act(self, action_id: str) -> bool:
        row = self.row
        if row is None or action_id not in ("start_drill", "runbook"):
            return False
        if action_id == "runbook":
            self.desk_app.open_runbook("kill-and-resume.md#drill-failed")
        else:
            self.desk_app.ask(
                f"DRILL {row.kind} 1 of 2. What is it for?", lambda why: self._word(row.kind, why)
            )
        return True

    def _word(self, kind: str, why: str) -> None:
        if not why.strip():
            self.desk_app.say("not begun: a drill has a reason", "p3-calm")
            return
        self.desk_app.ask(
            f"DRILL {kind} 2 of 2. Type DRILL:",
            lambda word: self.desk_app.send(
                DrillStart(kind=kind, confirm=word), f"drill {kind}", reason=why.strip()
            ),
            kind=Kind.WORD,
            expected="DRILL",
            note="an exchange and an engine of their own; this desk is not touched",
        )

    def _take(self, found: Drills) -> None:
        self._drills = found

    def _live(self, width: int, height: int) -> Sequence[Line]:
        """What promotion to live still misses, and the drill under way."""
        found, look = self._drills, self.desk_app.look
        lines: list[Line] = [rule("FOR LIVE", width, look.rule, "S = start the drill under the cursor")]
        if found is None:
            return [*lines, (("  not known", "dim"),)]
        missing = [f"{row.kind}: {WHY.get(row.problem, row.problem)}" for row in found.rows if row.problem]
        if missing:
            lines.append(((f" BLOCKED by {len(missing)} ", "p2"), (f"  {'; '.join(missing)}", "text")))
        else:
            lines.append(
                ((" every drill counts ", "bright"), ("  done within 30 days, all goals met", "text"))
            )
        run = found.run
        if run is None:
            is_past = self.desk_app.desk.is_past
            said = "not on record: a drill under way" if is_past else "no drill is under way"
            return [*lines, ((f" {said}", "dim"),)]
        is_over = run.exit_code >= 0
        age = text.age((self.desk_app.desk.now_ns - run.began_ns) / NS_PER_MS)
        state = "ended" if is_over else f"under way for {age}"
        style = "text" if not is_over else "bright" if run.exit_code == 0 else "p2-calm"
        return [*lines, ((f" {run.kind} {state}, by {run.operator}: ", "bright"), (run.said, style))]

    def _figures(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.row, self.desk_app.look
        if row is None or not row.began_ns:
            return [rule("FIGURES", width, look.rule), (("  no figures of this kind", "dim"),)]
        head = f"{text.day_hm(row.began_ns)}Z by {row.operator}"
        lines: list[Line] = [rule(f"FIGURES {row.kind}", width, look.rule, head)]
        lines += [self._figure(figure) for figure in row.figures]
        lines.append((("", "text"),))
        lines.append(((" reason      ", "dim"), (row.reason or "-", "text")))
        if row.said:
            lines.append(((" went wrong  ", "dim"), (row.said, "p2-calm")))
        signed = "signed by this desk's key" if row.is_signed else "hashed only: no watchdog.drill_key_file"
        lines.append(((" evidence    ", "dim"), (f"{row.file}   {signed}", "text")))
        return lines

    def _figure(self, figure: DrillFigure) -> Line:
        look, is_count = self.desk_app.look, figure.at_most == 0
        value = "never" if figure.value < 0 else f"{figure.value:,.0f}"
        drawn = "" if is_count else bar(max(0.0, figure.value), figure.at_most, BAR_CELLS, look)
        return (
            (f" {text.fit(figure.name, 20)}", "dim"),
            (text.fit(value, 9, ">"), "text" if figure.is_met else "p2-calm"),
            (f"  {text.fit(drawn, BAR_CELLS + 2)}  goal {figure.at_most:,.0f}   ", "text"),
            ("met", "text") if figure.is_met else ("MISSED", "p2-calm"),
        )
