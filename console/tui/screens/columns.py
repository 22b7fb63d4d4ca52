"""The columns of each list, in one place: the same row looks the same on every screen."""

from __future__ import annotations

from console.tui import text
from console.tui.theme import Look
from console.tui.widgets.drawing import bar
from console.tui.widgets.live_table import Cell, Column
from engine.api.corridor import SubmitRow
from engine.api.drills import DrillRow
from engine.api.incidents import Incident
from engine.api.reconcile import DifferenceRow
from engine.api.run_views import RunRow, SessionRow
from engine.api.views import (
    AlarmRow,
    EventRow,
    HoldRow,
    LimitRow,
    OrderRow,
    PartHealth,
    PositionRow,
    TicketRow,
)


def aged(ms: int, is_stale: bool) -> Cell:
    """An age; a stale one is dim and carries a `?`."""
    return (f"{text.age(ms)}?", "dim") if is_stale else text.age(ms)


def _position(row: PositionRow, cell: str) -> Cell:
    return (cell, "dim") if row.is_stale else cell


POSITION_COLUMNS: tuple[Column[PositionRow], ...] = (
    Column("SYMBOL", 0, lambda r: _position(r, r.symbol), value=lambda r: r.symbol),
    Column("VENUE", 11, lambda r: _position(r, r.venue), drop=5),
    Column("SIDE", 5, lambda r: _position(r, r.side.upper())),
    Column(
        "QTY", 10, lambda r: _position(r, text.number(r.quantity)), ">", value=lambda r: float(r.quantity)
    ),
    Column("ENTRY", 11, lambda r: _position(r, text.number(r.entry_price)), ">"),
    Column("MARK", 11, lambda r: _position(r, text.number(r.mark_price)), ">"),
    Column(
        "uPnL",
        10,
        lambda r: _position(r, text.signed(r.unrealised_usd)),
        ">",
        value=lambda r: float(r.unrealised_usd),
    ),
    Column("rPnL day", 10, lambda r: _position(r, text.signed(r.realised_day_usd)), ">", drop=4),
    Column("FEES", 8, lambda r: _position(r, text.money(r.fees_usd)), ">", drop=7),
    Column("STOP", 11, lambda r: text.number(r.stop_price), ">", drop=3),
    Column("AGE", 6, lambda r: aged(r.age_ms, r.is_stale), ">", value=lambda r: r.age_ms),
    Column("STRATEGY", 14, lambda r: r.strategy, drop=2),
    Column("SESSION", 10, lambda r: (r.session_id, "dim"), drop=6),
)


def order_state(row: OrderRow) -> Cell:
    """What is proved, and the request in flight after a `+`."""
    word = row.status.upper() + (f"+{row.pending}" if row.pending != "none" else "")
    style = {"unknown": "p2", "rejected": "p3-calm", "cancelled": "dim", "filled": "dim"}.get(
        row.status, "text"
    )
    return word, style


ORDER_COLUMNS: tuple[Column[OrderRow], ...] = (
    Column("ORDER", 10, lambda r: r.order_id, value=lambda r: r.order_id),
    Column("SYMBOL", 0, lambda r: r.symbol, value=lambda r: r.symbol),
    Column("SIDE", 4, lambda r: r.side.upper()),
    Column("QTY", 10, lambda r: text.number(r.quantity), ">", value=lambda r: float(r.quantity)),
    Column("FILLED", 10, lambda r: text.number(r.filled), ">"),
    Column("LIMIT", 11, lambda r: text.number(r.limit_price), ">"),
    Column("STATE", 15, order_state, value=lambda r: r.status),
    Column("CREATED", 8, lambda r: text.hms(r.created_ns), value=lambda r: r.created_ns, drop=1),
    Column("TIF", 9, lambda r: r.time_in_force, drop=5),
    Column("VENUE", 11, lambda r: r.venue, drop=4),
    Column("STRATEGY", 14, lambda r: r.strategy, drop=3),
    Column("TICKET", 9, lambda r: r.ticket_id or "-", drop=6),
    Column("REASON", 22, lambda r: (r.reason, "dim"), drop=7),
    Column("SESSION", 28, lambda r: (r.session_id, "dim"), drop=8),
)


def alarm_priority(row: AlarmRow) -> Cell:
    """Priority with its shape: `1!` act now, `2#` soon, `3-` today; reversed while unacknowledged."""
    mark = {1: "1!", 2: "2#", 3: "3-"}.get(row.priority, f"{row.priority} ")
    if row.state in ("SHELVED", "NORMAL"):
        return mark, "dim"
    band = f"p{min(max(row.priority, 1), 3)}"
    return mark, band if row.state in ("UNACK", "LATCH") else f"{band}-calm"


def alarm_state(row: AlarmRow) -> Cell:
    return row.state, {"RTN-UN": "rtn", "SHELVED": "dim", "NORMAL": "dim", "UNACK": "bright"}.get(
        row.state, "text"
    )


ALARM_COLUMNS: tuple[Column[AlarmRow], ...] = (
    Column("P", 2, alarm_priority, value=lambda r: r.priority),
    Column("STATE", 7, alarm_state, value=lambda r: r.state),
    Column("SINCE", 8, lambda r: text.hms(r.since_ns), value=lambda r: r.since_ns),
    Column("SOURCE", 18, lambda r: r.source, value=lambda r: r.source),
    Column("MESSAGE", 0, lambda r: r.message),
    Column("N", 3, lambda r: str(r.count), ">"),
    Column("BY", 8, lambda r: r.acked_by or "-"),
    Column("CODE", 24, lambda r: (r.code, "dim"), drop=1),
)

ALARM_COLUMNS_SHORT: tuple[Column[AlarmRow], ...] = (
    Column("P", 2, alarm_priority),
    Column("STATE", 7, alarm_state),
    Column("MESSAGE", 0, lambda r: f"{r.source} {r.message}"),
)

EVENT_COLUMNS: tuple[Column[EventRow], ...] = (
    Column("TIME", 8, lambda r: (text.hms(r.at_ns), "dim")),
    Column("ACTOR", 8, lambda r: r.actor),
    Column("KIND", 10, lambda r: (r.kind, "dim"), drop=1),
    Column("WHAT", 0, lambda r: r.text),
)


def _incident_state(row: Incident) -> Cell:
    word = {"open": "OPEN", "noted": "noted", "closed": "closed"}.get(row.status, row.status)
    return word, {"open": "p2-calm", "closed": "dim"}.get(row.status, "text")


INCIDENT_COLUMNS: tuple[Column[Incident], ...] = (
    Column("STATE", 6, _incident_state, value=lambda i: i.status),
    Column("OPENED", 11, lambda i: text.day_hm(i.opened_ns), value=lambda i: i.opened_ns),
    Column("OPENER", 11, lambda i: i.opener, value=lambda i: i.opener),
    Column("CAUSE", 12, lambda i: i.cause, drop=2),
    Column("BY", 12, lambda i: i.by),
    Column("REASON", 0, lambda i: i.reason),
    Column("NOTES", 5, lambda i: str(len(i.notes)), ">"),
    Column("INCIDENT", 24, lambda i: (i.incident_id, "dim"), drop=1),
)


def _drill_state(row: DrillRow) -> Cell:
    return (row.problem.upper().replace("_", " "), "p2-calm") if row.problem else ("counts", "text")


DRILL_COLUMNS: tuple[Column[DrillRow], ...] = (
    Column("DRILL", 10, lambda d: d.kind, value=lambda d: d.kind),
    Column("STATE", 14, _drill_state, value=lambda d: d.problem),
    Column("LAST", 11, lambda d: text.day_hm(d.began_ns), value=lambda d: d.began_ns),
    Column("DAYS LEFT", 9, lambda d: f"{d.days_left:.1f}" if d.days_left else "-", ">"),
    Column("BY", 10, lambda d: d.operator or "-"),
    Column("GOALS", 9, lambda d: f"{sum(f.is_met for f in d.figures)} of {len(d.figures)}"),
    Column("REASON", 0, lambda d: (d.reason, "dim")),
    Column("SIGNED", 6, lambda d: "yes" if d.is_signed else "no", drop=1),
)


def _corridor_state(row: SubmitRow) -> Cell:
    is_grave = row.alert in ("ORDER_STATUS_UNKNOWN", "SUBMIT_REQUEST_FAILED", "ARTIFACT_ALTERED")
    return row.status, "p1-calm" if is_grave else "p3-calm" if row.alert else "text"


CORRIDOR_COLUMNS: tuple[Column[SubmitRow], ...] = (
    Column("SESSION", 12, lambda r: (r.session_id, "bright"), value=lambda r: r.session_id),
    Column("OPENED", 11, lambda r: r.opened_at[5:16].replace("T", " "), value=lambda r: r.opened_at),
    Column("STATUS", 24, _corridor_state, value=lambda r: r.status),
    Column("ORDER", 0, lambda r: r.said),
    Column("VENUE", 20, lambda r: f"{r.venue} {r.environment}", drop=1),
    Column("ALERT", 24, lambda r: (r.alert, "dim"), drop=2),
)


def worst(row: TicketRow) -> Cell:
    return row.worst.upper(), {"warn": "p3-calm", "fail": "p1-calm"}.get(row.worst, "dim")


def _trust(row: RunRow) -> Cell:
    """What the checks found is shown apart from the status: a run can finish and be worthless."""
    word = {"not_checked": "unchecked"}.get(row.trust, row.trust)
    return word, {"failed": "p1-calm", "not_checked": "p3-calm"}.get(row.trust, "text")


def _fall(fraction: float | None) -> float | None:
    return None if fraction is None else -abs(fraction)


RUN_COLUMNS: tuple[Column[RunRow], ...] = (
    Column("RUN", 0, lambda r: r.run_id, value=lambda r: r.run_id, least=24),
    Column("STRATEGY", 13, lambda r: r.strategy, value=lambda r: r.strategy),
    Column("MARKET", 12, lambda r: f"{r.ticker} {r.interval}"),
    Column("CHECKS", 9, _trust, value=lambda r: r.trust),
    Column("STATUS", 9, lambda r: r.status, drop=3),
    Column("RETURN", 7, lambda r: text.percent(r.total_return), ">", value=lambda r: r.total_return or 0.0),
    Column("SHARPE", 7, lambda r: _ratio(r.sharpe_simple), ">", value=lambda r: r.sharpe_simple or 0.0),
    Column("MAX DD", 8, lambda r: text.percent(_fall(r.max_drawdown)), ">", drop=1),
    Column("TRADES", 6, lambda r: str(r.trades), ">", drop=2),
    Column("DATA", 8, lambda r: (text.short(r.data_sha256), "dim"), drop=5),
    Column("CONFIG", 8, lambda r: (text.short(r.config_hash), "dim"), drop=6),
    Column("DECISIONS", 9, lambda r: (text.short(r.decision_sha256), "dim"), drop=7),
    Column("CREATED", 11, lambda r: (text.minute(r.created_at), "dim"), drop=4),
)

SESSION_COLUMNS: tuple[Column[SessionRow], ...] = (
    Column("SESSION", 0, lambda r: r.session_id, value=lambda r: r.session_id, least=22),
    Column("STRATEGIES", 19, lambda r: ", ".join(r.strategies)),
    Column("STATUS", 10, lambda r: (r.status, "p3-calm" if r.status in ("failed", "aborted") else "text")),
    Column("EQUITY", 12, lambda r: text.money(r.equity_usd), ">"),
    Column("FILLS", 6, lambda r: str(r.fills), ">"),
    Column("BARS", 7, lambda r: str(r.bars), ">", drop=1),
    Column("ORDERS", 6, lambda r: str(r.orders), ">", drop=2),
    Column("FEED", 18, lambda r: (r.feed, "dim"), drop=4),
    Column("HANDS", 10, lambda r: "supervised" if r.is_supervised else "automatic", drop=5),
    Column("STARTED", 11, lambda r: text.day_hm(r.started_ns), drop=3),
)

HOLD_COLUMNS: tuple[Column[HoldRow], ...] = (
    Column("LEVEL", 10, lambda r: (r.level.upper(), "bright")),
    Column("CODE", 24, lambda r: r.code),
    Column("SINCE", 8, lambda r: text.hms(r.since_ns)),
    Column("SOURCE", 14, lambda r: r.source, drop=1),
    Column("EVIDENCE", 0, lambda r: r.evidence),
)


DIFFERENCE_STYLES = {"standing": "p2-calm", "settling": "p3-calm", "ignored": "dim"}


def _difference(row: DifferenceRow, cell: str) -> Cell:
    return (cell, "dim") if row.state == "ignored" else cell


DIFFERENCE_COLUMNS: tuple[Column[DifferenceRow], ...] = (
    Column(
        "STATE",
        8,
        lambda r: (r.state.upper(), DIFFERENCE_STYLES.get(r.state, "text")),
        value=lambda r: r.state,
    ),
    Column("DIFFERENCE", 22, lambda r: _difference(r, r.key), value=lambda r: r.key),
    Column("LOCAL", 14, lambda r: _difference(r, r.local)),
    Column("VENUE", 0, lambda r: _difference(r, r.venue), least=16),
    Column("BY", 12, lambda r: _difference(r, r.difference), ">"),
    Column("PROPOSED", 34, lambda r: (r.proposed or r.blocked_by, "dim"), drop=1),
    Column("SINCE", 8, lambda r: (text.hms(r.since_ns), "dim"), drop=2),
)

LIMIT_STYLES = {"breach": "p1-calm", "missing": "p2-calm", "warn": "p3-calm", "n/a": "dim"}
BAR_WIDTH = 16


def limit_columns(look: Look) -> tuple[Column[LimitRow], ...]:
    """Return the columns of the rule table; the bar shows the share of the bound that is used."""

    def style(row: LimitRow) -> str:
        return LIMIT_STYLES.get(row.state, "text")

    def used(row: LimitRow) -> Cell:
        if row.state == "missing":
            return bar(None, 1.0, BAR_WIDTH, look), style(row)
        return ("", "dim") if row.used is None else (bar(row.used, 1.0, BAR_WIDTH, look), style(row))

    return (
        Column("STATE", 7, lambda r: (r.state.upper(), style(r)), value=lambda r: r.state),
        Column("RULE", 0, lambda r: (r.code, style(r)), least=26, value=lambda r: r.code),
        Column("USED", BAR_WIDTH, used),
        Column("%", 4, lambda r: "" if r.used is None else f"{r.used * 100:.0f}", ">"),
        Column("NOW", 14, lambda r: r.now, ">", drop=2),
        Column("LIMIT", 14, lambda r: r.limit, ">", drop=1),
        Column("LEVEL", 9, lambda r: (r.level, "dim"), drop=3, value=lambda r: r.level),
        Column("WHOSE", 18, lambda r: (r.subject, "dim"), drop=4),
        Column("CONTROLS", 16, lambda r: (r.controls, "dim"), drop=5),
    )


def health_state(row: PartHealth) -> Cell:
    is_calm = row.state in ("ok", "off")
    return row.state if row.state in (
        "ok",
        "slow",
        "off",
    ) else row.state.upper(), "text" if is_calm else "p2-calm"


HEALTH_COLUMNS: tuple[Column[PartHealth], ...] = (
    Column("PART", 20, lambda r: r.part),
    Column("STATE", 8, health_state),
    Column("AGE", 6, lambda r: text.age(r.age_ms), ">"),
    Column("DETAIL", 0, lambda r: (r.detail, "dim"), drop=1),
)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
