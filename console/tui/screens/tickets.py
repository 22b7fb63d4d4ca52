"""Screen 2: the queue of proposals and everything that was checked about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import worst
from console.tui.screens.room import Room
from console.tui.widgets.lines import Line, Lines, Span, rule
from console.tui.widgets.live_table import Cell, Column, LiveTable
from engine.api.commands import REJECT_REASONS, TicketApprove, TicketReject, TicketSelect
from engine.api.views import CheckRow, EventsView, TicketRow, TicketsView
from seams.clock import NS_PER_MS

GRACE_MS = 500
"""How long A and R are ignored after a ticket changed under the operator's eyes."""
STEPS = ("proposed", "reviewing", "approved", "sent", "acked")


class Tickets(Room):
    NAME = "tickets"

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[str, int] = {}
        self._changed_ns: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        now = self._left
        yield LiveTable(
            "TICKETS",
            (
                Column[TicketRow]("TICKET", 9, lambda t: t.ticket_id, value=lambda t: t.ticket_id),
                Column[TicketRow]("LEFT", 5, now, ">", value=lambda t: t.expires_ns),
                Column[TicketRow]("WORST", 5, worst, drop=1),
                Column[TicketRow]("STATE", 10, lambda t: t.state.upper(), drop=2),
                Column[TicketRow]("WHAT", 0, _what),
            ),
            lambda t: t.ticket_id,
            look=self.desk_app.look,
            id="queue",
            empty="no tickets: nothing waits for approval",
        )
        yield Lines(self._detail, id="detail")
        yield Lines(self._audit, id="audit")

    def feed(self) -> None:
        view = self.desk_app.desk.shown(TicketsView)
        rows = view.rows if view else ()
        now = self.desk_app.clock.monotonic_ns()
        for row in rows:
            known = self._versions.get(row.ticket_id)
            if known is not None and known != row.version:
                self._changed_ns[row.ticket_id] = now
            self._versions[row.ticket_id] = row.version
        self.query_one("#queue", LiveTable).set_rows(rows)

    @property
    def ticket(self) -> TicketRow | None:
        row = self.query_one("#queue", LiveTable).selected
        return row if isinstance(row, TicketRow) else None

    def _left(self, ticket: TicketRow) -> str:
        is_open = ticket.state in ("proposed", "reviewing", "approved")
        return text.left(ticket.expires_ns - self.desk_app.desk.now_ns) if is_open else "-"

    def is_reviewed(self, ticket: TicketRow) -> bool:
        return ticket.state == "reviewing" and ticket.reviewer == self.desk_app.desk.operator

    def open_row(self) -> None:
        if self.ticket is not None:
            self.desk_app.send(
                TicketSelect(ticket_id=self.ticket.ticket_id), f"review of {self.ticket.ticket_id}"
            )

    def act(self, action_id: str) -> bool:
        self.feed()
        ticket = self.ticket
        if ticket is None:
            return False
        changed_ns = self._changed_ns.get(ticket.ticket_id)
        grace_ns = GRACE_MS * NS_PER_MS
        if changed_ns is not None and self.desk_app.clock.monotonic_ns() - changed_ns < grace_ns:
            self.desk_app.say(f"{ticket.ticket_id} has just changed: look again", "p3-calm")
            return True
        if action_id == "approve":
            self._approve(ticket)
        elif action_id == "reject":
            self._reject(ticket)
        return action_id in ("approve", "reject")

    def _approve(self, ticket: TicketRow) -> None:
        refusal = self._why_not(ticket)
        if refusal:
            self.desk_app.say(f"not approved: {refusal}", "p3-calm")
        elif ticket.worst == "warn":
            self.desk_app.ask(
                f"WARN on {ticket.ticket_id}. Type the size to approve:",
                lambda typed: self._approve_size(ticket, typed),
                kind=Kind.SIZE,
            )
        else:
            self._send_approval(ticket, None)

    def _why_not(self, ticket: TicketRow) -> str:
        """Say why this ticket may not be approved now; empty when it may."""
        if ticket.worst == "fail":
            failed = next((c for c in ticket.checks if c.result == "fail"), None)
            return f"a check FAILED{f': {_said(failed)}' if failed else ''}. R rejects it."
        if not self.is_reviewed(ticket):
            holder = (
                f" ({ticket.reviewer} is reviewing)"
                if ticket.reviewer and ticket.state == "reviewing"
                else ""
            )
            return f"review it first: Enter{holder}"
        return ""

    def _approve_size(self, ticket: TicketRow, typed: str) -> None:
        self.feed()
        now = self.ticket
        if now is None or now.ticket_hash != ticket.ticket_hash or not self.is_reviewed(now):
            self.desk_app.say(
                f"not approved: {ticket.ticket_id} changed while you typed; review it again", "p3-calm"
            )
            return
        try:
            size = Decimal(typed.strip().replace(",", ""))
        except InvalidOperation:
            size = Decimal(-1)
        if size != ticket.quantity:
            self.desk_app.say(
                f"not approved: that is not the size ({text.number(ticket.quantity)})", "p3-calm"
            )
            return
        self._send_approval(ticket, size)

    def _send_approval(self, ticket: TicketRow, size: Decimal | None) -> None:
        body = TicketApprove(ticket_id=ticket.ticket_id, ticket_hash=ticket.ticket_hash, typed_size=size)
        self.desk_app.send(body, f"approval of {ticket.ticket_id}")

    def _reject(self, ticket: TicketRow) -> None:
        if ticket.state not in ("proposed", "reviewing"):
            self.desk_app.say(f"{ticket.ticket_id} is {ticket.state}: nothing to reject", "p3-calm")
            return
        reasons = "  ".join(f"{digit} {reason}" for digit, reason in REJECT_REASONS.items())
        self.desk_app.ask(
            f"Reject {ticket.ticket_id} because:",
            lambda digit: self._reject_text(ticket, int(digit)),
            kind=Kind.DIGIT,
            expected="".join(str(digit) for digit in REJECT_REASONS),
            note=reasons,
        )

    def _reject_text(self, ticket: TicketRow, digit: int) -> None:
        def finish(words: str) -> None:
            body = TicketReject(ticket_id=ticket.ticket_id, reason_digit=digit, text=words)
            self.desk_app.send(body, f"rejection of {ticket.ticket_id}")

        self.desk_app.ask(f"{REJECT_REASONS[digit]}. A word more, or Enter:", finish)

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        ticket, look = self.ticket, self.desk_app.look
        if ticket is None:
            return [rule("TICKET", width, look.rule), (("  none selected", "dim"),)]
        head: list[Line] = [
            rule(
                f"{ticket.ticket_id} v{ticket.version}", width, look.rule, f"hash {ticket.ticket_hash[:12]}"
            ),
            _order_line(ticket),
            *_facts(ticket, width),
        ]
        table = [_check_head(width), *(_check_line(check, width) for check in ticket.checks)]
        state = self._state_lines(ticket, width)
        room = max(3, height - len(head) - len(state) - 1)
        if len(table) > room:
            ranked = sorted(
                ticket.checks,
                key=lambda c: (
                    ("fail", "warn", "ok").index(c.result) if c.result in ("fail", "warn", "ok") else 0
                ),
            )
            table = [table[0], *(_check_line(check, width) for check in ranked[: room - 2])]
            table.append(((f"   and {len(ranked) - room + 2} more, none worse", "dim"),))
        return [*head, *table, ((look.rule * width, "rule"),), *state]

    def _state_lines(self, ticket: TicketRow, width: int) -> list[Line]:
        lines = _path(ticket, width)
        lines += [
            ((f" {check.result.upper()}  {_said(check)}", "p3-calm"),)
            for check in ticket.checks
            if check.result != "ok"
        ][:3]
        if ticket.state in ("proposed", "reviewing"):
            lines.append(((f"       rejects itself in {self._left(ticket)}", "text"),))
            advice = text.wrap(self._next_step(ticket), width - 8, 2)
            lines += [((f"       {row}", "bright"),) for row in advice]
        elif ticket.decided_by:
            said = f' "{ticket.decision_text}"' if ticket.decision_text else ""
            lines.append(((f"       by {ticket.decided_by} at {text.hms(ticket.decided_ns)}{said}", "text"),))
        return lines

    def _next_step(self, ticket: TicketRow) -> str:
        why = self._why_not(ticket)
        if why:
            return f"A is off: {why}"
        if ticket.worst == "warn":
            return f"A asks for the size ({text.number(ticket.quantity)}) because of a WARN; R rejects"
        return "A approves exactly this; R rejects"

    def _audit(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(EventsView), self.desk_app.look
        mine = [e for e in (view.rows if view else ()) if e.actor == self.desk_app.desk.operator]
        lines: list[Line] = [rule("YOUR LAST ACTIONS", width, look.rule)]
        lines += [((f" {text.hms(e.at_ns)} ", "dim"), (e.text, "text")) for e in mine[: height - 1]]
        return lines if mine else [*lines, (("  none yet", "dim"),)]

    def copy_text(self) -> str:
        ticket = self.ticket
        return f"{ticket.ticket_id} v{ticket.version} {ticket.ticket_hash}" if ticket else ""


def _path(ticket: TicketRow, width: int) -> list[Line]:
    """The states a ticket passes through, the present one in brackets; broken where the pane ends."""
    lines: list[list[Span]] = [[(" STATE ", "dim")]]
    room = width - 7
    for step in STEPS if ticket.state in STEPS else ("proposed", "reviewing", ticket.state):
        reviewer = f" {ticket.reviewer}" if step == "reviewing" else ""
        word = f"[{step.upper()}{reviewer}]" if step == ticket.state else step
        arrow = " > " if len(lines[-1]) > 1 else ""
        if len(arrow) + len(word) > room:
            lines.append([("       > ", "dim")])
            room, arrow = width - 9, ""
        lines[-1] += [(arrow, "dim"), (word, "bright" if step == ticket.state else "dim")]
        room -= len(arrow) + len(word)
    return [tuple(spans) for spans in lines]


def _said(check: CheckRow) -> str:
    """Write a check and its reason, once where they are the same word."""
    return check.name if check.reason in ("", check.name) else f"{check.name}: {check.reason}"


def _what(ticket: TicketRow) -> Cell:
    """What it would do, marked with `!` over a WARN and `!!` over a FAIL: a narrow queue has only this."""
    mark = {"warn": "! ", "fail": "!! "}.get(ticket.worst, "")
    said = f"{mark}{ticket.side.upper()} {ticket.symbol} {text.number(ticket.quantity)}"
    return said, {"warn": "p3-calm", "fail": "p1-calm"}.get(ticket.worst, "text")


def _order_line(ticket: TicketRow) -> Line:
    price = text.number(ticket.limit_price)
    reduce = " reduce-only" if ticket.reduce_only else ""
    size = f"{ticket.side.upper()} {text.number(ticket.quantity)} {ticket.symbol}"
    order = f" {size} {ticket.order_type.upper()} {price}"
    return ((order, "bright"), (f"  {ticket.time_in_force}{reduce}   {ticket.venue}", "text"))


def _facts(ticket: TicketRow, width: int) -> list[Line]:
    moved = (
        (ticket.mark_now - ticket.mark_price) / ticket.mark_price * 10_000
        if ticket.mark_price
        else Decimal(0)
    )
    stop = text.number(ticket.stop_loss) if ticket.stop_loss is not None else "none"
    origin = ((" from     ", "dim"), (f"{ticket.strategy} {ticket.session_id}", "text"))
    return [
        (
            (" notional ", "dim"),
            (f"~{text.money(ticket.notional_usd)} USD   ", "text"),
            ("stop ", "dim"),
            (f"{stop}", "text"),
        ),
        (
            (" mark     ", "dim"),
            (f"{text.number(ticket.mark_price)} -> {text.number(ticket.mark_now)} ({moved:+.1f} bp)", "text"),
        ),
        ((" why      ", "dim"), (ticket.why, "text")),
        origin,
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


def _check_line(check: CheckRow, width: int) -> Line:
    name, now, after, limit = _check_widths(width)
    style = {"warn": "p3-calm", "fail": "p1-calm"}.get(check.result, "text")
    word = check.result if check.result == "ok" else f"{check.result.upper()}"
    return (
        (f" {text.fit(check.name, name)} ", "text" if style == "text" else style),
        (f"{text.fit(check.now, now, '>')} {text.fit(check.after, after, '>')} ", "text"),
        (f"{text.fit(check.limit, limit, '>')} ", "dim"),
        (word, style),
    )
