"""What a person is told whose question the venue did not answer."""

from __future__ import annotations

from safety.reasons import Refusal
from safety.text import clean
from venues.contract import Busy, VenueError


def unanswered(error: VenueError) -> Refusal:
    """Return the refusal for a question without an answer: venue_busy where we kept it back ourselves."""
    code = "venue_busy" if isinstance(error, Busy) else "reconcile_unanswered"
    return Refusal(code, clean(str(error), 120))
