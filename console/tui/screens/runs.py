"""Screen 6: jobs, paper sessions and research runs, in lists that are never mixed; Enter opens one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import RUN_COLUMNS, SESSION_COLUMNS
from console.tui.screens.research.compare_page import ComparePage
from console.tui.screens.research.data_page import DataPage
from console.tui.screens.research.launch_page import LaunchPage
from console.tui.screens.research.page import Page
from console.tui.screens.research.run_page import RunPage
from console.tui.screens.research.sweep_page import SweepPage
from console.tui.screens.research.walk_page import WalkPages
from console.tui.screens.room import Room
from console.tui.widgets.drawing import bar
from console.tui.widgets.lines import Line, Lines
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.commands import JobCancel, PaperStart, PaperStop
from engine.api.run_views import JobRow, RunRow, RunsView, SessionRow

PAGES: tuple[type[Page], ...] = (RunPage, ComparePage, SweepPage, WalkPages, DataPage, LaunchPage)
MOST_MARKED = 5
RUNNING = ("running", "cancelling")
SHOWN_JOBS_S = 60
"""How long a finished job stays in the list; its run is below."""


class Runs(Room):
    NAME = "runs"

    def __init__(self) -> None:
        super().__init__()
        self.page: Page | None = None
        self.marked: list[str] = []
        self.facet = ""
        self._chosen_list = ""

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        with Container(id="lists"):
            yield LiveTable("JOBS", self._job_columns(), lambda j: j.job_id, look=look, id="jobs")
            yield LiveTable(
                "PAPER SESSIONS",
                SESSION_COLUMNS,
                lambda r: r.session_id,
                look=look,
                id="sessions",
                empty="no session yet: P starts one",
            )
            yield Lines(self._session, id="session")
            yield LiveTable(
                "RESEARCH RUNS",
                (Column[RunRow]("M", 1, self._mark), *RUN_COLUMNS),
                lambda r: r.run_id,
                look=look,
                id="runs",
                empty="no run yet: L launches one",
            )
        for kind in PAGES:
            yield kind()

    def feed(self) -> None:
        view = self.desk_app.desk.shown(RunsView)
        for kind in PAGES:
            self.set_class(isinstance(self.page, kind), f"-{kind.NAME}")
        self.set_class(self.page is not None, "-opened")
        if self.page is not None:
            self.page.feed()
            return
        jobs = self._jobs(view)
        self.set_class(bool(jobs), "-jobs")
        self.set_class(not (view and view.sessions), "-idle")
        self.query_one("#jobs", LiveTable).set_rows(jobs)
        self.query_one("#sessions", LiveTable).set_rows(view.sessions if view else ())
        runs = self.query_one("#runs", LiveTable)
        rows = view.runs if view else ()
        runs.set_rows(tuple(r for r in rows if not self.facet or self.facet in _facets_of(r)))
        runs.note = (f"f: {self.facet}" if self.facet else "") + (
            f"  {len(self.marked)} marked" if self.marked else ""
        )

    def show(self, page: Page) -> None:
        """Show a page instead of the lists."""
        if page is not self.page:
            self.desk_app.forget()
        self.page, self.active = page, 0
        self.update()
        self.desk_app.paint_soon()

    def launch(self, data: str = "") -> None:
        """Open the form of a launch."""
        self.query_one(LaunchPage).open_form(data)

    def leave(self) -> bool:
        if self.page is None:
            return False
        self.page, self.active = None, 0
        self.desk_app.forget()
        self.update()
        self.desk_app.paint_soon()
        return True

    def next_pane(self, step: int) -> None:
        if self.page is not None and self.page.next_view(step):
            self.update()
            self.desk_app.paint_soon()
            return
        tables = self.tables
        if self.page is None and tables:
            self._chosen_list = tables[(self.active + step) % len(tables)].id or ""
            self.update()
        else:
            super().next_pane(step)

    @property
    def table(self) -> LiveTable[Any] | None:
        """The list that was chosen, else the first that has rows: lists come and go with jobs."""
        tables = self.tables
        if self.page is not None or not tables:
            return super().table
        chosen = [table for table in tables if table.id == self._chosen_list]
        found = (chosen or [table for table in tables if table.count] or tables)[0]
        self.active = tables.index(found)
        return found

    def open_row(self) -> None:
        if self.page is not None:
            self.page.open_row()
            return
        table = self.table
        row = table.selected if table else None
        if isinstance(row, JobRow) and row.run_id:
            self._open_run(row.run_id, row.kind)
        elif isinstance(row, RunRow):
            self._open_run(row.run_id, row.mode)
        elif isinstance(row, SessionRow):
            self.desk_app.go("orders", "", filter_text=row.session_id.lower())

    def _open_run(self, run_id: str, mode: str) -> None:
        if mode == "sweep":
            self.query_one(SweepPage).open_sweep(run_id)
        else:
            self.query_one(RunPage).open_run(run_id)

    def act(self, action_id: str) -> bool:
        if self.page is not None and self.page.act(action_id):
            return True
        acts = {
            "start_paper": self._ask_paper,
            "stop_session": self._stop,
            "cancel_job": self._cancel_job,
            "mark_run": self._mark_run,
            "compare_runs": self._compare,
            "launch": self.launch,
            "stored_data": self.query_one(DataPage).open_list,
            "walk_forwards": self.query_one(WalkPages).open_list,
            "facet": self._next_facet,
        }
        if action_id in acts:
            acts[action_id]()
        return action_id in acts

    # what the keys do

    def _ask_paper(self) -> None:
        self.desk_app.ask("Strategies for a sandbox session (comma between):", self._start, kind=Kind.TEXT)

    def _start(self, typed: str) -> None:
        names = tuple(name.strip() for name in typed.split(",") if name.strip())
        if names:
            self.desk_app.send(PaperStart(strategies=names), f"start of {', '.join(names)}")

    def _stop(self) -> None:
        session = self.session
        if session is None or session.status != "running":
            self.desk_app.say("no running session is selected", "p3-calm")
            return
        self.desk_app.ask(
            f"Stop {session.session_id} ({', '.join(session.strategies)})?  y = yes:",
            lambda _: self.desk_app.send(
                PaperStop(session_id=session.session_id), f"stop of {session.session_id}"
            ),
            kind=Kind.YES,
            note="any other key = no",
        )

    def _cancel_job(self) -> None:
        row = self.query_one("#jobs", LiveTable).selected
        if not isinstance(row, JobRow) or row.state != "running":
            self.desk_app.say("no running job is selected", "p3-calm")
            return
        self.desk_app.ask(
            f"Cancel {row.job_id} ({row.what})? It publishes nothing.  y = yes:",
            lambda _: self.desk_app.send(JobCancel(job_id=row.job_id), f"cancellation of {row.job_id}"),
            kind=Kind.YES,
        )

    def _mark_run(self) -> None:
        row = self.query_one("#runs", LiveTable).selected
        if not isinstance(row, RunRow):
            self.desk_app.say("no run is selected", "p3-calm")
        elif row.run_id in self.marked:
            self.marked.remove(row.run_id)
        elif len(self.marked) == MOST_MARKED:
            self.desk_app.say(f"{MOST_MARKED} runs are marked already: that many are compared", "p3-calm")
        else:
            self.marked.append(row.run_id)

    def _compare(self) -> None:
        if len(self.marked) < 2:
            self.desk_app.say("mark two to five runs with m, then C compares them", "p3-calm")
        else:
            self.query_one(ComparePage).open_runs(self.marked)

    def _next_facet(self) -> None:
        view = self.desk_app.desk.shown(RunsView)
        known = sorted({facet for row in (view.runs if view else ()) for facet in _facets_of(row)})
        later = [facet for facet in known if facet > self.facet]
        self.facet = later[0] if later else ""
        self.desk_app.say(f"runs shown: {self.facet or 'all'}", "dim")

    # what is drawn

    @property
    def session(self) -> SessionRow | None:
        row = self.query_one("#sessions", LiveTable).selected
        return row if isinstance(row, SessionRow) else None

    def _jobs(self, view: RunsView | None) -> tuple[JobRow, ...]:
        """The jobs that run or failed, and for a minute those that just ended."""
        now_ns = self.desk_app.desk.now_ns
        recent_ns = SHOWN_JOBS_S * 1_000_000_000
        return tuple(
            job
            for job in (view.jobs if view else ())
            if job.state in (*RUNNING, "failed") or now_ns - job.started_ns < recent_ns
        )

    def _mark(self, row: RunRow) -> Cell:
        return ("*", "bright") if row.run_id in self.marked else " "

    def _job_columns(self) -> tuple[Column[JobRow], ...]:
        look = self.desk_app.look
        return (
            Column("JOB", 12, lambda j: j.job_id),
            Column("KIND", 6, lambda j: j.kind),
            Column(
                "STATE", 10, lambda j: (j.state, "p3-calm" if j.state in ("failed", "aborted") else "text")
            ),
            Column("DONE", 12, lambda j: bar(j.done, j.total or 1, 12, look)),
            Column("RATE", 12, _rate, ">", drop=1),
            Column("LEFT", 6, _left, ">"),
            Column("WHAT", 0, lambda j: j.message if j.state == "failed" else j.what),
        )

    def _session(self, width: int, height: int) -> Sequence[Line]:
        row = self.session
        if row is None:
            return []
        why = f" ({row.status_reason})" if row.status_reason else ""
        said = f", {row.bars} bars" + (f"   {row.message}" if row.message else "")
        digest = text.short(row.decision_sha256, 16)
        return [
            ((f"  {row.session_id}: {row.status}{why}, {row.decisions} decisions{said}", "dim"),),
            ((f"  {row.orders} orders (Enter shows them), {row.fills} fills, decisions {digest}", "dim"),),
            *([((f"  lanes: {_lanes(row)}", "dim"),)] if row.states else []),
            *([((f"  twin: {row.shadow}", "dim"),)] if row.shadow else []),
            ((f"  {row.path}", "dim"),),
        ]


def _facets_of(row: RunRow) -> tuple[str, ...]:
    return (row.mode, row.status, f"checks {row.trust}")


def _lanes(row: SessionRow) -> str:
    """Say where each lane stands, on one line."""
    return ", ".join(f"{symbol} {state}" for symbol, state in zip(row.symbols, row.states, strict=False))


def _rate(job: JobRow) -> str:
    return f"{job.rate_per_s:,.0f} {job.unit}/s" if job.rate_per_s else "-"


def _left(job: JobRow) -> str:
    return text.age(job.left_s * 1000) if job.state == "running" and job.left_s is not None else "-"
