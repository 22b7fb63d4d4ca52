"""Screen 4: what is working, what was refused, and how long each hop took."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import ORDER_COLUMNS
from console.tui.screens.doubt import heard_words
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import LiveTable
from engine.api.commands import OrderAsk, OrderCancel
from engine.api.views import OrderRow, OrdersView
from seams.clock import NS_PER_MS

WORKING = frozenset({"submitting", "open", "partial", "unknown"})


class Orders(Room):
    NAME = "orders"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield LiveTable(
            "ORDERS", ORDER_COLUMNS, lambda r: r.order_id, look=look, id="list", empty="no orders"
        )
        yield Lines(self._detail, id="detail")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(OrdersView)
        rows = view.rows if view else ()
        table = self.query_one("#list", LiveTable)
        unknown = sum(1 for row in rows if row.status == "unknown")
        working = sum(1 for row in rows if row.status in WORKING)
        table.note = f"working {working}" + (f"  UNKNOWN {unknown}" if unknown else "")
        table.set_rows(rows)

    @property
    def order(self) -> OrderRow | None:
        row = self.query_one("#list", LiveTable).selected
        return row if isinstance(row, OrderRow) else None

    def act(self, action_id: str) -> bool:
        order = self.order
        if action_id not in ("cancel_order", "ask_venue") or order is None:
            return False
        if order.status not in WORKING:
            what = "cancel" if action_id == "cancel_order" else "ask"
            self.desk_app.say(f"{order.order_id} is {order.status}: nothing to {what}", "p3-calm")
            return True
        if action_id == "ask_venue":
            self.desk_app.send(OrderAsk(order_id=order.order_id), f"question about {order.order_id}")
            return True
        what = described(order)
        self.desk_app.ask(
            f"Cancel {order.order_id} {what}?  y = yes:",
            lambda _: self.desk_app.send(OrderCancel(order_id=order.order_id), f"cancel of {order.order_id}"),
            kind=Kind.YES,
            note="any other key = no",
        )
        return True

    def open_row(self) -> None:
        if self.order is not None and self.order.ticket_id:
            self.desk_app.go("tickets", self.order.ticket_id)

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        order, look = self.order, self.desk_app.look
        if order is None:
            return [rule("SELECTED", width, look.rule), (("  none", "dim"),)]
        average = text.number(order.average_price)
        unknown = "   UNKNOWN: not proved either way; do not repeat it" if order.status == "unknown" else ""
        fields: tuple[tuple[str, str], ...] = (
            (
                "order",
                f"{described(order)} {order.order_type} {order.time_in_force}"
                f"{' reduce-only' if order.reduce_only else ''}",
            ),
            ("state", f"{order.status.upper()}, in flight: {order.pending}{unknown}"),
            ("filled", f"{text.number(order.filled)} at {average}"),
            ("reason", order.reason or "-"),
            ("venue", f"{order.venue} {order.venue_order_id or '(no venue id yet)'}"),
            ("owner", f"{order.strategy}, session {order.session_id}, ticket {order.ticket_id or 'none'}"),
        )
        if order.asked_ns or order.status == "unknown":
            fields += (("asked", heard_words(order, self.desk_app.desk.now_ns)),)
        keys = "c = cancel  v = ask the venue"
        lines: list[Line] = [rule(f"SELECTED {order.order_id}", width, look.rule, keys)]
        lines += [((f" {text.fit(name, 9)}", "dim"), (value, "text")) for name, value in fields]
        return [*lines, ((" path     ", "dim"), *_path(order))]


def described(order: OrderRow) -> str:
    """Write an order's side, size, symbol and price."""
    size = f"{order.side.upper()} {text.number(order.quantity)}"
    return f"{size} {order.symbol} @ {text.number(order.limit_price)}"


def _path(order: OrderRow) -> Line:
    """Write when each hop happened and how many milliseconds after the one before."""
    hops = (
        ("created", order.created_ns),
        ("durable", order.durable_ns),
        ("sent", order.sent_ns),
        ("acked", order.acked_ns),
        ("done", order.done_ns),
    )
    spans: list[tuple[str, str]] = []
    before = 0
    for name, at_ns in hops:
        if not at_ns:
            spans.append((f"{name} -   ", "dim"))
            continue
        took = f"+{(at_ns - before) / NS_PER_MS:,.1f}ms" if before else text.hms_ms(at_ns)
        spans.append((f"{name} {took}   ", "text"))
        before = at_ns
    return tuple(spans)
