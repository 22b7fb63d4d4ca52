"""A run opened: what it gave and what speaks for it, then every trade, decision and figure."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import plot
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from console.tui.widgets.paged import CHUNK, Paged
from engine.api.figures import in_order, written
from engine.api.lab import (
    PAGE_ROWS,
    DecisionPage,
    DecisionRow,
    RunDecisions,
    RunShow,
    RunTrades,
    TradePage,
)
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
        self._trades: Paged[TradeRow] = Paged()
        self._decisions: Paged[DecisionRow] = Paged()
        self._asked: set[tuple[str, int]] = set()

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._metrics, id="metrics")
        yield Lines(lambda w, h: self._curve(w, h, "EQUITY USD"), id="equity")
        yield Lines(lambda w, h: self._curve(w, h, "DRAWDOWN %"), id="drawdown")
        yield Lines(self._found, id="found")
        yield LiveTable(
            "TRADES",
            TRADE_COLUMNS,
            _trade_key,
            look=look,
            id="trades",
            empty="no trades",
            on_seen=lambda first, last: self._seen("trades", first, last),
        )
        yield LiveTable(
            "DECISIONS",
            DECISION_COLUMNS,
            _decision_key,
            look=look,
            id="decisions",
            empty="no decisions",
            on_seen=lambda first, last: self._seen("decisions", first, last),
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
        self._asked.clear()  # what was asked in vain is asked again
        self.feed()
        return True

    def feed(self) -> None:
        self.set_class(self.view != VIEWS[0], "-listing")
        for view in VIEWS[1:]:
            table = self.list(view)
            table.display = view == self.view
            table.note = self._coming(view) + self._tabs
        self.list("trades").set_rows(self._trades)
        self.list("decisions").set_rows(self._decisions)
        self.list("figures").set_rows(self._figures)

    def _show(self, detail: RunDetail) -> None:
        self.detail, self.view = detail, VIEWS[0]
        self._trades, self._decisions, self._figures = Paged(), Paged(), tuple(_figures(detail))
        self._asked.clear()
        self.room.show(self)
        self._fetch("trades", 0, CHUNK)
        self._fetch("decisions", 0, CHUNK)

    _figures: tuple[Figure, ...] = ()

    @property
    def _tabs(self) -> str:
        return "Tab: " + "  ".join(f"[{view}]" if view == self.view else view for view in VIEWS)

    def _rows(self, view: str) -> Paged[TradeRow] | Paged[DecisionRow]:
        return self._trades if view == "trades" else self._decisions

    def _coming(self, view: str) -> str:
        """Say how many rows a filter or an order still waits for."""
        if view == "figures" or not self.list(view).is_arranged:
            return ""
        left = len(self._rows(view)) - self._rows(view).here
        return f"+{left:,} coming   " if left else ""

    def _seen(self, view: str, first: int, last: int) -> None:
        """Fetch what is seen and not here; under a filter or an order, all of it, page by page."""
        rows = self._rows(view)
        if self.list(view).is_arranged:
            self._fetch_rest(view)
            return
        for start in rows.missing(first, last):
            self._fetch(view, start, CHUNK)

    def _fetch_rest(self, view: str) -> None:
        left = self._rows(view).missing(0, len(self._rows(view)))
        if left and not any(place in left for asked, place in self._asked if asked == view):
            self._fetch(view, left[0], PAGE_ROWS)

    def _fetch(self, view: str, start: int, count: int) -> None:
        """Ask for rows, once."""
        if self.detail is None or (view, start) in self._asked:
            return
        self._asked.add((view, start))
        run_id, ask = self.detail.row.run_id, self.desk_app.ask_engine
        if view == "trades":
            ask(RunTrades(run_id=run_id, start=start, count=count), TradePage, self._more_trades, view)
        else:
            body = RunDecisions(run_id=run_id, start=start, count=count)
            ask(body, DecisionPage, self._more_decisions, view)

    def _more_trades(self, page: TradePage) -> None:
        """Take a page of trades, unless another run was opened meanwhile."""
        if self.detail is not None and page.run_id == self.detail.row.run_id:
            self._trades = self._trades.with_page(page.start, page.rows, page.total)
            self._took("trades")

    def _more_decisions(self, page: DecisionPage) -> None:
        if self.detail is not None and page.run_id == self.detail.row.run_id:
            self._decisions = self._decisions.with_page(page.start, page.rows, page.total)
            self._took("decisions")

    def _took(self, view: str) -> None:
        if self.list(view).is_arranged:
            self._fetch_rest(view)
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
