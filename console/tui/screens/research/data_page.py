"""What bars are stored, and where they have holes."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import coverage
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.lab import DataList, DataSetRow, DataSets


def step_ns(row: DataSetRow) -> float:
    """Return the time between two bars as the set's own rows tell it."""
    return (row.last_ns - row.first_ns) / max(1, row.rows + row.missing_bars - 1)


class DataPage(Page):
    NAME = "data"

    def __init__(self) -> None:
        super().__init__()
        self.sets: tuple[DataSetRow, ...] = ()

    def compose(self) -> ComposeResult:
        yield LiveTable(
            "DATA",
            (
                Column[DataSetRow]("SERIES", 0, lambda r: f"{r.venue}/{r.symbol}/{r.interval}"),
                Column[DataSetRow]("ROWS", 10, lambda r: f"{r.rows:,}", ">", value=lambda r: r.rows),
                Column[DataSetRow]("FROM", 11, lambda r: text.day_hm(r.first_ns), value=lambda r: r.first_ns),
                Column[DataSetRow]("TO", 11, lambda r: text.day_hm(r.last_ns), value=lambda r: r.last_ns),
                Column[DataSetRow]("HOLES", 6, lambda r: f"{r.gaps:,}", ">", value=lambda r: r.gaps),
                Column[DataSetRow](
                    "MISSING", 8, lambda r: f"{r.missing_bars:,}", ">", value=lambda r: r.missing_bars
                ),
                Column[DataSetRow]("COVERAGE", 40, self._coverage, drop=1),
                Column[DataSetRow]("SHA256", 12, lambda r: (text.short(r.content_sha256, 12), "dim"), drop=2),
            ),
            lambda r: f"{r.venue}/{r.symbol}/{r.interval}",
            look=self.desk_app.look,
            id="sets",
            empty="no data yet: interlock data import FILE --as VENUE/SYMBOL/INTERVAL",
        )
        yield Lines(self._detail, id="set")

    def open_list(self) -> None:
        """Ask what is stored and show it."""
        self.desk_app.ask_engine(DataList(), DataSets, self._show, "stored data")

    def open_row(self) -> None:
        """Enter starts a launch on the series under the cursor."""
        row = self.list("sets").selected
        if isinstance(row, DataSetRow):
            self.room.launch(f"{row.venue}/{row.symbol}/{row.interval}")

    def feed(self) -> None:
        self.list("sets").set_rows(self.sets)

    def _show(self, found: DataSets) -> None:
        self.sets = found.rows
        self.room.show(self)

    def _coverage(self, row: DataSetRow) -> str:
        return coverage(row.first_ns, row.last_ns, row.holes, step_ns(row), 40, self.desk_app.look)

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.list("sets").selected, self.desk_app.look
        lines: list[Line] = [rule("SERIES", width, look.rule, "Enter = launch a run on it   Esc = back")]
        if not isinstance(row, DataSetRow):
            return lines
        drawn = coverage(row.first_ns, row.last_ns, row.holes, step_ns(row), width - 14, look)
        lines += [
            ((" coverage    ", "dim"), (drawn, "text")),
            ((" source      ", "dim"), (row.source, "text")),
            ((" sha256      ", "dim"), (row.content_sha256, "text")),
        ]
        lines += [((" repaired    ", "dim"), (each, "p3-calm")) for each in row.repairs[:3]]
        lines += [
            ((" hole after  ", "dim"), (f"{text.day_hm(after)}  {missing:,} bars missing", "text"))
            for after, missing in row.holes[: max(0, height - len(lines))]
        ]
        return lines
