"""A sweep opened: where the good parameters lie, the leaderboard, and how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.research.page import Page
from console.tui.widgets.drawing import heat
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.lab import SweepPage as Sweep
from engine.api.lab import SweepRow, SweepShow


class SweepPage(Page):
    NAME = "sweep"

    def __init__(self) -> None:
        super().__init__()
        self.sweep: Sweep | None = None

    def compose(self) -> ComposeResult:
        yield Lines(self._head, id="sweep-head")
        yield Lines(self._heat, id="heat")
        yield LiveTable("LEADERBOARD", (), lambda r: r.config_id, look=self.desk_app.look, id="leaders")

    def open_sweep(self, run_id: str) -> None:
        """Ask for a sweep and show it."""
        self.desk_app.ask_engine(SweepShow(run_id=run_id), Sweep, self._show, f"sweep {run_id}")

    def feed(self) -> None:
        self.list("leaders").set_rows(self.sweep.rows if self.sweep else ())

    def act(self, action_id: str) -> bool:
        return False

    def _show(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.list("leaders").columns = _columns(sweep)
        self.room.show(self)

    def _head(self, width: int, height: int) -> Sequence[Line]:
        sweep, look = self.sweep, self.desk_app.look
        if sweep is None:
            return []
        rejected = f", {sweep.rejected:,} rejected" if sweep.rejected else ""
        lines: list[Line] = [
            rule(f"SWEEP {sweep.run_id}", width, look.rule, "Esc = back"),
            ((f" {sweep.trials:,} trials{rejected}, ranked by {sweep.objective}", "bright"),),
        ]
        if sweep.dead_axes:
            lines.append(((f" dead: {', '.join(sweep.dead_axes)} changed no decision", "p3-calm"),))
        rows = [row for note in sweep.notes for row in text.wrap(note, width - 2, 2)]
        return lines + [((f" {row}", "dim"),) for row in rows]

    def _heat(self, width: int, height: int) -> Sequence[Line]:
        sweep, look = self.sweep, self.desk_app.look
        if sweep is None:
            return []
        if sweep.heat is None:
            return [rule("HEAT MAP", width, look.rule), (("  needs two axes with two values each", "dim"),)]
        found = sweep.heat
        title = f"BEST {sweep.objective.upper()}: {found.x_name} across, {found.y_name} down"
        drawn = heat(found.x_values, found.y_values, found.cells, width - 2, height - 1, look)
        return [rule(title, width, look.rule), *(((f" {line}", "text"),) for line in drawn)]


def _columns(sweep: Sweep) -> tuple[Column[SweepRow], ...]:
    """The leaderboard's columns; parameters stay when the terminal is narrow."""
    params = [_param(name) for name in (sweep.rows[0].params if sweep.rows else {}) if name in sweep.axes]
    return (
        Column("#", 4, lambda r: str(r.rank) if r.rank else "-", ">", value=lambda r: r.rank or 10**9),
        *params,
        Column("PnL", 12, lambda r: text.signed(r.total_pnl), ">", value=lambda r: r.total_pnl),
        Column(
            "MAX DD", 8, lambda r: text.percent(-abs(r.max_drawdown)), ">", value=lambda r: r.max_drawdown
        ),
        Column("SHARPE", 7, lambda r: _ratio(r.sharpe_simple), ">", value=lambda r: r.sharpe_simple or -1e9),
        Column("TRADES", 7, lambda r: f"{r.trades:,}", ">", value=lambda r: r.trades),
        Column("PF", 6, lambda r: _ratio(r.profit_factor, ""), ">", drop=1),
        Column("CHANNEL", 12, lambda r: r.channel, drop=2),
        Column("CONFIG", 10, lambda r: (text.short(r.config_id, 10), "dim"), drop=3),
        Column("NOTE", 0, lambda r: (r.reject_reason, "p3-calm")),
    )


def _param(name: str) -> Column[SweepRow]:
    return Column(
        name, max(6, min(14, len(name))), lambda r: f"{r.params[name]:g}", ">", value=lambda r: r.params[name]
    )


def _ratio(value: float | None, sign: str = "+") -> str:
    return "-" if value is None else f"{value:{sign}.2f}"
