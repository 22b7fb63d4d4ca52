"""`?`: every key that means something here, from the registry."""

from __future__ import annotations

from collections.abc import Sequence

from console import actions
from console.tui.text import fit
from console.tui.widgets.lines import Line, Lines, rule

DANGER = ("", "audited", "asks first", "EMERGENCY", "RESTORES RISK")


def help_lines(screen: str, width: int, dash: str, *, is_past: bool = False) -> Sequence[Line]:
    """Return the help page of a screen; `is_past`: with the keys that move the instant shown."""
    own = [a for a in actions.offered(screen) if a.screens and len(a.screens) < len(actions.SCREENS) - 2]
    own += [a for a in actions.ACTIONS if is_past and actions.PAST in a.screens]
    general = [a for a in actions.offered(screen) if a not in own]
    lines: list[Line] = [rule(f"KEYS OF {screen.upper()}", width, dash, "Esc = back")]
    general.sort(key=lambda action: -action.danger)
    for action in (*own, *(a for a in general if not a.keys[0].isdigit())):
        keys = " ".join(actions.key_name(key) for key in action.keys)
        style = "bright" if action in own or action.danger else "text"
        mark = DANGER[action.danger]
        lines.append(
            ((f" {fit(keys, 12)}", style), (action.help, "text"), (f"   {mark}" if mark else "", "p3-calm"))
        )
    lines.append(
        ((f" {fit('0-9', 12)}", "text"), ("  ".join(f"{d} {n}" for d, n, _ in actions.SCREENS), "dim"))
    )
    return lines


class HelpPage(Lines):
    """The help page; it lies over the room and asks for nothing."""

    def __init__(self) -> None:
        super().__init__(id="help")
        self.screen_name, self.dash, self.top, self.is_past = "overview", "-", 0, False

    def lines(self, width: int, height: int) -> Sequence[Line]:
        title, *rows = help_lines(self.screen_name, width, self.dash, is_past=self.is_past)
        self.top = min(self.top, max(0, len(rows) - height + 1))
        return [title, *rows[self.top :]]

    def scroll_rows(self, step: int) -> None:
        self.top = max(0, self.top + step)
        self.update()
