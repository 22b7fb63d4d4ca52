"""The Corridor screen: one order step by step, with who, when, what is missing, and the gate's conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import CORRIDOR_COLUMNS
from console.tui.screens.corridor_evidence import last_lines, page_lines
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.corridor import (
    RunbookTick,
    StepRow,
    SubmitAct,
    SubmitList,
    SubmitRow,
    Submits,
    SubmitShow,
    SubmitView,
)
from seams.clock import NS_PER_S

ASK_EVERY_NS = 2 * NS_PER_S
EAGER_NS = 3 * NS_PER_S
"""So long after a step it is asked more often: the next key is meant for the step after it."""
ACTIONS = ("next_step", "look_step", "cancel_order", "tick_step", "runbook")
STEP_CELLS = 28
"""How much of a runbook's step stands in the question about it; the page of all evidence has the whole."""
NOTHING_HELD = ("canceled", "expired", "rejected", "submit_rejected", "submit_not_sent")
NEVER_SENT = ("submit_rejected", "submit_not_sent")
STOPPED = ("filled", "canceled", "expired", "rejected", "submit_rejected", "submit_not_sent")


class CorridorRoom(Room):
    NAME = "corridor"

    def __init__(self) -> None:
        super().__init__()
        self._found = Submits(rows=())
        self._view: SubmitView | None = None
        self._asked: tuple[str, int] = ("", 0)
        self._eager_until_ns = 0
        self._is_open, self._top = False, 0
        self._known: frozenset[str] | None = None
        """The sessions there were when one was asked for: the first other one is shown."""

    def compose(self) -> ComposeResult:
        yield LiveTable(
            "CORRIDOR",
            CORRIDOR_COLUMNS,
            lambda row: row.session_id,
            look=self.desk_app.look,
            id="list",
            empty="no session: N opens one",
        )
        yield Lines(self._stepper, id="stepper")
        yield Lines(self._evidence, id="evidence")

    def feed(self) -> None:
        self.set_class(self._is_open, "-opened")
        self._look_again()
        table = self.query_one("#list", LiveTable)
        if self.desk_app.desk.is_past:
            table.empty = "not on record: interlock submit ls lists the sessions with their times"
        table.set_rows(self._found.rows)

    @property
    def row(self) -> SubmitRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, SubmitRow) else None

    @property
    def view(self) -> SubmitView | None:
        """The selected session, once it was told."""
        row = self.row
        is_his = self._view is not None and row is not None and self._view.state.session_id == row.session_id
        return self._view if is_his else None

    def await_opened(self) -> None:
        """A session was asked for: go to it as soon as it is there, so that the next key is about it."""
        self._known = frozenset(row.session_id for row in self._found.rows)
        self._asked = ("", 0)
        self._eager_until_ns = self.desk_app.clock.monotonic_ns() + EAGER_NS

    def act(self, action_id: str) -> bool:
        if action_id == "runbook":
            self.desk_app.open_runbook("corridor.md")
        elif self.view is None:
            self.desk_app.say("select a session first", "p3-calm")
        elif action_id == "next_step":
            self._take_step(self.view.next_step, self.view.confirm)
        elif action_id == "look_step":
            self._take_step("status", "")
        elif action_id == "cancel_order":
            self._take_step("cancel", "CANCEL")
        elif action_id == "tick_step":
            self._tick_step()
        return action_id in ACTIONS

    def _take_step(self, name: str, word: str) -> None:
        """Ask for the word that the step wants, or for a `y`; what is missing is said instead."""
        view = self.view
        assert view is not None
        step = next(row for row in view.steps if row.step == name)
        if step.lacks:
            self.desk_app.say(
                f"{name} cannot be done: {'; '.join(each.said for each in step.lacks)}", "p2-calm"
            )
            return
        session_id = view.state.session_id

        def send(_: str) -> None:
            body = SubmitAct.of(session_id, name, word)
            self._eager_until_ns = self.desk_app.clock.monotonic_ns() + EAGER_NS
            self.desk_app.send(body, f"{name} of {session_id}")

        if word:
            label = f"{name} of {session_id}: {_order_said(view.order)}. Type {word}"
            self.desk_app.ask(label, send, kind=Kind.WORD, expected=word)
        elif name in ("status", "reconcile", "fills", "supervise"):
            send("")
        else:
            self.desk_app.ask(f"{name} of {session_id}? y", send, kind=Kind.YES)

    def _tick_step(self) -> None:
        """Ask what was done and seen of the next step of the venue's runbook."""
        view, app = self.view, self.desk_app
        assert view is not None
        book = view.runbooks[0] if view.runbooks else None
        step = None if book is None else book.next
        if book is None or step is None:
            app.say("every step of the runbook is ticked" if book else "no runbook is installed", "p3-calm")
            return
        session_id = view.state.session_id
        body = RunbookTick(session_id=session_id, step=step.number, book=book.book)

        def send(seen: str) -> None:
            if not seen.strip():
                app.say("not ticked: say in words what was done and seen", "p2-calm")
                return
            self._eager_until_ns = app.clock.monotonic_ns() + EAGER_NS
            app.send(body, f"tick of step {step.number}", reason=seen.strip())

        said = text.fit(step.said, STEP_CELLS).strip()
        app.ask(f"{book.book} {step.number}: {said} Seen:", send, kind=Kind.TEXT)

    def _look_again(self) -> None:
        """Ask every two seconds while this screen is shown; at once for another row, or after a step."""
        row, now_ns = self.row, self.desk_app.clock.monotonic_ns()
        wanted = row.session_id if row is not None else ""
        every_ns = ASK_EVERY_NS // 10 if now_ns < self._eager_until_ns else ASK_EVERY_NS
        if not self.display or (self._asked[0] == wanted and now_ns - self._asked[1] < every_ns):
            return
        if self._asked[1] and self.desk_app.desk.is_past:
            return  # the record holds no answers: told once
        self._asked = (wanted, now_ns)
        self.desk_app.ask_engine(SubmitList(), Submits, self._take, "the corridor")
        if wanted:
            self.desk_app.ask_engine(SubmitShow(session_id=wanted), SubmitView, self._take_view, wanted)

    def _take(self, found: Submits) -> None:
        self._found = found
        opened = [] if self._known is None else [r for r in found.rows if r.session_id not in self._known]
        if opened:
            self._known = None
            table = self.query_one("#list", LiveTable)
            table.set_rows(found.rows)
            table.select(opened[0].session_id)

    # --- the page of all evidence

    def open_row(self) -> None:
        """Enter: what each step found, on the whole screen."""
        if self.view is not None:
            self._is_open, self._top = not self._is_open, 0
            self.desk_app.paint_soon()

    def leave(self) -> bool:
        was_open, self._is_open = self._is_open, False
        return was_open

    def scroll_page(self, step: int) -> bool:
        """Move through the open page; False when none is open: then the list moves."""
        self._top = max(0, self._top + step) if self._is_open else 0
        return self._is_open

    def _take_view(self, found: SubmitView) -> None:
        self._view = found

    def _stepper(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.view, self.desk_app.look
        if view is None:
            said = self._found.problem or "  none selected"
            return [rule("STEPS", width, look.rule), ((f"  {said}", "dim"),)]
        state = view.state
        title = f"{state.session_id} {_order_said(view.order)}"
        lines = [rule(title, width, look.rule, f"{view.venue} {view.environment}")]
        lines += [_step_line(step, view) for step in view.steps]
        stop = view.order.get("stop_loss")
        is_out = any(step.step == "submit" and step.is_done for step in view.steps)
        if state.alerts:
            alert = state.alerts[0]
            style = "p1-calm" if alert.severity == "critical" else "p3-calm"
            lines.append(((f" {alert.severity.upper()} {alert.code}: {alert.said}", style),))
        elif stop and is_out and state.status not in NOTHING_HELD:
            said = f"STOP {stop} IS PLACED BY NOBODY: watch the position, or ^X FLATTEN"
            lines.append(((f" {said}", "p3-calm"),))
        return lines

    def _evidence(self, width: int, height: int) -> Sequence[Line]:
        """What the last step found, and the gate's conditions; opened, what every step found."""
        view, dash = self.view, self.desk_app.look.rule
        if view is None or height < 2:
            return []
        if not self._is_open:
            return last_lines(view, width, dash)
        lines = page_lines(view, width, dash)
        self._top = max(0, min(self._top, len(lines) - height + 1))
        shown = lines[self._top : self._top + height - 1]
        title = f"EVIDENCE OF {view.state.session_id}, newest first"
        note = f"{self._top + 1}-{self._top + len(shown)} of {len(lines)}  Esc = back"
        return [rule(title, width, dash, note), *shown]


def _order_said(order: dict[str, Any]) -> str:
    side, limit = str(order.get("side", "")).upper(), order.get("limit_price", "")
    return f"{side} {order.get('quantity', '')} {order.get('symbol', '')} at {limit}"


def _step_line(step: StepRow, view: SubmitView) -> Line:
    """One step: done, refused, next, or waiting, with who and when, or what it lacks."""
    name = text.fit(step.step, 10)
    if step.state and (step.is_done or not step.reasons):
        who = f"{step.at[11:19]} {step.by}"
        again = "  n: again" if step.step == view.next_step and view.state.status not in STOPPED else ""
        done = ((" [x] ", "bright"), (name, "bright"), (text.fit(step.state, 34), "text"))
        return (*done, (who, "dim"), (again, "text"))
    if step.state:
        again = "  n: again" if step.step == view.next_step else ""
        why = [each.said for each in view.state.refused if each.said and step.reasons == (step.state,)]
        told = "; ".join(why) if view.state.step == step.step and why else ", ".join(step.reasons)
        said = f"{step.state}: {told}{again}"
        return ((" [!] ", "p2-calm"), (name, "p2-calm"), (said, "text"))
    if step.step == view.next_step and view.state.status not in NEVER_SENT:
        if step.lacks:
            said = "; ".join(each.said for each in step.lacks)
            return ((" [ ] ", "p3-calm"), (name, "p3-calm"), (said, "p3-calm"))
        said = f"next: n, then type {view.confirm}" if view.confirm else "next: n"
        return ((" [ ] ", "bright"), (name, "bright"), (said, "text"))
    return ((" [ ] ", "dim"), (name, "dim"), ("; ".join(each.said for each in step.lacks), "dim"))
