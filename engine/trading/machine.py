"""The order machine as one table: (what is proved) x (new evidence) -> (what is proved now).

Beside its proved status an order has at most one pending request (submit or cancel); a request changes
nothing by being made, only evidence does. Three rules run through the table:

- UNKNOWN is a state. It is entered when a submit was not answered, and left only by venue evidence
  (or a named operator's): never by time, never by a count of attempts.
- A terminal status is left only by late truth, and late truth is always an alarm.
- Evidence that adds nothing (an echo, a repeat) has a row too: it keeps the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from venues.types import OrderStatus


class Evidence(StrEnum):
    """What can be learnt about an order, and from whom."""

    ACCEPTED = "accepted"
    """The venue acknowledged it, or showed it as open."""
    ALIVE = "alive"
    """The venue shows it as working, later than any answer may lag behind its end, or under another number
    of its own: somebody changed it there."""
    PART_FILL = "part_fill"
    FULL_FILL = "full_fill"
    OVERFILL = "overfill"
    """More than was asked: the venue's error or ours; booked, because it is true."""
    REFUSED = "refused"
    """The venue proved that this order will never act."""
    UNSENT = "unsent"
    """Proved that no byte of it left this process."""
    FENCED = "fenced"
    """Its nonce was burnt unused, or it expired by the venue's own clock and no list shows it."""
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    """The venue confirmed that the rest is gone, and every fill before it is booked."""
    OPERATOR_ENDED = "operator_ended"
    """A named operator, with a reason, after looking at the venue by other means."""


class Move(NamedTuple):
    """The status after, and the alarm that the step itself is (empty: none)."""

    status: OrderStatus
    alarm: str = ""


_S = OrderStatus
_KEEP_FILLED, _KEEP_CANCELLED, _KEEP_REJECTED = Move(_S.FILLED), Move(_S.CANCELLED), Move(_S.REJECTED)
_LATE = "late_truth"
_WRONG = "venue_contradiction"

_ROWS: tuple[tuple[OrderStatus, tuple[tuple[Evidence, Move], ...]], ...] = (
    (  # Durable, and on its way (or not yet): nothing is known about it.
        _S.SUBMITTING,
        (
            (Evidence.ACCEPTED, Move(_S.OPEN)),
            (Evidence.PART_FILL, Move(_S.PARTIAL)),  # a fill may overtake its acknowledgement
            (Evidence.FULL_FILL, Move(_S.FILLED)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.REFUSED, Move(_S.REJECTED)),
            (Evidence.UNSENT, Move(_S.REJECTED)),
            (Evidence.FENCED, Move(_S.REJECTED)),
            (Evidence.NO_ANSWER, Move(_S.UNKNOWN, "order_unknown")),
            (Evidence.CANCELLED, Move(_S.CANCELLED)),
            (Evidence.OPERATOR_ENDED, Move(_S.CANCELLED)),
            (Evidence.ALIVE, Move(_S.OPEN)),
        ),
    ),
    (  # It may be alive. Whoever says what it is ends this.
        _S.UNKNOWN,
        (
            (Evidence.ACCEPTED, Move(_S.OPEN)),
            (Evidence.PART_FILL, Move(_S.PARTIAL)),
            (Evidence.FULL_FILL, Move(_S.FILLED)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.REFUSED, Move(_S.REJECTED)),
            # A second identical send that did not leave proves nothing about the first.
            (Evidence.UNSENT, Move(_S.UNKNOWN)),
            (Evidence.FENCED, Move(_S.REJECTED)),
            (Evidence.NO_ANSWER, Move(_S.UNKNOWN)),
            (Evidence.CANCELLED, Move(_S.CANCELLED)),
            (Evidence.OPERATOR_ENDED, Move(_S.CANCELLED)),
            (Evidence.ALIVE, Move(_S.OPEN)),
        ),
    ),
    (
        _S.OPEN,
        (
            (Evidence.ACCEPTED, Move(_S.OPEN)),
            (Evidence.PART_FILL, Move(_S.PARTIAL)),
            (Evidence.FULL_FILL, Move(_S.FILLED)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            # Accepted, and now "never": one of the two is wrong, so nothing is known.
            (Evidence.REFUSED, Move(_S.UNKNOWN, _WRONG)),
            (Evidence.FENCED, Move(_S.UNKNOWN, _WRONG)),
            (Evidence.UNSENT, Move(_S.OPEN)),
            (Evidence.NO_ANSWER, Move(_S.OPEN)),  # the stream was faster than the lost answer
            (Evidence.CANCELLED, Move(_S.CANCELLED)),
            (Evidence.OPERATOR_ENDED, Move(_S.CANCELLED)),
            (Evidence.ALIVE, Move(_S.OPEN)),
        ),
    ),
    (
        _S.PARTIAL,
        (
            (Evidence.ACCEPTED, Move(_S.PARTIAL)),
            (Evidence.PART_FILL, Move(_S.PARTIAL)),
            (Evidence.FULL_FILL, Move(_S.FILLED)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.REFUSED, Move(_S.UNKNOWN, _WRONG)),
            (Evidence.FENCED, Move(_S.UNKNOWN, _WRONG)),
            (Evidence.UNSENT, Move(_S.PARTIAL)),
            (Evidence.NO_ANSWER, Move(_S.PARTIAL)),
            (Evidence.CANCELLED, Move(_S.CANCELLED)),
            (Evidence.OPERATOR_ENDED, Move(_S.CANCELLED)),
            (Evidence.ALIVE, Move(_S.PARTIAL)),
        ),
    ),
    (
        _S.FILLED,
        (
            (Evidence.PART_FILL, Move(_S.FILLED, "overfill")),
            (Evidence.FULL_FILL, Move(_S.FILLED, "overfill")),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.ACCEPTED, _KEEP_FILLED),
            (Evidence.REFUSED, _KEEP_FILLED),  # "already filled" answers a late cancel or a second send
            (Evidence.FENCED, _KEEP_FILLED),
            (Evidence.UNSENT, _KEEP_FILLED),
            (Evidence.NO_ANSWER, _KEEP_FILLED),
            (Evidence.CANCELLED, _KEEP_FILLED),
            (Evidence.OPERATOR_ENDED, _KEEP_FILLED),
            (Evidence.ALIVE, Move(_S.UNKNOWN, _WRONG)),
        ),
    ),
    (  # A fill after the cancel is true all the same: booked, and said aloud (I8).
        _S.CANCELLED,
        (
            (Evidence.PART_FILL, Move(_S.CANCELLED, _LATE)),
            (Evidence.FULL_FILL, Move(_S.FILLED, _LATE)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.ACCEPTED, _KEEP_CANCELLED),  # an echo from before the cancel
            (Evidence.REFUSED, _KEEP_CANCELLED),
            (Evidence.FENCED, _KEEP_CANCELLED),
            (Evidence.UNSENT, _KEEP_CANCELLED),
            (Evidence.NO_ANSWER, _KEEP_CANCELLED),
            (Evidence.CANCELLED, _KEEP_CANCELLED),
            (Evidence.OPERATOR_ENDED, _KEEP_CANCELLED),
            (Evidence.ALIVE, Move(_S.UNKNOWN, _WRONG)),
        ),
    ),
    (  # Alive after a proof that it could not be: the proof was wrong; back to the open book, aloud.
        _S.REJECTED,
        (
            (Evidence.ACCEPTED, Move(_S.OPEN, _LATE)),
            (Evidence.PART_FILL, Move(_S.PARTIAL, _LATE)),
            (Evidence.FULL_FILL, Move(_S.FILLED, _LATE)),
            (Evidence.OVERFILL, Move(_S.FILLED, "overfill")),
            (Evidence.REFUSED, _KEEP_REJECTED),
            (Evidence.FENCED, _KEEP_REJECTED),
            (Evidence.UNSENT, _KEEP_REJECTED),
            (Evidence.NO_ANSWER, _KEEP_REJECTED),
            (Evidence.CANCELLED, _KEEP_REJECTED),
            (Evidence.OPERATOR_ENDED, _KEEP_REJECTED),
            (Evidence.ALIVE, Move(_S.OPEN, _LATE)),
        ),
    ),
)

TABLE: Mapping[tuple[OrderStatus, Evidence], Move] = {
    (status, evidence): move for status, moves in _ROWS for evidence, move in moves
}
"""Complete: every status answers every evidence (asserted below, and by a test row by row)."""
assert len(TABLE) == len(OrderStatus) * len(Evidence), "the order machine has no hole"


def after(status: OrderStatus, evidence: Evidence) -> Move:
    """Return what a piece of evidence makes of a status. Pure; never raises."""
    return TABLE[status, evidence]
