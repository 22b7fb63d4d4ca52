"""Screen 0: is the plumbing healthy, the engine's and the console's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.columns import HEALTH_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.views import StatusView, SystemView

if TYPE_CHECKING:
    from console.tui.app import InterlockApp


class System(Room):
    NAME = "system"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable("HEALTH", HEALTH_COLUMNS, lambda h: h.part, look=look, id="health", empty="not known")
        yield Lines(self._facts, id="facts")
        yield Lines(self._own, id="own")

    def feed(self) -> None:
        desk = self.desk_app.desk
        system, status = desk.shown(SystemView), desk.shown(StatusView)
        rows = system.health if system else status.health if status else ()
        self.query_one("#health", LiveTable).set_rows(rows)

    def _facts(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(SystemView), self.desk_app.look
        lines: list[Line] = []
        group = ""
        for name, label, value in view.facts if view else ():
            if name != group:
                group = name
                lines.append(rule(group.upper(), width, look.rule))
            lines.append(((f" {text.fit(label, _label_width(width))} ", "dim"), (value, "text")))
        return lines or [rule("FACTS", width, look.rule), (("  not known", "dim"),)]

    def _own(self, width: int, height: int) -> Sequence[Line]:
        lines: list[Line] = [rule("THIS CONSOLE", width, self.desk_app.look.rule)]
        return lines + [
            ((f" {text.fit(name, _label_width(width))} ", "dim"), (value, "text"))
            for name, value in own_figures(self.desk_app)
        ]


def own_figures(app: InterlockApp) -> tuple[tuple[str, str], ...]:
    """Return what the console measures about itself."""
    desk = app.desk
    return (
        ("round trip", "-" if desk.rtt_ms is None else f"{desk.rtt_ms:.1f} ms"),
        ("engine last heard", f"{text.age(desk.silence_ms)} ago"),
        ("trust", str(desk.trust)),
        ("resynchronised", f"{desk.resyncs} times"),
        ("loop lag", f"{app.lag_ms:.1f} ms"),
        ("views received", str(desk.version)),
        ("terminal", f"{app.terminal or 'unknown'}, {app.size.width}x{app.size.height}"),
        ("drawing", "UTF-8 blocks and braille" if app.look.is_utf8 else "ASCII"),
        ("operator", f"{desk.operator}{', READ-ONLY' if desk.is_readonly else ''}"),
    )


def _label_width(width: int) -> int:
    return 22 if width >= 50 else 17
