"""Screen 3: exposure and profit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.columns import POSITION_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.views import OrdersView, PositionRow, PositionsView


class Positions(Room):
    NAME = "positions"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "POSITIONS",
            POSITION_COLUMNS,
            lambda r: r.session_id + r.symbol,
            look=look,
            id="list",
            empty="flat",
        )
        yield Lines(self._detail, id="detail")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(PositionsView)
        table = self.query_one("#list", LiveTable)
        rows = view.rows if view else ()
        table.note = f"uPnL {text.signed(sum(r.unrealised_usd for r in rows))}" if rows else ""
        table.set_rows(rows)

    def open_row(self) -> None:
        row = self.query_one("#list", LiveTable).selected
        if isinstance(row, PositionRow):
            self.desk_app.go("orders", "", filter_text=f"{row.symbol} {row.strategy}".lower())

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        row, look = self.query_one("#list", LiveTable).selected, self.desk_app.look
        if not isinstance(row, PositionRow):
            return [rule("SELECTED", width, look.rule), (("  nothing is held", "dim"),)]
        orders = self.desk_app.desk.shown(OrdersView)
        mine = [
            o
            for o in (orders.rows if orders else ())
            if (o.symbol, o.session_id) == (row.symbol, row.session_id)
            and o.status in ("open", "partial", "unknown")
        ]
        stop = text.number(row.stop_price) if row.stop_price is not None else "NO STOP"
        gap = (
            f" ({(row.stop_price - row.mark_price) / row.mark_price * 100:+.2f}% from mark)"
            if row.stop_price
            else ""
        )
        fields = (
            ("held", f"{row.side.upper()} {text.number(row.quantity)} {row.symbol} on {row.venue}"),
            (
                "entry, mark",
                f"{text.number(row.entry_price)} -> {text.number(row.mark_price)}   "
                f"{text.age(row.age_ms)}{'? STALE' if row.is_stale else ''}",
            ),
            (
                "profit",
                f"open {text.signed(row.unrealised_usd)}   "
                f"closed today {text.signed(row.realised_day_usd)}   fees {text.money(row.fees_usd)}",
            ),
            ("stop", f"{stop}{gap}"),
            (
                "working",
                "   ".join(
                    f"{o.side.upper()} {text.number(o.quantity)} @ {text.number(o.limit_price)} {o.status}"
                    for o in mine
                )
                or "no orders",
            ),
            ("owner", f"{row.strategy}, session {row.session_id}"),
        )
        lines: list[Line] = [rule(f"SELECTED {row.symbol}", width, look.rule, "Enter = its orders")]
        return lines + [((f" {text.fit(name, 12)}", "dim"), (value, "text")) for name, value in fields]
