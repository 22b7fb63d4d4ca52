"""Screen 6: research runs and paper sessions, in two lists that are never mixed; Enter opens one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import RUN_COLUMNS, SESSION_COLUMNS
from console.tui.screens.room import Room
from console.tui.widgets.drawing import plot
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.commands import PaperStart, PaperStop
from engine.api.lab import RunShow
from engine.api.views import RunDetail, RunRow, RunsView, SessionRow, TradeRow

FIRST = {
    name: place
    for place, name in enumerate(
        ("total_return", "sharpe_simple", "max_drawdown", "trades", "win_rate_trades", "profit_factor")
    )
}
"""What is asked first about a run; the other metrics follow by name."""


class Runs(Room):
    NAME = "runs"

    def __init__(self) -> None:
        super().__init__()
        self.detail: RunDetail | None = None

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        with Container(id="lists"):
            yield LiveTable(
                "PAPER SESSIONS",
                SESSION_COLUMNS,
                lambda r: r.session_id,
                look=look,
                id="sessions",
                empty="no session yet: P starts one",
            )
            yield Lines(self._session, id="session")
            yield LiveTable(
                "RESEARCH RUNS",
                RUN_COLUMNS,
                lambda r: r.run_id,
                look=look,
                id="runs",
                empty="no run yet: interlock run start",
            )
        with Container(id="opened"):
            yield Lines(self._metrics, id="metrics")
            yield Lines(lambda w, h: self._curve(w, h, "EQUITY USD"), id="equity")
            yield Lines(lambda w, h: self._curve(w, h, "DRAWDOWN %"), id="drawdown")
            yield LiveTable(
                "TRADES",
                (
                    Column[TradeRow]("ENTRY", 11, lambda t: text.minute(t.entry_at)),
                    Column[TradeRow]("EXIT", 11, lambda t: text.minute(t.exit_at), drop=2),
                    Column[TradeRow]("SIDE", 5, lambda t: t.side.upper()),
                    Column[TradeRow]("QTY", 10, lambda t: f"{t.quantity:,.4f}", ">"),
                    Column[TradeRow](
                        "PRICES", 23, lambda t: f"{t.entry_price:,.2f} > {t.exit_price:,.2f}", ">", drop=1
                    ),
                    Column[TradeRow](
                        "PnL", 11, lambda t: text.signed(t.pnl_usd), ">", value=lambda t: t.pnl_usd
                    ),
                    Column[TradeRow]("REASON", 0, lambda t: (t.reason, "dim")),
                ),
                lambda t: f"{t.entry_at}{t.exit_at}{t.quantity}",
                look=look,
                id="trades",
                empty="no trades",
            )
            yield Lines(self._artifacts, id="artifacts")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(RunsView)
        self.set_class(self.detail is not None, "-opened")
        self.query_one("#sessions", LiveTable).set_rows(view.sessions if view else ())
        self.query_one("#runs", LiveTable).set_rows(view.runs if view else ())
        self.query_one("#trades", LiveTable).set_rows(self.detail.trades if self.detail else ())

    def open_row(self) -> None:
        table = self.table
        row = table.selected if table else None
        if isinstance(row, RunRow):
            self.desk_app.ask_engine(
                RunShow(run_id=row.run_id), RunDetail, self.show_detail, f"run {row.run_id}"
            )
        elif isinstance(row, SessionRow):
            self.desk_app.go("orders", "", filter_text=row.session_id.lower())

    def show_detail(self, detail: RunDetail) -> None:
        self.detail, self.active = detail, 0
        self.update()

    def leave(self) -> bool:
        if self.detail is None:
            return False
        self.detail, self.active = None, 0
        self.update()
        return True

    @property
    def session(self) -> SessionRow | None:
        row = self.query_one("#sessions", LiveTable).selected
        return row if isinstance(row, SessionRow) else None

    def act(self, action_id: str) -> bool:
        if action_id == "start_paper":
            self.desk_app.ask(
                "Strategies for a sandbox session (comma between):", self._start, kind=Kind.TEXT
            )
        elif action_id == "stop_session":
            self._stop()
        return action_id in ("start_paper", "stop_session")

    def _start(self, typed: str) -> None:
        names = tuple(name.strip() for name in typed.split(",") if name.strip())
        if names:
            self.desk_app.send(PaperStart(strategies=names), f"start of {', '.join(names)}")

    def _stop(self) -> None:
        session = self.session
        if session is None or session.status != "running":
            self.desk_app.say("no running session is selected", "p3-calm")
            return
        self.desk_app.ask(
            f"Stop {session.session_id} ({', '.join(session.strategies)})?  y = yes:",
            lambda _: self.desk_app.send(
                PaperStop(session_id=session.session_id), f"stop of {session.session_id}"
            ),
            kind=Kind.YES,
            note="any other key = no",
        )

    def _session(self, width: int, height: int) -> Sequence[Line]:
        row = self.session
        if row is None:
            return []
        why = f" ({row.status_reason})" if row.status_reason else ""
        said = f", {row.bars} bars" + (f"   {row.message}" if row.message else "")
        return [
            (
                (
                    f"  {row.session_id}: {row.status}{why}, {row.decisions} decisions{said}",
                    "dim",
                ),
            ),
            (
                (
                    f"  {row.orders} orders (Enter shows them), {row.fills} fills, decisions "
                    f"{text.short(row.decision_sha256, 16)}",
                    "dim",
                ),
            ),
            ((f"  {row.path}", "dim"),),
        ]

    def _metrics(self, width: int, height: int) -> Sequence[Line]:
        detail, look = self.detail, self.desk_app.look
        if detail is None:
            return []
        row = detail.row
        ranked = sorted(detail.metrics.items(), key=lambda item: FIRST.get(item[0], len(FIRST)))
        pairs = [(name, _metric(value)) for name, value in ranked]
        pairs += [(name, value) for name, value in detail.config.items()]
        across = max(1, width // 38)
        lines: list[Line] = [
            rule(f"RUN {row.run_id}", width, look.rule, "Esc = back"),
            (
                (
                    f" {row.strategy} on {row.ticker} {row.interval}   {row.status}   {row.created_at}",
                    "bright",
                ),
            ),
        ]
        for start in range(0, len(pairs), across):
            chunk = pairs[start : start + across]
            lines.append(
                tuple(
                    s for n, v in chunk for s in ((f" {text.fit(n, 20)} ", "dim"), (text.fit(v, 15), "text"))
                )
            )
        return lines

    def _curve(self, width: int, height: int, title: str) -> Sequence[Line]:
        detail, look = self.detail, self.desk_app.look
        if detail is None:
            return []
        is_equity = title.startswith("EQUITY")
        values = detail.equity if is_equity else tuple(-abs(d) * 100 for d in detail.drawdown)
        at = detail.curve_ns
        span = f"{text.day_hm(at[0])} to {text.day_hm(at[-1])} UTC" if len(at) > 1 else ""
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


def _metric(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
