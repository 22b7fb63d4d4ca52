"""Walk-forwards: the list of them, and one opened split by split."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import plot
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.lab import WalkList, WalkPage, WalkRow, Walks, WalkShow, WalkSplit

WALK_COLUMNS: tuple[Column[WalkRow], ...] = (
    Column("WALK-FORWARD", 0, lambda r: r.walk_id),
    Column("SPLITS", 6, lambda r: str(r.splits), ">"),
    Column("OOS RETURN", 10, lambda r: text.percent(r.oos_return), ">"),
    Column("MAX DD", 8, lambda r: text.percent(r.oos_max_drawdown), ">"),
    Column("GAINED", 7, lambda r: text.percent(r.positive_splits, 0).lstrip("+"), ">", drop=1),
    Column("CHANGE", 7, lambda r: "-" if r.sharpe_change is None else f"{r.sharpe_change:+.2f}", ">"),
)
SPLIT_COLUMNS: tuple[Column[WalkSplit], ...] = (
    Column("SPLIT", 8, lambda s: s.name),
    Column("TESTED ON", 24, lambda s: _window(s.test)),
    Column("TRAINED ON", 24, lambda s: (_window(s.train), "dim"), drop=2),
    Column("EMBARGO", 7, lambda s: str(s.embargo_bars), ">", drop=3),
    Column("CHOSEN", 0, lambda s: _chosen(s)),
    Column("TRAIN", 7, lambda s: _ratio(s.train_sharpe), ">"),
    Column("TEST", 7, lambda s: _ratio(s.test_sharpe), ">"),
    Column("RETURN", 8, lambda s: text.percent(s.test_return), ">"),
    Column("TRADES", 6, lambda s: str(s.test_trades), ">", drop=1),
)


class WalkPages(Page):
    NAME = "walk"

    def __init__(self) -> None:
        super().__init__()
        self.walks: tuple[WalkRow, ...] = ()
        self.opened: WalkPage | None = None

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "WALK-FORWARDS",
            WALK_COLUMNS,
            lambda r: r.walk_id,
            look=look,
            id="walks",
            empty="none yet: interlock walkforward start FILE",
        )
        yield Lines(self._curve, id="oos")
        yield LiveTable(
            "SPLITS", SPLIT_COLUMNS, lambda s: s.name, look=look, id="splits", empty="Enter opens one"
        )

    def open_list(self) -> None:
        """Ask for the walk-forwards and show them."""
        self.desk_app.ask_engine(WalkList(), Walks, self._show, "walk-forwards")

    def open_row(self) -> None:
        row = self.list("walks").selected
        if isinstance(row, WalkRow):
            ask = WalkShow(walk_id=row.walk_id)
            self.desk_app.ask_engine(ask, WalkPage, self._open, f"walk-forward {row.walk_id}")

    def feed(self) -> None:
        self.list("walks").set_rows(self.walks)
        self.list("splits").set_rows(self.opened.splits if self.opened else ())

    def _show(self, found: Walks) -> None:
        self.walks, self.opened = found.rows, None
        self.room.show(self)
        if found.rows:
            self.open_row()

    def _open(self, page: WalkPage) -> None:
        self.opened = page
        self.feed()

    def _curve(self, width: int, height: int) -> Sequence[Line]:
        page, look = self.opened, self.desk_app.look
        if page is None:
            return [rule("OUT OF SAMPLE", width, look.rule, "Esc = back")]
        at = page.curve_at
        span = f"{at[0][:10]} to {at[-1][:10]}" if at else ""
        drawn = plot(page.equity, width - 2, height - 1, look, 3)
        return [
            rule("OUT OF SAMPLE, from 1", width, look.rule, span),
            *(((f" {line}", "text"),) for line in drawn),
        ]


def _window(span: str) -> str:
    first, _, last = span.partition(" to ")
    if first[:10] == last[:10]:
        return f"{text.minute(first)}-{last[11:16]}"
    return f"{first[:10]} {last[:10]}"


def _chosen(split: WalkSplit) -> str:
    return " ".join(f"{name}={value:g}" for name, value in split.params.items()) or "nothing was eligible"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
