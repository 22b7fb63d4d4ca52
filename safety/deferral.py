"""A ticket that somebody puts back: others come before it, its time runs on. Pure.

A deferral decides nothing: the ticket keeps its hash and its expiry, and comes back to the head of the
queue while there is still time to read it.
"""

from __future__ import annotations

from collections.abc import Iterable

from safety.canonical import changed
from safety.reasons import Refusal
from safety.text import clean
from safety.ticket import Moment, Ticket
from seams.clock import NS_PER_S

LAST_LOOK_NS = 10 * NS_PER_S
"""A ticket comes back with at least this much of its life, or with half of what is left of it."""


def put_back(ticket: Ticket, operator: str, why: str, moment: Moment, seconds: float) -> Ticket:
    """Return the ticket deferred for so many seconds; 0 is half of what is left of its life.

    A longer wish is cut: see `LAST_LOOK_NS`. Raises `Refusal("ticket_expired")` for a ticket without time
    left, and `Refusal("invalid_request")` for a time that is no time.
    """
    left_ns = min(ticket.expires_ns - moment.now_ns, ticket.expires_monotonic_ns - moment.monotonic_ns)
    if left_ns <= 0:
        raise Refusal("ticket_expired", ticket.id)
    if not 0 <= seconds < 1e6:
        raise Refusal("invalid_request", "a ticket is deferred for 0 or more seconds")
    longest_ns = left_ns - min(LAST_LOOK_NS, left_ns // 2)
    wanted_ns = round(seconds * NS_PER_S) or left_ns // 2
    return changed(
        ticket,
        deferred_until_ns=moment.now_ns + min(wanted_ns, longest_ns),
        deferred_by=operator,
        deferred_why=clean(why),
    )


def is_deferred(ticket: Ticket, now_ns: int) -> bool:
    """Tell whether others come before this ticket now."""
    return ticket.deferred_until_ns > now_ns


def queue(waiting: Iterable[Ticket], now_ns: int) -> tuple[Ticket, ...]:
    """Order open tickets as they are read: what came back first, then by expiry, what is deferred last."""

    def place(ticket: Ticket) -> tuple[int, int, str]:
        came_back = 0 < ticket.deferred_until_ns <= now_ns
        return (0 if came_back else 2 if is_deferred(ticket, now_ns) else 1, ticket.expires_ns, ticket.id)

    return tuple(sorted(waiting, key=place))
