"""What a person is told whose question the venue did not answer."""

from __future__ import annotations

from engine.trading.custody import Custody
from safety.reasons import Refusal
from safety.text import clean
from venues.contract import Busy, VenueError

BUSY = "venue_busy"


def is_kept_back(error: VenueError) -> bool:
    """Tell whether we kept a question back ourselves: no silence of the venue's, and it says for how long."""
    return isinstance(error, Busy)


def code_of_silence(error: VenueError) -> str:
    """Return the reason code for a question without an answer: venue_busy or venue_unreachable."""
    return BUSY if is_kept_back(error) else "venue_unreachable"


def unanswered(error: VenueError) -> Refusal:
    """Return the refusal for a question without an answer: venue_busy where we kept it back ourselves."""
    code = BUSY if is_kept_back(error) else "reconcile_unanswered"
    return Refusal(code, clean(str(error), 120))


def no_whole_pass(custody: Custody) -> Refusal:
    """Return the refusal for a pass that did not end: venue_busy where our own count of requests ended it."""
    said = f"{custody.venue.name} did not answer a whole pass"
    if custody.failed is None:
        return Refusal("reconcile_unanswered", said)
    refusal = unanswered(custody.failed)
    if refusal.code == BUSY:
        said = f"{custody.venue.name} was not asked a whole pass"
    return Refusal(refusal.code, f"{said}: {refusal.detail}")
