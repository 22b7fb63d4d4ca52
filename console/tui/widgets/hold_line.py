"""Below the alarm: every hold that stands, why, and how to clear it. Empty while nothing holds risk."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from console.tui import text
from console.tui.model import Desk
from console.tui.widgets.lines import Line, Lines
from engine.api.views import HoldRow, StatusView

ROWS_OF = {"-short": 3, "-medium": 4, "-tall": 6}
"""Class of the screen's height -> how many rows holds may take."""
HOW: dict[str, str] = {
    "kill": "7, then u",
    "limits": "7, then u",
    "order_storm": "7, then u",
    "key_dead": "a new key, or 7, then u",
    "ambiguity": "d",
    "incident": "i, then n",
    "venue_closed": "waits for the venue; then 5, a",
    "watchdog": "interlock watchdog run",
    "replay_gate": "interlock replay",
    "entries_off": "the configuration",
}
"""Hold -> the keys, or the command, that lead to clearing it; the others clear by what their rule says."""
WORDS = {"halt": "HALT", "close_only": "CLOSE ONLY", "hydrating": "HYDRATING"}
STYLES = {"halt": "halt", "close_only": "p3", "hydrating": "p3"}


class HoldLines(Lines):
    """One or two rows for each hold, the strictest first; the last row counts what has no room."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="holds-line")
        self.desk = desk

    def update(self) -> int:
        rows = len(self._rows(self.app.size.width))
        self.display = rows > 0
        if rows and self.styles.height is not None and self.styles.height.value != rows:
            self.styles.height = rows
        return super().update() if rows else 0

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return self._rows(width)

    def _rows(self, width: int) -> list[Line]:
        status = self.desk.latest(StatusView)
        holds = status.holds if status else ()
        budget = next((rows for name, rows in ROWS_OF.items() if self.screen.has_class(name)), 2)
        if not holds:
            return []
        if len(holds) * 2 <= budget:
            return [line for hold in holds for line in _two(hold, width)]
        lines = [_one(hold, width) for hold in holds[:budget]]
        hidden = holds[budget - 1 :]
        if len(hidden) > 1:
            names = ", ".join(hold.code for hold in hidden)
            lines[-1] = ((text.fit(f" and {len(hidden)} more: {names}   7 shows them", width), "p3-calm"),)
        return lines


def how(hold: HoldRow) -> str:
    """Return where clearing this hold begins, in few words."""
    return HOW.get(hold.code.partition(":")[0], hold.clear_rule)


def _head(hold: HoldRow) -> tuple[str, str]:
    return f" {WORDS.get(hold.level, hold.level.upper())} ", STYLES.get(hold.level, "p3")


def _one(hold: HoldRow, width: int) -> Line:
    """Level, code, reason as far as there is room, and where to clear it."""
    head, style = _head(hold)
    way = f" -> {how(hold)} "
    code = f" {hold.code}  "
    room = width - cell_len(head) - cell_len(code) - cell_len(way)
    if room < 8:
        way, room = "", width - cell_len(head) - cell_len(code)
    return ((head, style), (code, "bright"), (text.fit(hold.evidence, max(0, room)), "text"), (way, "bright"))


def _two(hold: HoldRow, width: int) -> list[Line]:
    """Reason and way out, each in full where one row has no room for both."""
    head, style = _head(hold)
    code = f" {hold.code}  "
    is_named = hold.code.partition(":")[0] in HOW
    way = (f"-> {how(hold)}   " if is_named else "") + f"clears by {hold.clear_rule}"
    rest = width - cell_len(head) - cell_len(code)
    if cell_len(hold.evidence) + cell_len(way) + 4 <= rest:
        return [((head, style), (code, "bright"), (f"{hold.evidence}   ", "text"), (way, "bright"))]
    return [
        ((head, style), (code, "bright"), (text.fit(hold.evidence, max(0, rest)), "text")),
        ((f"   {text.fit(way, max(0, width - 4))}", "bright"),),
    ]
