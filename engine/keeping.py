"""The account of an engine whose mode has one: its venue, opened as configured, and its custody."""

from __future__ import annotations

from typing import NamedTuple

from engine.core import Core
from engine.trading.custody import Custody
from engine.trading.would import WouldBook
from engine.venue import configured_venue, evidence_of, mark_orders
from safety.reasons import Refusal
from venues.contract import LiveVenue, VenueAdapter
from venues.dry import DryVenue
from venues.evidence import CorridorVenue
from venues.types import Environment, Mode

WITH_ACCOUNT = (Mode.DRY_LIVE, Mode.LIVE)


class Parts(NamedTuple):
    """What an engine trades with; nothing in sim and paper."""

    venue: LiveVenue | None = None
    account: str = ""
    evidence: CorridorVenue | None = None


def demand_openable(mode: Mode, environment: Environment) -> None:
    """Refuse an environment that this engine could not open. Raises `Refusal` (invalid_config)."""
    if mode in WITH_ACCOUNT and environment is not Environment.SANDBOX:
        raise Refusal("invalid_config", f"environment {environment} opens only by arming")


def parts_of(core: Core) -> Parts:
    """Return the venue and the account that the configuration names, not yet started. Raises `Refusal`."""
    if core.mode not in WITH_ACCOUNT:
        return Parts()
    venue, account = configured_venue(core.settings, core.clock)
    return Parts(venue, account, evidence_of(venue, core.clock))


def custody_of(core: Core, venue: VenueAdapter, account: str) -> Custody:
    """Take an account into custody; in a dry run every order leaves its artifact."""
    mark_orders(venue, core)
    custody = Custody(core, venue, account)
    if isinstance(venue, DryVenue):
        WouldBook(core, custody, venue)
    return custody
