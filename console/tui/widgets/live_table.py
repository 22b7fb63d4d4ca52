"""The table: any number of rows, only the visible ones formatted, only changed cells painted.

The cursor stays on the same key when rows move, and a table never re-sorts by itself under the cursor
in any order but the one asked for: pressing Enter on the wrong order is how the wrong order is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual import events

from console.tui.text import fit
from console.tui.theme import Look
from console.tui.widgets.lines import Line, Lines, Span, rule

Row = TypeVar("Row")
Cell = str | Span
SortValue = str | int | float


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column; `width` 0 takes what is left; columns with a higher `drop` leave first."""

    title: str
    width: int
    cell: Callable[[Row], Cell]
    align: str = "<"
    drop: int = 0
    least: int = 12
    """What a column of width 0 needs before others may stay."""
    value: Callable[[Row], SortValue] | None = None


class LiveTable(Lines, Generic[Row]):
    """Rows with a cursor, a filter and a sort order under a titled rule.

    A row may be None: it is not here yet. `on_seen` hears which rows (first, and the one after the last) a
    picture shows, so that they can be fetched; a filter or a sort order takes only rows that are here.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        *,
        look: Look,
        empty: str = "none",
        id: str | None = None,
        has_header: bool = True,
        on_seen: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(id=id)
        self.title, self.columns, self.key, self.look, self.empty = title, tuple(columns), key, look, empty
        self.has_header, self._on_seen = has_header, on_seen
        self.is_active = False
        self.is_one_of_many = False
        self._is_placed = False
        self.note = ""
        self.filter_text = ""
        self.sort_index = -1
        self._rows: Sequence[Row | None] = ()
        self._shown_rows: Sequence[Row | None] = ()
        self._cursor, self._top = 0, 0
        self._cursor_key = ""

    @property
    def count(self) -> int:
        return len(self._shown_rows)

    def shown_rows(self) -> list[Row]:
        """Return the rows that the filter lets through, in the order shown."""
        return [row for row in self._shown_rows if row is not None]

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._shown_rows[self._cursor] if self._shown_rows else None

    @property
    def is_arranged(self) -> bool:
        """Whether a filter or a sort order is on: then every row counts, seen or not."""
        return bool(self.filter_text) or self.sort_index >= 0

    def set_rows(self, rows: Sequence[Row | None]) -> None:
        """Replace the rows; the cursor stays on its key."""
        if rows is not self._rows:
            self._rows = rows
            self._arrange()
        self.update()

    def set_filter(self, text: str) -> None:
        """Keep the rows in which every word occurs somewhere; empty shows all."""
        self.filter_text = text.lower()
        self._arrange()
        self.update()

    def sort_next(self) -> str:
        """Sort by the next sortable column, then return to the order given; return what it is now."""
        sortable = [i for i, column in enumerate(self.columns) if column.value is not None]
        later = [i for i in sortable if i > self.sort_index]
        self.sort_index = later[0] if later else -1
        self._arrange()
        self.update()
        return self.columns[self.sort_index].title if self.sort_index >= 0 else "as given"

    def move(self, step: int) -> None:
        """Move the cursor by rows, stopping at the ends."""
        if self._shown_rows:
            self._is_placed = True
            self._cursor = min(max(self._cursor + step, 0), len(self._shown_rows) - 1)
            self._cursor_key = self._key_at(self._cursor)
            self.update()

    def select(self, key: str) -> bool:
        """Put the cursor on a key; False when it is not shown."""
        for index, row in enumerate(self._shown_rows):
            if row is not None and self.key(row) == key:
                self._cursor, self._cursor_key, self._is_placed = index, key, True
                self.update()
                return True
        return False

    @property
    def page(self) -> int:
        """How many rows are visible."""
        return max(1, self.size.height - 1 - int(self.has_header))

    @property
    def arranged(self) -> tuple[Row, ...]:
        """Every row that the filter leaves, in the order shown."""
        return tuple(row for row in self._shown_rows if row is not None)

    @property
    def seen(self) -> tuple[Row, ...]:
        """The rows that are on the screen now."""
        shown = self._shown_rows[self._top : self._top + self.page]
        return tuple(row for row in shown if row is not None)

    def row_text(self, row: Row) -> str:
        """Return a row's cells as one tab-separated line."""
        return "\t".join(_text(column.cell(row)) for column in self.columns)

    def _arrange(self) -> None:
        self._shown_rows = self._rows
        if self.is_arranged:
            words = self.filter_text.split()
            here = (row for row in self._rows if row is not None)
            rows = [row for row in here if all(word in self.row_text(row).lower() for word in words)]
            value = self.columns[self.sort_index].value if self.sort_index >= 0 else None
            if value is not None:
                rows.sort(key=value)
            self._shown_rows = rows
        self._find_cursor()

    def _find_cursor(self) -> None:
        last = len(self._shown_rows) - 1
        self._cursor = min(self._cursor, max(0, last))
        if last < 0:
            return
        if not self.is_active and not self._is_placed:
            self._cursor = 0  # a list nobody has touched shows its newest
        elif self._cursor_key and self._key_at(self._cursor) != self._cursor_key:
            here = ((i, row) for i, row in enumerate(self._shown_rows) if row is not None)
            found = (i for i, row in here if self.key(row) == self._cursor_key)
            self._cursor = next(found, self._cursor)
        self._cursor_key = self._key_at(self._cursor)

    def _key_at(self, index: int) -> str:
        """Return a row's key, nothing for one that is not here."""
        row = self._shown_rows[index]
        return "" if row is None else self.key(row)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        total = len(self._shown_rows)
        page = max(1, height - 1 - int(self.has_header))
        top = min(self._top, self._cursor, max(0, total - page))
        self._top = max(top, self._cursor - page + 1, 0)
        widths = self._widths(width - 1)
        title = "mode" if self.is_active and self.is_one_of_many else "title"
        lines = [rule(self._heading(), width, self.look.rule, self._position(page), title)]
        if self.has_header:
            lines.append(((" ", "text"), *self._header(widths)))
        last = min(total, self._top + page)
        if self._on_seen is not None:
            self._on_seen(self._top, last)
        if not total:
            why = f"no row matches /{self.filter_text}" if self.filter_text else self.empty
            return [*lines, ((f"  {why}", "dim"),)]
        return lines + [self._row_line(i, widths) for i in range(self._top, last)]

    def _heading(self) -> str:
        return f"{self.title} {len(self._shown_rows):,}" if self._rows else self.title

    def _position(self, page: int) -> str:
        total = len(self._shown_rows)
        parts = [self.note] if self.note else []
        if self.filter_text:
            parts.append(f"/{self.filter_text}")
        if self.sort_index >= 0:
            parts.append(f"by {self.columns[self.sort_index].title}")
        if total > page:
            parts.append(f"{self._top + 1:,}-{min(total, self._top + page):,} of {total:,}")
        return "  ".join(parts)

    def _widths(self, room: int) -> list[int]:
        """Give each column its width; -1 for one that has to go."""
        kept = list(range(len(self.columns)))
        floor = {i: column.width or column.least for i, column in enumerate(self.columns)}
        while sum(floor[i] + 1 for i in kept) - 1 > room and any(self.columns[i].drop for i in kept):
            kept.remove(max(kept, key=lambda i: (self.columns[i].drop, i)))
        spare = room - sum(self.columns[i].width + 1 for i in kept) + 1
        return [-1 if i not in kept else (c.width or max(4, spare)) for i, c in enumerate(self.columns)]

    def _header(self, widths: list[int]) -> Line:
        pairs = zip(self.columns, widths, strict=True)
        return tuple(
            span for c, w in pairs if w >= 0 for span in ((fit(c.title, w, c.align), "head"), (" ", "text"))
        )

    def _row_line(self, index: int, widths: list[int]) -> Line:
        row = self._shown_rows[index]
        band = ("sel" if self.is_active else "idle") if index == self._cursor else ""
        is_pointed = index == self._cursor and (self.is_active or not self.is_one_of_many)
        spans: list[Span] = [(">" if is_pointed else " ", band or "text")]
        if row is None:
            return (*spans, (fit("...", self.size.width - 1), band or "dim"))
        for column, width in zip(self.columns, widths, strict=True):
            if width >= 0:
                cell = column.cell(row)
                style = "text" if isinstance(cell, str) else cell[1]
                loud = style in ("p1", "p2", "p3")
                spans.append((fit(_text(cell), width, column.align), style if loud or not band else band))
                spans.append((" ", band or "text"))
        return tuple(spans)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.move(3)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.move(-3)
        event.stop()


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]
