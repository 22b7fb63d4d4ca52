"""How the console looks: three greys, and colour only for what is not normal.

State is carried by words, letters and position; colour repeats it (ISA-101). Every style names both
its colours, because a segment without a style ends a NO_COLOR session.
"""

from __future__ import annotations

import locale
from dataclasses import dataclass

from rich.color import Color, ColorType
from rich.style import Style
from textual.theme import Theme

GROUND, PANEL, RULE = "#121212", "#1c1c1c", "#4e4e4e"
DIM, TEXT, BRIGHT = "#8a8a8a", "#c6c6c6", "#eeeeee"
RED, ORANGE, YELLOW = "#ff6e5e", "#ffaf3a", "#e6e06a"

INTERLOCK_GREY = Theme(
    name="interlock-grey",
    primary=TEXT,
    secondary=DIM,
    accent=BRIGHT,
    foreground=TEXT,
    background=GROUND,
    surface=GROUND,
    panel=PANEL,
    warning=ORANGE,
    error=RED,
    success=TEXT,
    dark=True,
)


def _color(name: str) -> Color:
    """Return a colour by its number in the fixed part of the 256-colour palette where it is in it.

    `38;5;251` says what `38;2;198;198;198` says in half the bytes, and most of a frame is colours. The
    triplet stays: who mixes or converts colours sees the same one. Palette: xterm, 256colres.pl.
    """
    color = Color.parse(name)
    assert color.triplet is not None
    red, green, blue = color.triplet
    if red == green == blue and (red - 8) % 10 == 0 and 8 <= red <= 238:
        number = 232 + (red - 8) // 10
    elif {red, green, blue} <= set(_CUBE):
        number = 16 + 36 * _CUBE.index(red) + 6 * _CUBE.index(green) + _CUBE.index(blue)
    else:
        return color
    return Color(name, ColorType.EIGHT_BIT, number, color.triplet)


_CUBE = (0, 95, 135, 175, 215, 255)
"""The levels of each primary in the palette's 6x6x6 cube."""


def _style(fg: str, bg: str = GROUND, **attributes: bool) -> Style:
    return Style(color=_color(fg), bgcolor=_color(bg), **attributes)  # type: ignore[arg-type]  # bools


STYLES: dict[str, Style] = {
    "text": _style(TEXT),
    "dim": _style(DIM),
    "bright": _style(BRIGHT, bold=True),
    "rule": _style(RULE),
    "title": _style(BRIGHT, bold=True),
    "head": _style(DIM, underline=True),
    "sel": _style(BRIGHT, "#3a3a3a", bold=True),
    "idle": _style(TEXT, "#262626"),
    "bar": _style(TEXT),
    "status": _style(TEXT, PANEL),
    "status-dim": _style(DIM, PANEL),
    "mode": _style(GROUND, TEXT, bold=True),
    "key": _style(BRIGHT, PANEL, bold=True),
    "p1": _style("#000000", RED, bold=True),
    "p2": _style("#000000", ORANGE, bold=True),
    "p3": _style("#000000", YELLOW, bold=True),
    "p1-calm": _style(RED, bold=True),
    "p2-calm": _style(ORANGE),
    "p3-calm": _style(YELLOW),
    "rtn": _style(TEXT, underline=True),
    "halt": _style("#ffff87", "#870000", bold=True),
    "halt-text": _style("#ffffff", "#5f0000"),
    "input": _style("#000000", BRIGHT, bold=True),
}


@dataclass(frozen=True)
class Look:
    """What the terminal can draw."""

    is_utf8: bool = True

    @property
    def rule(self) -> str:
        return "─" if self.is_utf8 else "-"

    @property
    def wall(self) -> str:
        return "│" if self.is_utf8 else "|"

    @property
    def full(self) -> str:
        return "█" if self.is_utf8 else "#"

    @property
    def empty(self) -> str:
        return "·" if self.is_utf8 else "."

    @property
    def shades(self) -> str:
        """From least to most."""
        return "·░▒▓█" if self.is_utf8 else ".:+*#"

    @property
    def dash(self) -> str:
        return "—" if self.is_utf8 else "-"


def terminal_look() -> Look:
    """Ask the locale whether block and braille characters can be shown."""
    return Look(is_utf8=locale.getpreferredencoding(False).lower().replace("-", "") == "utf8")
