"""Screen 2: the queue of proposals and everything that was checked about one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from textual.app import ComposeResult

from console.tui import text
from console.tui.prompt import Kind
from console.tui.screens.columns import worst
from console.tui.screens.doubt import asked_words, order_of
from console.tui.screens.room import Room
from console.tui.screens.ticket_picture import said, ticket_lines, what
from console.tui.widgets.lines import Line, Lines, rule
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.commands import (
    REJECT_REASONS,
    OrderAsk,
    TicketApprove,
    TicketCosign,
    TicketDefer,
    TicketReject,
    TicketRejectAll,
    TicketSelect,
)
from engine.api.views import EventsView, OrdersView, TicketRow, TicketsView
from seams.clock import NS_PER_MS

GRACE_MS = 500
"""How long A and R are ignored after a ticket changed under the operator's eyes."""
REJECTABLE = ("proposed", "reviewing", "cosigning")


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
                Column[TicketRow]("STATE", 10, self._state, drop=2),
                Column[TicketRow]("WHAT", 0, lambda t: what(t, self._is_deferred(t))),
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
        is_open = ticket.state in (*REJECTABLE, "approved")
        return text.left(ticket.expires_ns - self.desk_app.desk.now_ns) if is_open else "-"

    def _is_deferred(self, ticket: TicketRow) -> bool:
        return ticket.state in REJECTABLE and ticket.deferred_until_ns > self.desk_app.desk.now_ns

    def _state(self, ticket: TicketRow) -> str:
        return "DEFERRED" if self._is_deferred(ticket) else ticket.state.upper()

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
        acts = {
            "approve": self._approve,
            "reject": self._reject,
            "override": self._override,
            "reject_all": self._reject_all,
            "defer": self._defer,
            "ask_venue": self._ask_venue,
        }
        if action_id in acts:
            acts[action_id](ticket)
        return action_id in acts

    def _approve(self, ticket: TicketRow) -> None:
        if ticket.state == "cosigning":
            self._cosign(ticket)
            return
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
        refusal = self.desk_app.desk.refusal(needs_lease=True)
        if refusal:
            return refusal
        if ticket.worst == "fail":
            failed = next((c for c in ticket.checks if c.result == "fail"), None)
            return f"a check FAILED{f': {said(failed)}' if failed else ''}. R rejects it."
        if not self.is_reviewed(ticket):
            holder = (
                f" ({ticket.reviewer} is reviewing)"
                if ticket.reviewer and ticket.state == "reviewing"
                else ""
            )
            return f"review it first: Enter{holder}"
        return ""

    def _cosign(self, ticket: TicketRow) -> None:
        """The second person reads the same ticket and types its size: a signature is no reflex."""
        if ticket.first_approver == self.desk_app.desk.operator:
            self.desk_app.say("not signed: a second, other person must do it", "p3-calm")
            return
        size = text.number(ticket.quantity)
        body = TicketCosign(ticket_id=ticket.ticket_id, ticket_hash=ticket.ticket_hash)
        self.desk_app.ask(
            f"Sign {ticket.ticket_id} as the second person. Type the size ({size}):",
            lambda typed: self._if_size(
                ticket, typed, lambda _: self.desk_app.send(body, f"second signature of {ticket.ticket_id}")
            ),
            kind=Kind.SIZE,
        )

    def _override(self, ticket: TicketRow) -> None:
        """Pass over failed checks: a reason, the size, and then a second person; off unless configured."""
        if ticket.worst != "fail" or not self.is_reviewed(ticket):
            self.desk_app.say("nothing to override: review a ticket whose check FAILED", "p3-calm")
            return

        def sized(why: str) -> None:
            if len(why.strip()) < 4:
                self.desk_app.say("no override: a reason in words is required", "p3-calm")
                return
            self.desk_app.ask(
                f"Override on {ticket.ticket_id}. Type the size:",
                lambda typed: self._if_size(
                    ticket, typed, lambda size: self._send_approval(ticket, size, why=why.strip())
                ),
                kind=Kind.SIZE,
                note="it then waits for a second person, and is an alarm",
            )

        self.desk_app.ask(f"Override the FAIL on {ticket.ticket_id}. Why?", sized)

    def _approve_size(self, ticket: TicketRow, typed: str) -> None:
        self.feed()
        now = self.ticket
        if now is None or now.ticket_hash != ticket.ticket_hash or not self.is_reviewed(now):
            self.desk_app.say(
                f"not approved: {ticket.ticket_id} changed while you typed; review it again", "p3-calm"
            )
            return
        self._if_size(ticket, typed, lambda size: self._send_approval(ticket, size))

    def _if_size(self, ticket: TicketRow, typed: str, then: Callable[[Decimal], object]) -> None:
        """Go on only where the size was typed exactly."""
        try:
            size = Decimal(typed.strip().replace(",", ""))
        except InvalidOperation:
            size = Decimal(-1)
        if size == ticket.quantity:
            then(size)
        else:
            self.desk_app.say(
                f"not approved: that is not the size ({text.number(ticket.quantity)})", "p3-calm"
            )

    def _send_approval(self, ticket: TicketRow, size: Decimal | None, why: str = "") -> None:
        body = TicketApprove(
            ticket_id=ticket.ticket_id,
            ticket_hash=ticket.ticket_hash,
            typed_size=size,
            is_override=bool(why),
        )
        self.desk_app.send(body, f"approval of {ticket.ticket_id}", reason=why)

    def _reject(self, ticket: TicketRow) -> None:
        if ticket.state not in REJECTABLE:
            self.desk_app.say(f"{ticket.ticket_id} is {ticket.state}: nothing to reject", "p3-calm")
            return
        self._ask_reason((ticket.ticket_id,))

    def _reject_all(self, _: TicketRow) -> None:
        """Reject every open ticket that the list shows, filtered or not. Nothing approves several."""
        shown = self.query_one("#queue", LiveTable).shown_rows()
        names = tuple(row.ticket_id for row in shown if row.state in REJECTABLE)
        if names:
            self._ask_reason(names)
        else:
            self.desk_app.say("no open ticket is shown", "p3-calm")

    def _defer(self, ticket: TicketRow) -> None:
        """Put it back; the cursor goes on to the one that is read next."""
        if ticket.state not in REJECTABLE:
            self.desk_app.say(f"{ticket.ticket_id} is {ticket.state}: nothing to defer", "p3-calm")
            return

        def send(why: str) -> None:
            body = TicketDefer(ticket_id=ticket.ticket_id)
            self.desk_app.send(body, f"deferral of {ticket.ticket_id}", reason=why.strip())
            self.query_one("#queue", LiveTable).move(1)

        self.desk_app.ask(
            f"Defer {ticket.ticket_id} (expires in {self._left(ticket)}). Why, or Enter:",
            send,
            note="others first; it is back with half of its time left",
        )

    def _ask_venue(self, ticket: TicketRow) -> None:
        """Ask about the ticket's order: a question, nothing is sent again."""
        order = order_of(self.desk_app.desk.shown(OrdersView), ticket.ticket_id)
        if order is None:
            self.desk_app.say(f"{ticket.ticket_id} has become no order: there is nothing to ask", "p3-calm")
            return
        self.desk_app.send(OrderAsk(order_id=order.order_id), f"question about {order.order_id}")

    def _ask_reason(self, names: tuple[str, ...]) -> None:
        what = names[0] if len(names) == 1 else f"ALL {len(names)} shown"
        self.desk_app.ask(
            f"Reject {what} because:",
            lambda digit: self._reject_text(names, int(digit)),
            kind=Kind.DIGIT,
            expected="".join(str(digit) for digit in REJECT_REASONS),
            note="  ".join(f"{digit} {reason}" for digit, reason in REJECT_REASONS.items()),
        )

    def _reject_text(self, names: tuple[str, ...], digit: int) -> None:
        def finish(words: str) -> None:
            if len(names) == 1:
                one = TicketReject(ticket_id=names[0], reason_digit=digit, text=words)
                self.desk_app.send(one, f"rejection of {names[0]}")
            else:
                several = TicketRejectAll(ticket_ids=names, reason_digit=digit, text=words)
                self.desk_app.send(several, f"rejection of {len(names)} tickets")

        self.desk_app.ask(f"{REJECT_REASONS[digit]}. A word more, or Enter:", finish)

    def _detail(self, width: int, height: int) -> Sequence[Line]:
        ticket, look = self.ticket, self.desk_app.look
        if ticket is None:
            return [rule("TICKET", width, look.rule), (("  none selected", "dim"),)]
        return ticket_lines(ticket, width, height, look.rule, self._left(ticket), self._next_step(ticket))

    def _next_step(self, ticket: TicketRow) -> str:
        """Say what the keys would do now, and of an order in doubt what the venue last said."""
        if ticket.state == "unknown":
            desk = self.desk_app.desk
            asked = asked_words(order_of(desk.shown(OrdersView), ticket.ticket_id), desk.now_ns)
            return f"{asked}.  v asks again"
        if ticket.state == "cosigning":
            if ticket.first_approver == self.desk_app.desk.operator:
                return "a second, other person must sign it: A on their console, or interlock tickets cosign"
            return f"{ticket.first_approver} approved; A signs as the second person, R rejects"
        why = self._why_not(ticket)
        if why:
            return f"A is off: {why}"
        then = "; then a second person signs" if ticket.needs_second else ""
        if ticket.worst == "warn":
            return f"A asks for the size ({text.number(ticket.quantity)}) because of a WARN{then}; R rejects"
        return f"A approves exactly this{then}; R rejects"

    def _audit(self, width: int, height: int) -> Sequence[Line]:
        view, look = self.desk_app.desk.shown(EventsView), self.desk_app.look
        mine = [e for e in (view.rows if view else ()) if e.actor == self.desk_app.desk.operator]
        lines: list[Line] = [rule("YOUR LAST ACTIONS", width, look.rule)]
        lines += [((f" {text.hms(e.at_ns)} ", "dim"), (e.text, "text")) for e in mine[: height - 1]]
        return lines if mine else [*lines, (("  none yet", "dim"),)]

    def copy_text(self) -> str:
        ticket = self.ticket
        return f"{ticket.ticket_id} v{ticket.version} {ticket.ticket_hash}" if ticket else ""
