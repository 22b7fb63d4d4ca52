"""The Gates screen's part about arming: how it stands, what fails, and its two steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.tui import text
from console.tui.prompt import Kind
from console.tui.widgets.lines import Line, rule
from engine.api.arming import ArmAsk, ArmConfirm, ArmingView, Disarm
from engine.api.views import StatusView

if TYPE_CHECKING:
    from console.tui.app import InterlockApp

MIN_REASON = 4
KEYS = {
    "disarmed": "M = ask, with a reason",
    "asked": "M = the phrase",
    "armed": "M = OFF",
    "tended": "M = ask again",
}
"""What the key does now."""
MEANS = {
    "armed": "orders reach this venue until then; anyone may end it",
    "tended": "what is open is tended and may be closed; nothing new is opened",
}
STYLES = {"armed": "halt", "asked": "p3-calm", "tended": "p3-calm"}


def arming_of(app: InterlockApp) -> ArmingView | None:
    """Return how arming stands; None where no real venue is meant."""
    status = app.desk.shown(StatusView)
    return None if status is None else status.arming


def arming_lines(app: InterlockApp, width: int, height: int) -> Sequence[Line]:
    """Return the lines about arming; none where no real venue is meant."""
    view = arming_of(app)
    if view is None:
        return []
    left = f", {text.left(view.until_ns - app.desk.now_ns)}" if view.until_ns else ""
    who = view.armed_by or view.asked_by
    lines: list[Line] = [
        rule(f"ARMING {view.environment.upper()}", width, app.look.rule, KEYS.get(view.state, "")),
        (
            (f" {view.state.upper()} ", STYLES.get(view.state, "bright")),
            (f" {view.venue} {view.account}{left}", "text"),
            (f"  by {who}: {view.reason}" if who else "", "dim"),
        ),
    ]
    if view.phrase:
        second = "another person types" if view.needs_two else "type"
        lines.append(((f" M: {second} ", "text"), (view.phrase, "bright")))
    if view.state in MEANS:
        lines.append(((f" {MEANS[view.state]}", "text"),))
    failing, room = view.failing, max(1, height - len(lines))
    shown = room if len(failing) <= room else room - 1
    for each in failing[:shown]:
        lines.append(((f" [ ] {text.fit(each.code, 26)}", "text"), (each.said, "dim")))
    if len(failing) > shown:
        lines.append(((f"     and {len(failing) - shown} more: interlock arm show", "dim"),))
    return lines


def arm(app: InterlockApp) -> None:
    """Begin the next step: ask with a reason, confirm with the phrase, or end what is armed."""
    view = arming_of(app)
    if view is None:
        app.say("this engine reaches no real venue: nothing to arm", "p3-calm")
    elif view.state == "asked":
        body = ArmConfirm(hash=view.hash, phrase=view.phrase)
        app.ask(
            "ARM 2. Type the phrase:",
            lambda _: app.send(body, "arming"),
            kind=Kind.WORD,
            expected=view.phrase,
            note=f"asked by {view.asked_by}: {view.reason}",
        )
    elif view.state == "armed":
        app.ask("ARMED. Type OFF:", lambda _: app.send(Disarm(), "disarming"), kind=Kind.WORD, expected="OFF")
    else:
        app.ask("ARM 1. What is it for?", lambda why: _ask(app, why))


def _ask(app: InterlockApp, why: str) -> None:
    if len(why.strip()) < MIN_REASON:
        app.say("not asked: it must be said in words", "p3-calm")
        return
    app.send(ArmAsk(), "first step of arming", reason=why.strip())
