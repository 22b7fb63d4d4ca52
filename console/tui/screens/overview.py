"""Screen 1: am I safe, and what needs me."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult

from console.tui import text
from console.tui.screens.columns import ALARM_COLUMNS_SHORT, EVENT_COLUMNS, POSITION_COLUMNS
from console.tui.screens.room import Room
from console.tui.theme import Look
from console.tui.widgets.drawing import bar, plot
from console.tui.widgets.lines import Line, Lines, Span, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.ticket_views import PairRow
from engine.api.views import (
    AlarmsView,
    EventsView,
    LimitBar,
    OverviewView,
    PositionsView,
    StatusView,
    TicketRow,
    TicketsView,
)

LIMIT_STYLES = {"warn": "p3-calm", "breach": "p1-calm", "missing": "p2-calm"}
LOSSES = frozenset({"day loss", "drawdown"})
OPEN_TICKETS = frozenset({"proposed", "reviewing", "cosigning"})


@dataclass(frozen=True)
class Need:
    """One thing that waits for a person."""

    id: str
    kind: str
    what: str
    mark: str
    screen: str


class Overview(Room):
    NAME = "overview"

    def compose(self) -> ComposeResult:
        look = self.desk_app.look
        yield Lines(self._summary, id="summary")
        yield Lines(self._risk, id="risk")
        yield Lines(self._equity, id="equity")
        yield LiveTable(
            "NEEDS YOU",
            (
                Column[Need]("ID", 9, lambda n: n.id),
                Column[Need]("KIND", 7, lambda n: (n.kind, "dim"), drop=1),
                Column[Need]("WHAT", 0, lambda n: n.what, least=26),
                Column[Need](
                    "", 10, lambda n: (n.mark, "p3-calm" if n.mark.startswith("WARN") else "text"), ">"
                ),
            ),
            lambda n: n.kind + n.id,
            look=look,
            id="needs",
            empty="nothing waits for you",
            has_header=False,
        )
        yield LiveTable(
            "POSITIONS", POSITION_COLUMNS, lambda r: r.session_id + r.symbol, look=look, id="positions"
        )
        yield LiveTable(
            "ALARMS", ALARM_COLUMNS_SHORT, lambda a: a.alarm_id, look=look, id="alarms", has_header=False
        )
        yield LiveTable(
            "EVENTS", EVENT_COLUMNS, lambda e: str(e.seq), look=look, id="events", has_header=False
        )
        yield Lines(self._promotion, id="promotion")

    def feed(self) -> None:
        desk = self.desk_app.desk
        positions, alarms = desk.shown(PositionsView), desk.shown(AlarmsView)
        events = desk.shown(EventsView)
        rows = {
            "positions": positions.rows if positions else (),
            "alarms": alarms.rows if alarms else (),
            "events": events.rows if events else (),
            "needs": self._needs(),
        }
        for name, values in rows.items():
            self.query_one(f"#{name}", LiveTable).set_rows(values)

    def _needs(self) -> Sequence[Need]:
        desk = self.desk_app.desk
        tickets, status, alarms = desk.shown(TicketsView), desk.shown(StatusView), desk.shown(AlarmsView)
        needs = [
            Need(
                t.ticket_id,
                "ticket",
                f"{t.side.upper()} {text.number(t.quantity)} {t.symbol}  {text.money(t.notional_usd, 0)} USD",
                _mark(t, desk.now_ns),
                "tickets",
            )
            for t in (tickets.rows if tickets else ())
            if t.state in OPEN_TICKETS
        ]
        needs += [
            Need(
                p.pair_id, "pair", f"{p.kind} {p.subject}: needs 2nd approver", _left(p, desk.now_ns), "gates"
            )
            for p in (status.pairs if status else ())
        ]
        needs += [
            Need(h.level, "hold", f"{h.code}: {h.evidence}", "", "gates")
            for h in (status.holds if status else ())
        ]
        waiting = [a for a in (alarms.rows if alarms else ()) if a.state in ("UNACK", "LATCH")]
        needs += [
            Need(f"P{a.priority}", "alarm", f"{a.source} {a.message}", a.state, "alarms") for a in waiting
        ]
        return needs

    def open_row(self) -> None:
        table = self.table
        if table is None or table.selected is None:
            return
        row = table.selected
        if isinstance(row, Need):
            self.desk_app.go(row.screen, row.id if row.kind == "ticket" else "")
        else:
            target = table.id or "overview"
            self.desk_app.go(target, table.key(row))

    def _summary(self, width: int, height: int) -> Sequence[Line]:
        look, view = self.desk_app.look, self.desk_app.desk.shown(OverviewView)
        lines: list[Line] = [rule("1 OVERVIEW", width, look.rule)]
        if view is None:
            return [*lines, (("  no figures yet", "dim"),)]
        alarm = [limit for limit in view.limits if limit.state in ("warn", "breach")]
        return [
            *lines,
            (
                (" EQUITY    ", "dim"),
                (f"{text.money(view.equity_usd)}  day {text.signed(view.day_pnl_usd)}", "bright"),
                (f"   gross {text.money(view.gross_usd, 0)} net {text.signed(view.net_usd, 0)}", "text"),
                (f" {view.leverage:.2f}x", "text"),
            ),
            (
                (" LIMITS    ", "dim"),
                *_limits(view.limits, width - 11, look),
            ),
            (
                (" ORDERS    ", "dim"),
                (
                    f"{_flow(view)}   ",
                    "text",
                ),
                ("   ".join(f"{a.state.upper()} {a.label}" for a in alarm), "p2-calm"),
            ),
        ]

    def _risk(self, width: int, height: int) -> Sequence[Line]:
        look, view = self.desk_app.look, self.desk_app.desk.shown(OverviewView)
        lines: list[Line] = [rule("RISK AND LIMITS", width, look.rule)]
        if view is None:
            return [*lines, (("  no figures yet", "dim"),)]
        equity, day = text.money(view.equity_usd), f"day {text.signed(view.day_pnl_usd)}"
        fall = f"drawdown {text.percent(-abs(view.drawdown) + 0.0)}"
        carried = (f"gross {text.money(view.gross_usd, 0)}", f"net {text.signed(view.net_usd, 0)}")
        gap = _gap(width - 11, equity, day, fall)
        if len(equity + gap + day + gap + fall) > width - 11:
            fall = ""  # its bar is below: half a figure is worse than none
        lines += [
            (
                (" equity    ", "dim"),
                (equity + gap + day, "bright"),
                (gap + fall, "text"),
            ),
            (
                (" exposure  ", "dim"),
                (_gap(width - 11, *carried, "0.00x").join((*carried, f"{view.leverage:.2f}x")), "text"),
            ),
            (
                (" flow      ", "dim"),
                (
                    _flow(view),
                    "text",
                ),
            ),
        ]
        size = max(10, min(24, width - 46))
        return lines + [_limit_line(limit, size, self) for limit in view.limits]

    def _equity(self, width: int, height: int) -> Sequence[Line]:
        look, view = self.desk_app.look, self.desk_app.desk.shown(OverviewView)
        points = view.equity if view else ()
        span = (
            f"{text.day_hm(points[0].at_ns)} to {text.day_hm(points[-1].at_ns)} UTC"
            if len(points) > 1
            else ""
        )
        drawn = plot([p.equity_usd for p in points], width - 2, height - 2, look)
        return [rule("EQUITY USD", width, look.rule, span), *(((f" {row}", "text"),) for row in drawn)]

    def _promotion(self, width: int, height: int) -> Sequence[Line]:
        look, view = self.desk_app.look, self.desk_app.desk.shown(OverviewView)
        lines: list[Line] = [rule("STRATEGIES: STAGE AND WHAT BLOCKS THE NEXT", width, look.rule)]
        for row in view.promotion if view else ():
            why = text.wrap("; ".join(row.blockers) or "nothing blocks", width - 24, 2)
            name, stage = text.fit(row.strategy, 15), text.fit(row.stage, 6)
            lines.append(((f" {name} ", "text"), (f"{stage} ", "bright"), (why[0], "dim")))
            lines += [((f"{'':24}{more}", "dim"),) for more in why[1:]]
        return lines if len(lines) > 1 else [*lines, (("  none", "dim"),)]


def _gap(width: int, *parts: str) -> str:
    """Return what stands between parts: three spaces, and one where the line would be cut."""
    return "   " if sum(map(len, parts)) + 3 * (len(parts) - 1) <= width else " "


def _flow(view: OverviewView) -> str:
    return f"working {view.working_orders}   rejects/5m {view.rejects_5m}   fills/5m {view.fills_5m}"


def _left(pair: PairRow, now_ns: int) -> str:
    """How long the second signature may still come; a request that nobody signed waits for both."""
    return text.left(pair.expires_ns - now_ns) if pair.expires_ns else "2 sign"


def _mark(ticket: TicketRow, now_ns: int) -> str:
    """Write what presses: the worst check, if not ok, `z` for what is deferred, and the time left."""
    worst = "" if ticket.worst == "ok" else f"{ticket.worst.upper()} "
    worst += "z " if ticket.deferred_until_ns > now_ns else ""
    return f"{worst}{text.left(ticket.expires_ns - now_ns)}"


def figure(value: float) -> str:
    """Write a limit's number: whole above a thousand, four digits below."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _limit(limit: LimitBar) -> str:
    return f"{figure(limit.limit)}{limit.unit if limit.unit in ('%', 'x') else ' ' + limit.unit}".rstrip()


def _limits(limits: Sequence[LimitBar], room: int, look: Look) -> Line:
    """The limits that a line has room for: what presses first, then what losses are measured by."""
    shown: list[Span] = []
    for limit in sorted(limits, key=lambda limit: (limit.state == "ok", limit.label not in LOSSES)):
        spans = _limit_short(limit, look)
        room -= sum(len(words) for words, _ in spans)
        if room < 0:
            break
        shown += spans
    return tuple(shown)


def _limit_short(limit: LimitBar, look: Look) -> Line:
    style = LIMIT_STYLES.get(limit.state, "text")
    value = "?" if limit.value is None else figure(limit.value)
    return (
        (f"{limit.label} ", "dim"),
        (f"{value}/{_limit(limit)} ", style),
        (bar(limit.value, limit.limit, 8, look), style if limit.state != "ok" else "bar"),
        ("  ", "text"),
    )


def _limit_line(limit: LimitBar, size: int, room: Room) -> Line:
    style = LIMIT_STYLES.get(limit.state, "text")
    value = "?" if limit.value is None else figure(limit.value)
    mark = {"ok": "", "warn": " ! WARN", "breach": " !! BREACH", "missing": " ? MISSING"}.get(limit.state, "")
    return (
        (f" {text.fit(limit.label, 17)}", "dim"),
        (f"{value:>9} ", style),
        (bar(limit.value, limit.limit, size, room.desk_app.look), style if limit.state != "ok" else "bar"),
        (f" {_limit(limit)}", "dim"),
        (mark, style),
    )
