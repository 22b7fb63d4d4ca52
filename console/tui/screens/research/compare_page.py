"""Two to five runs side by side: what they gave, and only the configuration that differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.figures import better, in_order, written
from engine.api.lab import RunCompare
from engine.api.research import Comparison

LETTERS = "ABCDE"
COLUMN_WIDTHS = {2: 24, 3: 17}
"""Two or three runs leave room for a date."""
Value = float | int | str | None


@dataclass(frozen=True)
class Compared:
    """One line of the table; `best` is the column that is ahead, -1 where none is."""

    name: str
    values: tuple[Value, ...]
    best: int = -1


class ComparePage(Page):
    NAME = "compare"

    def __init__(self) -> None:
        super().__init__()
        self.found: Comparison | None = None
        self._rows: tuple[Compared, ...] = ()

    def compose(self) -> ComposeResult:
        yield Lines(self._heads, id="heads")
        yield LiveTable("METRICS", (), lambda r: r.name, look=self.desk_app.look, id="compared")

    def open_runs(self, run_ids: Sequence[str]) -> None:
        """Ask for a comparison and show it."""
        ask = RunCompare(run_ids=tuple(run_ids))
        self.desk_app.ask_engine(ask, Comparison, self._show, "comparison")

    def feed(self) -> None:
        self.list("compared").set_rows(self._rows)

    def _show(self, found: Comparison) -> None:
        self.found = found
        is_fair = found.contract == "same"
        names = in_order(found.metrics)
        figures = [
            Compared(n, found.metrics[n], _best(n, found.metrics[n]) if is_fair else -1) for n in names
        ]
        delta = [
            Compared(f"config {name}", values) for name, values in _one_by_one(found.config_delta).items()
        ]
        self._rows = (*delta, *figures)
        columns = [Column[Compared]("NAME", 0, lambda r: (r.name, "dim") if r.best < 0 else r.name)]
        width = COLUMN_WIDTHS.get(len(found.run_ids), 14)
        columns += [_column(index, width) for index in range(len(found.run_ids))]
        self.list("compared").columns = tuple(columns)
        self.room.show(self)

    def _heads(self, width: int, height: int) -> Sequence[Line]:
        found, look = self.found, self.desk_app.look
        if found is None:
            return []
        lines: list[Line] = [rule(f"COMPARE {len(found.run_ids)} RUNS", width, look.rule, "Esc = back")]
        for at, run_id in enumerate(found.run_ids):
            trust = found.trust[at] if at < len(found.trust) else ""
            source = f"{found.sources[at]}, " if at < len(found.sources) else ""
            lines.append(
                ((f" {LETTERS[at]} ", "bright"), (f"{run_id}   ", "text"), (f"{source}checks {trust}", "dim"))
            )
        if found.contract != "same":
            why = f"THESE DO NOT COMPARE: they differ in {', '.join(found.mixed_keys)}"
            lines += [((f" {row}", "p2-calm"),) for row in text.wrap(why, width - 2, 2)]
        if found.disagreeing:
            why = f"ONE CONFIGURATION, OTHER DECISIONS: {found.trusted or 'none of them'} counts; replay them"
            lines += [((f" {row}", "p2-calm"),) for row in text.wrap(why, width - 2, 2)]
        lines += [((f" left out: {each.run_id}: {each.reason}", "p3-calm"),) for each in found.excluded]
        return lines


def _one_by_one(delta: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Take `fast=5, slow=26` apart: a line for each parameter that differs."""
    found: dict[str, tuple[str, ...]] = {}
    for name, values in delta.items():
        parts = [dict(p.partition("=")[::2] for p in value.split(", ") if "=" in p) for value in values]
        if name != "params":
            found[name] = values
            continue
        for key in dict.fromkeys(key for part in parts for key in part):
            said = tuple(part.get(key, "-") for part in parts)
            if len(set(said)) > 1:
                found[key] = said
    return found


def _column(index: int, width: int) -> Column[Compared]:
    def cell(row: Compared) -> Cell:
        said = written(row.name, row.values[index]) if index < len(row.values) else "-"
        return (f"{said} *", "bright") if row.best == index else f"{said}  "

    return Column(LETTERS[index] + "  ", width, cell, ">")


def _best(name: str, values: Sequence[Value]) -> int:
    """Return which run is ahead in a metric, -1 where that is not said of it or two are equal."""
    numbers = [v if isinstance(v, int | float) else None for v in values]
    known = [n for n in numbers if n is not None]
    if not better(name) or len(set(known)) < 2:
        return -1
    return numbers.index(min(known, key=abs) if better(name) == "lower" else max(known))
