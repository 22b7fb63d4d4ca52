"""The Corridor screen: one order step by step, with who, when, what is missing, and the gate's conditions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import CORRIDOR_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.corridor import (
    Artifact,
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
ACTIONS = ("next_step", "look_step", "cancel_order", "runbook")
HASH = re.compile(r"(0x)?[0-9a-f]{40,}")
"""What no person reads: it stands in the artifact."""
NOTHING_HELD = ("canceled", "rejected", "submit_rejected", "submit_not_sent")
STOPPED = ("filled", "canceled", "rejected", "submit_rejected", "submit_not_sent")


class CorridorRoom(Room):
    NAME = "corridor"

    def __init__(self) -> None:
        super().__init__()
        self._found = Submits(rows=())
        self._view: SubmitView | None = None
        self._asked: tuple[str, int] = ("", 0)
        self._eager_until_ns = 0

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
        """What the last step found, and the gate's conditions."""
        view, look = self.view, self.desk_app.look
        if view is None or height < 2:
            return []
        last = view.artifacts[-1]
        gate = next((each for each in reversed(view.artifacts) if each.step == "gate"), None)
        lines: list[Line] = []
        if last is not gate:
            lines.append(rule(f"LAST: {last.step} {last.state}", width, look.rule, f"by {last.by}"))
            for each in view.state.refused:
                lines.append(((f"  {each.code} ", "p2-calm"), (each.said or each.title, "text")))
                lines.append(((f"    {each.correction}", "dim"),))
            lines += _policy_lines(view, look.rule, width) if gate is None else []
            lines += [((f"    {text.fit(name, 25)} ", "dim"), (said, "text")) for name, said in _facts(last)]
        if gate is None:
            return lines
        held = sum(1 for each in gate.body["conditions"] if each["ok"])
        title = f"GATE {held} of {len(gate.body['conditions'])} hold"
        lines.append(rule(title, width, look.rule, f"by {gate.by}"))
        ordered = sorted(gate.body["conditions"], key=lambda each: bool(each["ok"]))
        for each in ordered:
            mark, style = ("ok ", "dim") if each["ok"] else ("NO ", "p2-calm")
            lines.append(((f" {mark}", style), (text.fit(each["code"], 26), style), (each["said"], "text")))
        return lines


def _policy_lines(view: SubmitView, dash: str, width: int) -> list[Line]:
    """What the desk's policies say about the order: before an approver's eyes until the gate (QT-08)."""
    first = next((each for each in view.artifacts if each.step == "preflight"), None)
    found = () if first is None else first.body.get("policy", ())
    lines: list[Line] = [
        ((f" {each['source']}: ", "dim"), (f"{each['title']}. ", "bright"), (each["text"], "text"))
        for each in found
    ]
    return [rule("POLICY", width, dash), *lines] if lines else []


def _facts(artifact: Artifact) -> list[tuple[str, str]]:
    """What an artifact says in single words and figures, also one level down: names and values."""
    found: list[tuple[str, str]] = []
    for name, value in artifact.body.items():
        if name == "intent":
            continue  # the order: the title says it
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, each in inner:
            said = ("yes" if each else "no") if isinstance(each, bool) else str(each)
            is_plain = isinstance(each, str | int | float) and said and not HASH.fullmatch(said)
            if is_plain:
                found.append((f"{name}.{key}" if key else name, said))
    return found


def _order_said(order: dict[str, Any]) -> str:
    side, limit = str(order.get("side", "")).upper(), order.get("limit_price", "")
    return f"{side} {order.get('quantity', '')} {order.get('symbol', '')} at {limit}"


def _step_line(step: StepRow, view: SubmitView) -> Line:
    """One step: done, refused, next, or waiting, with who and when, or what it lacks."""
    name = text.fit(step.step, 10)
    if step.state and (step.is_done or not step.reasons):
        who = f"{step.at[11:19]} {step.by}"
        return ((" [x] ", "bright"), (name, "bright"), (text.fit(step.state, 34), "text"), (who, "dim"))
    if step.state:
        again = "  n: again" if step.step == view.next_step else ""
        said = f"{step.state}: {', '.join(step.reasons)}{again}"
        return ((" [!] ", "p2-calm"), (name, "p2-calm"), (said, "text"))
    if step.step == view.next_step and view.state.status not in STOPPED:
        if step.lacks:
            said = "; ".join(each.said for each in step.lacks)
            return ((" [ ] ", "p3-calm"), (name, "p3-calm"), (said, "p3-calm"))
        said = f"next: n, then type {view.confirm}" if view.confirm else "next: n"
        return ((" [ ] ", "bright"), (name, "bright"), (said, "text"))
    return ((" [ ] ", "dim"), (name, "dim"), ("; ".join(each.said for each in step.lacks), "dim"))
