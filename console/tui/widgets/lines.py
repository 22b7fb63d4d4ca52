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
    return _merged(spans)


_BANDS = frozenset({"status", "status-dim", "key", "sel", "idle", "halt", "halt-text", "p1"})
"""Styles that run on to the end of the line."""


BLANKS = {name: (style.bgcolor, style.underline, style.reverse) for name, style in STYLES.items()}
"""What can be seen of a blank in each style: blanks alike in this need no colours of their own."""


def _merged(spans: Sequence[Span]) -> Line:
    """Join neighbours that look alike: every span costs its colours on the way to the terminal."""
    kept: list[Span] = []
    for text, style in spans:
        if kept:
            before, held = kept[-1]
            is_alike = BLANKS[style] == BLANKS[held]
            if style == held or (is_alike and (text.isspace() or before.isspace())):
                kept[-1] = (before + text, held if text.isspace() else style)
                continue
        kept.append((text, style))
    return tuple(kept)


NEAR_CELLS = 12
"""Two changes closer than this are painted as one: to move the cursor and set the colours costs as much."""


def changed_cells(before: Line, after: Line) -> list[tuple[int, int]]:
    """Return (first cell, number of cells) of each stretch that changed, from left to right."""
    old, new = _cells(before), _cells(after)
    if not old or len(old) != len(new):
        return [(0, sum(cell_len(text) for text, _ in after))]
    stretches: list[tuple[int, int]] = []
    for i, (was, now) in enumerate(zip(old, new, strict=True)):
        if was == now:
            continue
        if stretches and i - sum(stretches[-1]) < NEAR_CELLS:
            stretches[-1] = (stretches[-1][0], i + 1 - stretches[-1][0])
        else:
            stretches.append((i, 1))
    return stretches


def _cells(line: Line) -> list[tuple[str, object]]:
    """Return what each cell shows; nothing for a line with characters of another width than one cell."""
    if not all(text.isascii() or all(cell_len(char) == 1 for char in text) for text, _ in line):
        return []
    return [(char, BLANKS[style] if char == " " else style) for text, style in line for char in text]


def cut(line: Line, stretches: Sequence[tuple[int, int]]) -> Line:
    """Cut a line's spans at the ends of its stretches: the terminal is sent whole spans only."""
    if not stretches or not all(text.isascii() or cell_len(text) == len(text) for text, _ in line):
        return line
    edges = iter(sorted({edge for start, size in stretches for edge in (start, start + size)}))
    edge, at, spans = next(edges, None), 0, list[Span]()
    for text, style in line:
        end = at + len(text)
        while edge is not None and edge < end:
            if edge > at:
                spans.append((text[: edge - at], style))
                text, at = text[edge - at :], edge
            edge = next(edges, None)
        spans.append((text, style))
        at = end
    return tuple(spans)


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
        self._changed: dict[int, list[tuple[int, int]]] = {}

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
        self._changed = {}
        if len(before) != len(after):
            self.refresh()
            return len(after)
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            stretches = changed_cells(old, new) if old != new else []
            if stretches:
                self._changed[y] = stretches
        if self._changed:
            self.refresh(*(Region(x, y, size, 1) for y, found in self._changed.items() for x, size in found))
        return len(self._changed)

    def on_resize(self) -> None:
        self._shown = []
        self.update()

    def on_show(self) -> None:
        self.update()

    def render_line(self, y: int) -> Strip:
        if y < len(self._shown):
            line = cut(self._shown[y], self._changed.get(y, ()))
            return Strip([Segment(text, STYLES[style]) for text, style in line])
        return Strip([Segment(" " * self.size.width, STYLES["text"])])

    def plain(self) -> str:
        """Return what is shown as text, for copying and for tests."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._shown)


def rule(title: str, width: int, dash: str, note: str = "", style: str = "title") -> Line:
    """Return a pane's title line: its name on a rule, a note at the right end."""
    head, tail = f" {title} ", f" {note} " if note else ""
    room = max(0, width - len(head) - cell_len(tail) - 3)
    return ((dash * 2, "rule"), (head, style), (dash * room, "rule"), (tail, "dim"), (dash, "rule"))
