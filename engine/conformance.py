"""No venue is traded on for real whose adapter has not passed the conformance suite as it stands."""

from __future__ import annotations

from safety.reasons import Refusal
from venues.conformance import problem


def demand_conformance(venue: str) -> None:
    """Raises `Refusal` (venue_not_conformant) where there is no record of this very adapter."""
    why = problem(venue)
    if why:
        raise Refusal("venue_not_conformant", why)
