"""Tickets as people see them: the checks, and beside them what no rule judges and an approver must know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from engine.api.ticket_views import CheckRow, TicketRow, TicketsView
from engine.core import Core
from engine.trading.session import PaperSession
from safety.approval import OPEN_STATES, Ticket
from safety.deferral import queue
from safety.facts import Check, CheckResult
from safety.policies import PolicySnippet
from seams.clock import NS_PER_S

ZERO = Decimal(0)
BPS = Decimal(10_000)
DUPLICATE_NS = 60 * NS_PER_S
SHOWN_CLOSED = 30


class TicketSight(NamedTuple):
    """What lies around the tickets: prices, positions, the other tickets, and where sessions come from."""

    marks: dict[str, Decimal]
    positions: dict[tuple[str, str], Decimal]
    parents: dict[str, str]
    open: tuple[Ticket, ...]
    second_above_usd: Decimal | None
    policy: Callable[[Ticket], tuple[PolicySnippet, ...]]

    @classmethod
    def of(cls, core: Core, sessions: Sequence[PaperSession]) -> TicketSight:
        """Look around."""
        above = Decimal(str(core.settings.supervision.second_person_above_usd))
        return cls(
            marks={name: held.mark_price for s in sessions for name, held in s.ledger.holdings.items()},
            positions={
                (s.plan.session_id, name): held.quantity
                for s in sessions
                for name, held in s.ledger.holdings.items()
            },
            parents={s.plan.session_id: _parent(s) for s in sessions},
            open=core.tickets.all()[-200:],
            second_above_usd=above if core.needs_two_persons else None,
            policy=core.policies.of_ticket,
        )


NOWHERE = TicketSight({}, {}, {}, (), None, lambda ticket: ())


class TicketRows:
    """The rows of tickets, kept while ticket, mark and position are the same: most never change again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[object, ...], TicketRow]] = {}

    def of(self, tickets: Sequence[Ticket], sight: TicketSight) -> tuple[TicketRow, ...]:
        """Return a row for each of these; whatever was not asked for is forgotten."""
        self._kept = {ticket.id: self._row(ticket, sight) for ticket in tickets}
        return tuple(row for _, row in self._kept.values())

    def _row(self, ticket: Ticket, sight: TicketSight) -> tuple[tuple[object, ...], TicketRow]:
        intent = ticket.intent
        is_open = ticket.state in OPEN_STATES
        place = (intent.session_id, intent.symbol)
        key = (
            ticket,
            sight.marks.get(intent.symbol),
            *((sight.positions.get(place), len(sight.open)) if is_open else ()),
        )
        kept = self._kept.get(ticket.id)
        if kept is not None and kept[0] == key:
            return kept
        return key, ticket_row(ticket, sight)


def tickets_view(core: Core, sessions: list[PaperSession], seq: int, rows_of: TicketRows) -> TicketsView:
    """Return open tickets in the order of the queue, then the newest decided ones."""
    waiting = queue(core.tickets.open(), core.clock.now_ns())
    closed = [ticket for ticket in core.tickets.all() if ticket.state not in OPEN_STATES]
    rows = [*waiting, *reversed(closed[-SHOWN_CLOSED:])]
    sight = TicketSight.of(core, sessions)
    return TicketsView(seq=seq, at_ns=core.clock.now_ns(), rows=rows_of.of(rows, sight))


def ticket_row(ticket: Ticket, sight: TicketSight = NOWHERE) -> TicketRow:
    """Return one ticket with every check and look, as an approver sees it."""
    intent = ticket.intent
    worst = "ok" if ticket.allowed else "fail"
    if ticket.allowed and ticket.needs_typed_size:
        worst = "warn"
    above = sight.second_above_usd
    return TicketRow(
        ticket_id=ticket.id,
        version=ticket.version,
        ticket_hash=ticket.hash,
        state=ticket.state,
        symbol=intent.symbol,
        venue=intent.broker_target,
        side=intent.side,
        quantity=intent.quantity.normalize(),
        order_type=intent.order_type,
        limit_price=intent.limit_price or ZERO,
        stop_loss=intent.stop_loss,
        time_in_force=intent.time_in_force,
        reduce_only=intent.reduce_only,
        notional_usd=intent.notional_usd,
        mark_price=price(intent.mark_price or ZERO),
        mark_now=price(sight.marks.get(intent.symbol, ZERO)),
        strategy=intent.strategy_id,
        session_id=intent.session_id,
        decision_id=intent.decision_id,
        why=ticket.why or f"{intent.strategy_id} decided {intent.side} at {intent.mark_price}",
        category=intent.intent_category,
        created_ns=ticket.created_ns,
        expires_ns=ticket.expires_ns,
        reviewer=ticket.reviewer,
        worst=worst,
        reasons=tuple(sorted(c.reason for c in ticket.checks if c.reason and c.result is CheckResult.FAIL)),
        decided_by=ticket.approved_by,
        decided_ns=ticket.decided_ns or ticket.approved_ns,
        decision_text=ticket.closed_reason,
        checks=check_rows(ticket.checks),
        looks=_looks(ticket, sight) if ticket.state in OPEN_STATES else (),
        altered=ticket.altered,
        proposed_by=ticket.proposed_by,
        parent=sight.parents.get(intent.session_id, ""),
        needs_second=bool(ticket.overridden) or (above is not None and intent.notional_usd >= above),
        first_approver=ticket.first_approver,
        overridden=ticket.overridden,
        override_reason=ticket.override_reason,
        deferred_until_ns=ticket.deferred_until_ns,
        deferred_by=ticket.deferred_by,
        deferred_why=ticket.deferred_why,
        policy=sight.policy(ticket) if ticket.state in OPEN_STATES else (),
    )


def check_rows(checks: Sequence[Check]) -> tuple[CheckRow, ...]:
    """Return the checks of a verdict as they are shown."""
    return tuple(
        CheckRow(name=c.name, now=c.now, after=c.after, limit=c.limit, result=c.result, reason=c.reason or "")
        for c in checks
    )


def price(value: Decimal) -> Decimal:
    """Return a price with at most eight significant figures, no exponent and no idle zeros."""
    return Decimal(format(Decimal(f"{value:.8g}").normalize(), "f")) if value else ZERO


def _looks(ticket: Ticket, sight: TicketSight) -> tuple[CheckRow, ...]:
    """What an approver must see beside the rules: drift of the price, the position, the same wish again."""
    intent = ticket.intent
    mark = sight.marks.get(intent.symbol, ZERO)
    held = sight.positions.get((intent.session_id, intent.symbol))
    after = "" if held is None else f"{(held + intent.quantity * intent.side.sign).normalize():f}"
    same = [
        other.id
        for other in sight.open
        if other.id != ticket.id
        and (other.intent.session_id, other.intent.symbol, other.intent.side)
        == (intent.session_id, intent.symbol, intent.side)
        and abs(other.created_ns - ticket.created_ns) <= DUPLICATE_NS
    ]
    return (
        _drift("px vs proposal", intent.mark_price, mark),
        _drift("px vs last look", ticket.mark_before, mark),
        CheckRow(
            name="position", now="" if held is None else f"{held.normalize():f}", after=after, limit="",
            result="ok", reason="",
        ),
        CheckRow(
            name="same in 60s", now=str(len(same)) if same else "none", after=" ".join(same[-3:]), limit="",
            result="look" if same else "ok", reason="",
        ),
    )  # fmt: skip


def _drift(name: str, then: Decimal | None, now: Decimal) -> CheckRow:
    if not then or not now:
        return CheckRow(name=name, now="-", after="", limit="", result="ok", reason="")
    moved = (now - then) / then * BPS
    return CheckRow(
        name=name, now=f"{price(then)}", after=f"{price(now)}", limit=f"{moved:+.1f} bp",
        result="ok", reason="",
    )  # fmt: skip


def _parent(session: PaperSession) -> str:
    """Say where a session's strategies come from: the candidate's or configuration's id, else the run."""
    ids = [name[:12] for name in dict.fromkeys(session.plan.config_ids.values())]
    return f"config {' '.join(ids[:2])}" if ids else f"run {session.plan.run_fingerprint[:12]}"
