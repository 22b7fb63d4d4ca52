"""A run opened: what it gave, its curves, and every trade and decision behind them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import plot
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.lab import DecisionPage, DecisionRow, RunDecisions, RunShow, RunTrades, TradePage
from engine.api.views import RunDetail, TradeRow
from seams.clock import NS_PER_S

FIRST = {
    name: place
    for place, name in enumerate(
        ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate_trades", "profit_factor")
    )
}
"""What is asked first about a run; the other metrics follow by name."""
VIEWS = ("trades", "decisions", "figures")
TRUST_STYLES = {"failed": "p1-calm", "not_checked": "p3-calm"}
Figure = tuple[str, str]

TRADE_COLUMNS: tuple[Column[TradeRow], ...] = (
    Column("ENTRY", 11, lambda t: text.minute(t.entry_at), value=lambda t: t.entry_at),
    Column("EXIT", 11, lambda t: text.minute(t.exit_at), drop=2),
    Column("SIDE", 5, lambda t: t.side.upper()),
    Column("QTY", 10, lambda t: f"{t.quantity:,.4f}", ">"),
    Column("PRICES", 23, lambda t: f"{t.entry_price:,.2f} > {t.exit_price:,.2f}", ">", drop=1),
    Column("PnL", 11, lambda t: text.signed(t.pnl_usd), ">", value=lambda t: t.pnl_usd),
    Column("REASON", 0, lambda t: (t.reason, "dim")),
)


def _gates(row: DecisionRow) -> Cell:
    return (f"blocked by {', '.join(row.gates)}", "p3-calm") if row.gates else ("", "dim")


DECISION_COLUMNS: tuple[Column[DecisionRow], ...] = (
    Column("AT", 11, lambda d: text.day_hm(d.at_ns), value=lambda d: d.at_ns),
    Column("BAR", 8, lambda d: f"{d.bar:,}", ">", drop=2),
    Column("DID", 11, lambda d: d.action),
    Column("SIDE", 4, lambda d: d.side),
    Column("QTY", 10, lambda d: f"{d.quantity:,.4f}", ">"),
    Column("PRICE", 11, lambda d: f"{d.price:,.2f}", ">"),
    Column("WHY", 14, lambda d: d.reason),
    Column("GATES", 0, _gates),
)


class RunPage(Page):
    NAME = "run"

    def __init__(self) -> None:
        super().__init__()
        self.detail: RunDetail | None = None
        self.view = VIEWS[0]
        self._trades: tuple[TradeRow, ...] = ()
        self._decisions: tuple[DecisionRow, ...] = ()

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._metrics, id="metrics")
        yield Lines(lambda w, h: self._curve(w, h, "EQUITY USD"), id="equity")
        yield Lines(lambda w, h: self._curve(w, h, "DRAWDOWN %"), id="drawdown")
        yield LiveTable("TRADES", TRADE_COLUMNS, _trade_key, look=look, id="trades", empty="no trades")
        yield LiveTable(
            "DECISIONS", DECISION_COLUMNS, _decision_key, look=look, id="decisions", empty="no decisions"
        )
        yield LiveTable(
            "FIGURES",
            (Column[Figure]("NAME", 34, lambda f: f[0]), Column[Figure]("VALUE", 0, lambda f: f[1])),
            lambda f: f[0],
            look=look,
            id="figures",
        )
        yield Lines(self._artifacts, id="artifacts")

    def open_run(self, run_id: str) -> None:
        """Ask for a run and show it once it is there."""
        self.desk_app.ask_engine(RunShow(run_id=run_id), RunDetail, self._show, f"run {run_id}")

    def next_view(self, step: int) -> bool:
        self.view = VIEWS[(VIEWS.index(self.view) + step) % len(VIEWS)]
        self.feed()
        return True

    def feed(self) -> None:
        names = "  ".join(f"[{v}]" if v == self.view else v for v in VIEWS)
        for view in VIEWS:
            table = self.list(view)
            table.display = view == self.view
            table.note = f"Tab: {names}"
        self.list("trades").set_rows(self._trades)
        self.list("decisions").set_rows(self._decisions)
        self.list("figures").set_rows(self._figures)

    def _show(self, detail: RunDetail) -> None:
        self.detail, self.view = detail, VIEWS[0]
        self._trades, self._decisions, self._figures = (), (), tuple(_figures(detail))
        self.room.show(self)
        run_id = detail.row.run_id
        self.desk_app.ask_engine(RunTrades(run_id=run_id), TradePage, self._more_trades, "trades")
        self.desk_app.ask_engine(RunDecisions(run_id=run_id), DecisionPage, self._more_decisions, "decisions")

    _figures: tuple[Figure, ...] = ()

    def _more_trades(self, page: TradePage) -> None:
        """Take a page of trades; ask for the next one until all are here."""
        if self.detail is None or page.run_id != self.detail.row.run_id or page.start != len(self._trades):
            return  # another run was opened meanwhile
        self._trades += page.rows
        if page.rows and len(self._trades) < page.total:
            ask = RunTrades(run_id=page.run_id, start=len(self._trades))
            self.desk_app.ask_engine(ask, TradePage, self._more_trades, "trades")
        self.feed()

    def _more_decisions(self, page: DecisionPage) -> None:
        if self.detail is None or page.run_id != self.detail.row.run_id or page.start != len(self._decisions):
            return
        self._decisions += page.rows
        if page.rows and len(self._decisions) < page.total:
            ask = RunDecisions(run_id=page.run_id, start=len(self._decisions))
            self.desk_app.ask_engine(ask, DecisionPage, self._more_decisions, "decisions")
        self.feed()

    def _metrics(self, width: int, height: int) -> Sequence[Line]:
        detail, look = self.detail, self.desk_app.look
        if detail is None:
            return []
        row = detail.row
        lines: list[Line] = [
            rule(f"RUN {row.run_id}", width, look.rule, "Esc = back"),
            (
                (f" {row.strategy} on {row.ticker} {row.interval}   {row.status}   ", "bright"),
                (f"checks {row.trust}", TRUST_STYLES.get(row.trust, "text")),
                (f"   {text.minute(row.created_at)}", "dim"),
            ),
        ]
        across = max(1, width // 38)
        for start in range(0, len(self._figures), across):
            chunk = self._figures[start : start + across]
            spans = [
                s for n, v in chunk for s in ((f" {text.fit(n, 20)} ", "dim"), (text.fit(v, 15), "text"))
            ]
            lines.append(tuple(spans))
        return lines

    def _curve(self, width: int, height: int, title: str) -> Sequence[Line]:
        detail, look = self.detail, self.desk_app.look
        if detail is None:
            return []
        is_equity = title.startswith("EQUITY")
        values = detail.equity if is_equity else tuple(-abs(d) * 100 for d in detail.drawdown)
        at = detail.curve_ns
        span = f"{text.day_hm(at[0])} to {text.day_hm(at[-1])} UTC" if len(at) > 1 else ""
        if len(span) + len(title) + 8 > width:
            span = f"{(at[-1] - at[0]) / NS_PER_S / 86_400:.1f} days" if len(at) > 1 else ""
        drawn = plot(values, width - 2, height - 1, look, 0 if is_equity else 1)
        return [rule(title, width, look.rule, span), *(((f" {line}", "text"),) for line in drawn)]

    def _artifacts(self, width: int, height: int) -> Sequence[Line]:
        detail = self.detail
        if detail is None:
            return []
        return [
            rule("EVIDENCE", width, self.desk_app.look.rule),
            ((f" {detail.row.path}: {'  '.join(detail.artifacts)}", "dim"),),
        ]


def _figures(detail: RunDetail) -> list[Figure]:
    ranked = sorted(detail.metrics.items(), key=lambda item: FIRST.get(item[0], len(FIRST)))
    return [(name, _metric(value)) for name, value in ranked] + list(detail.config.items())


def _metric(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _trade_key(row: TradeRow) -> str:
    return f"{row.entry_at}{row.exit_at}{row.quantity}"


def _decision_key(row: DecisionRow) -> str:
    return f"{row.at_ns}{row.lane}{row.action}{row.side}"
