"""A run opened: what it gave and what speaks for it, then every trade, decision and figure."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import plot
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.figures import in_order, written
from engine.api.lab import DecisionPage, DecisionRow, RunDecisions, RunShow, RunTrades, TradePage
from engine.api.run_views import RunDetail, TradeRow
from seams.clock import NS_PER_S

FIRST = (
    "total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate_trades", "profit_factor",
    "total_pnl", "exposure", "deflated_sharpe", "cagr", "sortino", "calmar", "expectancy_net", "fees_usd",
    "funding_usd",
)  # fmt: skip
"""What is asked first about a run; the other metrics follow as `docs/metrics.md` has them."""
VIEWS = ("summary", "trades", "decisions", "figures")
BASELINES = ("cash", "buy_and_hold", "buy_and_hold_all_cash")
FIGURE_WIDTH = 26
TRUST_STYLES = {"failed": "p1-calm", "not_checked": "p3-calm"}
Figure = tuple[str, str]

TRADE_COLUMNS: tuple[Column[TradeRow], ...] = (
    Column("ENTRY", 14, lambda t: text.stamp(t.entry_at), value=lambda t: t.entry_at),
    Column("EXIT", 14, lambda t: text.stamp(t.exit_at), drop=2),
    Column("SIDE", 5, lambda t: t.side.upper()),
    Column("QTY", 9, lambda t: f"{t.quantity:,.4f}", ">"),
    Column("PRICES", 21, lambda t: f"{t.entry_price:,.2f} > {t.exit_price:,.2f}", ">", drop=1),
    Column("PnL", 11, lambda t: text.signed(t.pnl_usd), ">", value=lambda t: t.pnl_usd),
    Column("REASON", 0, lambda t: (t.reason, "dim")),
)


def _gates(row: DecisionRow) -> Cell:
    return (f"blocked by {', '.join(row.gates)}", "p3-calm") if row.gates else ("", "dim")


DECISION_COLUMNS: tuple[Column[DecisionRow], ...] = (
    Column("AT", 14, lambda d: text.date_hm(d.at_ns), value=lambda d: d.at_ns),
    Column("BAR", 8, lambda d: f"{d.bar:,}", ">", drop=2),
    Column("DID", 11, lambda d: d.action),
    Column("SIDE", 4, lambda d: d.side),
    Column("QTY", 9, lambda d: f"{d.quantity:,.4f}", ">"),
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
        self._totals: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._metrics, id="metrics")
        yield Lines(lambda w, h: self._curve(w, h, "EQUITY USD"), id="equity")
        yield Lines(lambda w, h: self._curve(w, h, "DRAWDOWN %"), id="drawdown")
        yield Lines(self._found, id="found")
        yield LiveTable("TRADES", TRADE_COLUMNS, _trade_key, look=look, id="trades", empty="no trades")
        yield LiveTable(
            "DECISIONS", DECISION_COLUMNS, _decision_key, look=look, id="decisions", empty="no decisions"
        )
        yield LiveTable(
            "FIGURES",
            (Column[Figure]("NAME", 24, lambda f: f[0]), Column[Figure]("VALUE", 0, lambda f: f[1])),
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
        self.set_class(self.view != VIEWS[0], "-listing")
        have: dict[str, Sequence[object]] = {"trades": self._trades, "decisions": self._decisions}
        for view in VIEWS[1:]:
            table = self.list(view)
            table.display = view == self.view
            coming = self._totals.get(view, 0) - len(have.get(view, ()))
            table.note = (f"+{coming:,} coming   " if coming > 0 else "") + self._tabs
        self.list("trades").set_rows(self._trades)
        self.list("decisions").set_rows(self._decisions)
        self.list("figures").set_rows(self._figures)

    def _show(self, detail: RunDetail) -> None:
        self.detail, self.view = detail, VIEWS[0]
        self._trades, self._decisions, self._figures = (), (), tuple(_figures(detail))
        self._totals = {}
        self.room.show(self)
        run_id = detail.row.run_id
        self.desk_app.ask_engine(RunTrades(run_id=run_id), TradePage, self._more_trades, "trades")
        self.desk_app.ask_engine(RunDecisions(run_id=run_id), DecisionPage, self._more_decisions, "decisions")

    _figures: tuple[Figure, ...] = ()

    @property
    def _tabs(self) -> str:
        return "Tab: " + "  ".join(f"[{view}]" if view == self.view else view for view in VIEWS)

    def _more_trades(self, page: TradePage) -> None:
        """Take a page of trades; ask for the next one until all are here."""
        if self.detail is None or page.run_id != self.detail.row.run_id or page.start != len(self._trades):
            return  # another run was opened meanwhile
        self._trades += page.rows
        self._totals["trades"] = page.total
        if page.rows and len(self._trades) < page.total:
            ask = RunTrades(run_id=page.run_id, start=len(self._trades))
            self.desk_app.ask_engine(ask, TradePage, self._more_trades, "trades")
        self.feed()

    def _more_decisions(self, page: DecisionPage) -> None:
        if self.detail is None or page.run_id != self.detail.row.run_id or page.start != len(self._decisions):
            return
        self._decisions += page.rows
        self._totals["decisions"] = page.total
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
        if self.view != VIEWS[0]:
            return lines
        across = max(1, width // FIGURE_WIDTH)
        for start in range(0, len(self._figures), across):
            chunk = self._figures[start : start + across]
            spans = [
                s
                for name, value in chunk
                for s in (
                    (f" {text.fit(name, 15)} ", "dim"),
                    (text.fit(value.partition("  (")[0], 9, ">"), "text"),
                )
            ]
            lines.append(tuple(spans))
        return lines

    def _found(self, width: int, height: int) -> Sequence[Line]:
        """What the checks found, and what the same market gave without the strategy."""
        detail = self.detail
        if detail is None:
            return []
        lines: list[Line] = [rule("CHECKS AND BASELINES", width, self.desk_app.look.rule, self._tabs)]
        for check in detail.checks:
            style = TRUST_STYLES.get(check.status, "text")
            head: Line = ((f" {text.fit(check.name, 11)}", "dim"), (text.fit(check.status, 12), style))
            rows = text.wrap(check.detail, width - 26, 2)
            lines += [(*head, (rows[0], "text")), *(((f"{'':24}{row}", "text"),) for row in rows[1:])]
        return [*lines, *(((f" {row}", "text"),) for row in _baselines(detail, width - 2))]

    def _curve(self, width: int, height: int, title: str) -> Sequence[Line]:
        detail, look = self.detail, self.desk_app.look
        if detail is None:
            return []
        is_equity = title.startswith("EQUITY")
        values = detail.equity if is_equity else tuple(-abs(d) * 100 for d in detail.drawdown)
        at = detail.curve_ns
        span = f"{text.date(at[0])} to {text.date(at[-1])}" if len(at) > 1 else ""
        if len(span) + len(title) + 8 > width:
            span = f"{(at[-1] - at[0]) / NS_PER_S / 86_400:.1f} days" if len(at) > 1 else ""
        drawn = plot(values, width - 2, height - 1, look, 0 if is_equity else 1)
        return [rule(title, width, look.rule, span), *(((f" {line}", "text"),) for line in drawn)]

    def _artifacts(self, width: int, height: int) -> Sequence[Line]:
        detail = self.detail
        if detail is None:
            return []
        return [
            rule("EVIDENCE", width, self.desk_app.look.rule, "  ".join(detail.artifacts)),
            ((f" {detail.row.path}", "dim"),),
        ]


def _figures(detail: RunDetail) -> list[Figure]:
    """Every metric, those asked first at the front, then the configuration; a null says why."""
    names = [name for name in FIRST if name in detail.metrics]
    names += [name for name in in_order(detail.metrics) if name not in names]
    return [(name, _said(detail, name)) for name in names] + list(detail.config.items())


def _said(detail: RunDetail, name: str) -> str:
    value = detail.metrics[name]
    why = detail.null_reasons.get(name, "")
    return f"-  ({why})" if value is None and why else written(name, value)


def _baselines(detail: RunDetail, width: int) -> list[str]:
    """Return what the market gave for nothing, and how often random entries did worse."""
    said = [
        f"{name.replace('_', ' ')} {written('total_return', detail.baselines[name]['total_return'])}"
        for name in BASELINES
        if "total_return" in detail.baselines.get(name, {})
    ]
    random = detail.baselines.get("random_entries", {})
    if isinstance(random.get("percentile"), float):
        said.append(f"beats {written('percentile', random['percentile'])} of random entries")
    return text.wrap("without it: " + ", ".join(said), width, 2) if said else []


def _trade_key(row: TradeRow) -> str:
    return f"{row.entry_at}{row.exit_at}{row.quantity}"


def _decision_key(row: DecisionRow) -> str:
    return f"{row.at_ns}{row.lane}{row.action}{row.side}"
