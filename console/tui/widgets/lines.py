"""A pane painted line by line: it compares what is shown with what should be, and paints the difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.tui.text import clean
from console.tui.theme import STYLES

Span = tuple[str, str]
"""(text, name of a style in `theme.STYLES`)."""
Line = tuple[Span, ...]
Source = Callable[[int, int], Sequence[Line]]
"""Called with (width, height); returns the lines to show."""


def settle(line: Line, width: int) -> Line:
    """Clean a line and cut or pad it to exactly `width` cells."""
    spans: list[Span] = []
    room = width
    for text, style in line:
        if room <= 0:
            break
        shown = clean(text)
        size = cell_len(shown)
        if size > room:
            # A cut is marked, so that it cannot pass unseen; what only runs on in blanks is not cut.
            is_cut = cell_len(shown.rstrip()) > room
            shown = set_cell_size(shown, room - 1) + "~" if is_cut else set_cell_size(shown, room)
            size = room
        if shown:
            spans.append((shown, style))
        room -= size
    if room > 0:
        spans.append((" " * room, spans[-1][1] if spans and spans[-1][1] in _BANDS else "text"))
    return tuple(spans)


_BANDS = frozenset({"status", "status-dim", "key", "sel", "idle", "halt", "halt-text", "p1"})
"""Styles that run on to the end of the line."""


def changed_cells(before: Line, after: Line) -> tuple[int, int]:
    """Return the first changed cell and the number of cells up to the last changed one."""
    old = [(char, style) for text, style in before for char in text]
    new = [(char, style) for text, style in after for char in text]
    if len(old) != len(new) or any(not text.isascii() for text, _ in (*before, *after)):
        return 0, sum(cell_len(text) for text, _ in after)
    first = next((i for i, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]), len(new))
    last = next((i for i in range(len(new) - 1, -1, -1) if old[i] != new[i]), first - 1)
    return first, last - first + 1


class Lines(Widget):
    """Shows the lines of its source; `update` paints only the cells that changed."""

    can_focus = False
    ALLOW_SELECT = False

    def __init__(
        self, source: Source | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._source = source
        self._shown: list[Line] = []

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Return the lines to show in this space."""
        return self._source(width, height) if self._source is not None else ()

    def update(self) -> int:
        """Bring the pane up to date; return how many lines changed."""
        width, height = self.size.width, self.size.height
        if not width or not height:
            return 0
        lines = list(self.lines(width, height))[:height]
        lines += [()] * (height - len(lines))
        after = [settle(line, width) for line in lines]
        before, self._shown = self._shown, after
        if len(before) != len(after):
            self.refresh()
            return len(after)
        regions = [
            Region(start, y, size, 1)
            for y, (old, new) in enumerate(zip(before, after, strict=True))
            if old != new
            for start, size in [changed_cells(old, new)]
        ]
        if regions:
            self.refresh(*regions)
        return len(regions)

    def on_resize(self) -> None:
        self._shown = []
        self.update()

    def on_show(self) -> None:
        self.update()

    def render_line(self, y: int) -> Strip:
        if y < len(self._shown):
            return Strip([Segment(text, STYLES[style]) for text, style in self._shown[y]])
        return Strip([Segment(" " * self.size.width, STYLES["text"])])

    def plain(self) -> str:
        """Return what is shown as text, for copying and for tests."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._shown)


def rule(title: str, width: int, dash: str, note: str = "", style: str = "title") -> Line:
    """Return a pane's title line: its name on a rule, a note at the right end."""
    head, tail = f" {title} ", f" {note} " if note else ""
    room = max(0, width - len(head) - cell_len(tail) - 3)
    return ((dash * 2, "rule"), (head, style), (dash * room, "rule"), (tail, "dim"), (dash, "rule"))
