"""One ticket as an approver reads it: the order, NOW / AFTER / LIMIT / RESULT, its state, what comes next."""

from __future__ import annotations

from collections.abc import Sequence

from console.tui import text
from console.tui.widgets.lines import Line, Span, rule
from console.tui.widgets.live_table import Cell
from engine.api.views import CheckRow, TicketRow

STEPS = ("proposed", "reviewing", "approved", "sent", "acked")
WITH_SECOND = ("proposed", "reviewing", "cosigning", "approved", "sent", "acked")
UNCONFIRMED = "UNKNOWN: the venue has not confirmed it. Do NOT send it again; the engine asks by its own id."
LABELS = {
    "price_collar_exceeded": "px vs mid, bp",
    "max_notional_exceeded": "order size, USD",
    "max_symbol_exposure_exceeded": "symbol exposure",
    "max_exposure_exceeded": "gross exposure",
    "trade_risk_exceeded": "risk at stop",
    "daily_loss_limit": "day loss",
    "drawdown_limit": "drawdown",
    "market_data_stale": "md age, ms",
    "duplicate_intent": "dup of",
    "leverage_exceeded": "leverage",
}
"""Rule -> what an operator calls its figure; these come first, in this order."""
LEAST_CHECKS = 8
"""How many lines of checks come before the first line of policy."""
RANK = {"fail": 0, "warn": 1, "look": 1}


def ticket_lines(
    ticket: TicketRow, width: int, height: int, dash: str, left: str, next_step: str
) -> list[Line]:
    """Return the whole picture of one ticket in `height` lines; what is cut off is counted.

    `left` is the time until it expires, `next_step` what the keys would do now.
    """
    head: list[Line] = [
        rule(f"{ticket.ticket_id} v{ticket.version}", width, dash, f"hash {ticket.ticket_hash[:12]}"),
        _order_line(ticket),
        *_facts(ticket, width),
    ]
    state = _state_lines(ticket, width, left, next_step)
    policy = _policy_lines(ticket, max(0, height - len(head) - len(state) - LEAST_CHECKS))
    room = height - len(head) - len(state) - len(policy) - 1
    table = checks_table(ticket.looks, ticket.checks, ticket.altered, width, room)
    checks: list[Line] = [*table, *policy]
    line: Line = ((dash * width, "rule"),)
    if ticket.state == "unknown":  # what became of it comes before what was once checked
        return [*head, *state, line, *checks]
    return [*head, *checks, line, *state]


def _policy_lines(ticket: TicketRow, room: int) -> list[Line]:
    """What the desk's policies say about such an order, where the checks leave room for it."""
    return [
        ((" policy ", "dim"), (f"{each.source}: ", "dim"), (f"{each.title}. ", "bright"), (each.text, "text"))
        for each in ticket.policy[:room]
    ]


def checks_table(
    looks: Sequence[CheckRow], checks: Sequence[CheckRow], altered: Sequence[str], width: int, height: int
) -> list[Line]:
    """Return NOW / AFTER / LIMIT / RESULT in `height` lines, at least four; what is cut off is counted."""
    room = max(3, height - 1)
    table: list[Line] = [_check_line(check, width, altered) for check in _ordered(looks, checks)]
    if len(table) > room:
        table = [*table[: room - 1], ((f"   and {len(table) - room + 1} more, none worse", "dim"),)]
    return [_check_head(width), *table]


def _ordered(seen: Sequence[CheckRow], checks: Sequence[CheckRow]) -> list[CheckRow]:
    """Put what speaks against it first, then what must be seen, then the figures that people know."""
    known = {name: place for place, name in enumerate(LABELS)}
    rows = [*seen, *checks]
    looks = {check.name for check in seen}

    def place(check: CheckRow) -> tuple[int, int, int]:
        return (
            RANK.get(check.result, 2),
            0 if check.name in looks else 1,
            known.get(check.name, len(known) + (check.result == "n/a")),
        )

    return sorted(rows, key=place)


def _state_lines(ticket: TicketRow, width: int, left: str, next_step: str) -> list[Line]:
    lines = _path(ticket, width)
    if ticket.overridden:
        passed = f"OVERRIDE of {', '.join(ticket.overridden)}: {ticket.override_reason}"
        lines += [((f"       {row}", "p3-calm"),) for row in text.wrap(passed, width - 8, 2)]
    if ticket.state in ("proposed", "reviewing", "cosigning"):
        lines.append(((f"       expires in {left} -> rejected by itself", "text"),))
        if ticket.deferred_until_ns:
            why = f": {ticket.deferred_why}" if ticket.deferred_why else ""
            said = f"deferred by {ticket.deferred_by} until {text.hms(ticket.deferred_until_ns)}Z{why}"
            lines += [((f"       {row}", "p3-calm"),) for row in text.wrap(said, width - 8, 2)]
        lines += [((f"       {row}", "bright"),) for row in text.wrap(next_step, width - 8, 2)]
    elif ticket.state == "unknown":
        lines += [((f"       {row}", "p1-calm"),) for row in text.wrap(UNCONFIRMED, width - 8, 3)]
        lines += [((f"       {row}", "bright"),) for row in text.wrap(next_step, width - 8, 4)]
    elif ticket.decided_by or ticket.decision_text:
        why = f' "{ticket.decision_text}"' if ticket.decision_text else ""
        by = f"by {ticket.decided_by} at {text.hms(ticket.decided_ns)}" if ticket.decided_by else "closed"
        lines += [((f"       {row}", "text"),) for row in text.wrap(f"{by}{why}", width - 8, 2)]
    return lines


def _path(ticket: TicketRow, width: int) -> list[Line]:
    """The states a ticket passes through, the present one in brackets; broken where the pane ends."""
    lines: list[list[Span]] = [[(" STATE ", "dim")]]
    room = width - 7
    steps = WITH_SECOND if ticket.needs_second or ticket.state == "cosigning" else STEPS
    for step in steps if ticket.state in steps else ("proposed", "reviewing", ticket.state):
        reviewer = f" {ticket.reviewer}" if step == "reviewing" else ""
        word = f"[{step.upper()}{reviewer}]" if step == ticket.state else step
        arrow = " > " if len(lines[-1]) > 1 else ""
        if len(arrow) + len(word) > room:
            lines.append([("       > ", "dim")])
            room, arrow = width - 9, ""
        lines[-1] += [(arrow, "dim"), (word, "bright" if step == ticket.state else "dim")]
        room -= len(arrow) + len(word)
    return [tuple(spans) for spans in lines]


def said(check: CheckRow) -> str:
    """Write a check and its reason, once where they are the same word."""
    return check.name if check.reason in ("", check.name) else f"{check.name}: {check.reason}"


def what(ticket: TicketRow, is_deferred: bool = False) -> Cell:
    """What it would do, marked with `!` over a WARN and `!!` over a FAIL: a narrow queue has only this.

    What is deferred is marked `z` and stands back.
    """
    mark = {"warn": "! ", "fail": "!! "}.get(ticket.worst, "")
    said = f"{mark}{ticket.side.upper()} {ticket.symbol} {text.number(ticket.quantity)}"
    if is_deferred:
        return f"z {said}", "dim"
    return said, {"warn": "p3-calm", "fail": "p1-calm"}.get(ticket.worst, "text")


def _order_line(ticket: TicketRow) -> Line:
    price = text.number(ticket.limit_price)
    reduce = " reduce-only" if ticket.reduce_only else ""
    size = f"{ticket.side.upper()} {text.number(ticket.quantity)} {ticket.symbol}"
    order = f" {size} {ticket.order_type.upper()} {price}"
    return ((order, "bright"), (f"  {ticket.time_in_force}{reduce}   {ticket.venue}", "text"))


def _facts(ticket: TicketRow, width: int) -> list[Line]:
    stop = text.number(ticket.stop_loss) if ticket.stop_loss is not None else "none"
    origin = f"{ticket.strategy} {ticket.session_id}  {ticket.parent}".rstrip()
    author = f" by hand of {ticket.proposed_by}" if ticket.proposed_by else ""
    return [
        (
            (" notional ", "dim"),
            (f"~{text.money(ticket.notional_usd)} USD   ", "text"),
            ("stop ", "dim"),
            (f"{stop}", "text"),
            (author, "bright"),
        ),
        ((" why      ", "dim"), (ticket.why, "text")),
        ((" from     ", "dim"), (origin, "text")),
        *([()] if width >= 70 else []),
    ]


def _check_widths(width: int) -> tuple[int, int, int, int]:
    name = 18 if width < 70 else 24
    column = min(14, max(6, (width - name - 11) // 3))
    return name, column, column, column


def _check_head(width: int) -> Line:
    name, now, after, limit = _check_widths(width)
    cells = (
        ("CHECK", name, "<"),
        ("NOW", now, ">"),
        ("AFTER", after, ">"),
        ("LIMIT", limit, ">"),
        ("RESULT", 6, "<"),
    )
    return ((" ", "text"), *(s for t, w, a in cells for s in ((text.fit(t, w, a), "head"), (" ", "text"))))


def _check_line(check: CheckRow, width: int, altered: Sequence[str]) -> Line:
    """One row of the table; `*` and a bright word mark what the newest version shows otherwise."""
    name, now, after, limit = _check_widths(width)
    is_new = check.name in altered
    style = {"warn": "p3-calm", "fail": "p1-calm", "look": "p3-calm"}.get(check.result, "text")
    word = check.result if check.result in ("ok", "n/a") else check.result.upper()
    label = LABELS.get(check.name, check.name)
    figures = "bright" if is_new else "text"
    return (
        ("*" if is_new else " ", "bright"),
        (f"{text.fit(label, name)} ", figures if style == "text" else style),
        (f"{text.fit_figure(check.now, now)} {text.fit_figure(check.after, after)} ", figures),
        (f"{text.fit_figure(check.limit, limit)} ", "dim"),
        (word, style),
    )
