"""The account of an engine whose mode has one: its venue, opened as configured, and its custody."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.arming import ArmingDesk
from engine.arming_note import is_tended
from engine.config.settings import Settings
from engine.core import Core
from engine.market_watch import MarketWatch
from engine.ops.call_log import CallLog, Logged
from engine.trading.custody import Custody
from engine.trading.would import WouldBook
from engine.transport import Gated, Reading, Sockets, Transport
from engine.venue import configured_venue, evidence_of, facts_of, mark_orders, standing_of
from engine.venue_desk import VenueDesk
from safety.arming import MAY_ACT, MAY_ASK, Arming, ArmingState
from seams.clock import NS_PER_S
from seams.disk import Disk
from venues.contract import LiveVenue, VenueAdapter
from venues.dry import DryVenue
from venues.evidence import CorridorVenue
from venues.types import Environment, Mode

HOUR_NS = 3_600 * NS_PER_S
WITH_ACCOUNT = (Mode.DRY_LIVE, Mode.LIVE)


class Parts(NamedTuple):
    """What an engine trades with; nothing in sim and paper. `arming` is None where no real venue is meant."""

    venue: LiveVenue | None = None
    account: str = ""
    evidence: CorridorVenue | None = None
    arming: Arming | None = None


def parts_of(core: Core, transport: Transport | None = None) -> Parts:
    """Return the venue and the account that the configuration names, not yet started. Raises `Refusal`.

    A real venue's address is open only as its arming says: closed, then for questions, then for orders.
    `transport` stands in for real sockets.
    """
    if core.mode not in WITH_ACCOUNT:
        return Parts()
    core.calls = CallLog.of_engine(core)
    logged = Logged(transport or Sockets(), core.calls, core.clock)
    if core.environment is Environment.SANDBOX:
        venue, account = configured_venue(core.settings, core.clock, logged)
        return Parts(venue, account, evidence_of(venue, core.clock))
    arming = Arming(round(core.settings.execution.arming_hours * HOUR_NS))
    is_live = core.mode is Mode.LIVE
    arming.is_tended = is_live and is_tended(core.disk, core.paths.safety, core.environment)

    def state() -> ArmingState:
        return arming.state(core.moment())

    gated = Gated(logged, lambda: state() in MAY_ASK)
    wires = Reading(gated, lambda: is_live and state() in MAY_ACT)
    venue, account = configured_venue(core.settings, core.clock, wires)
    return Parts(venue, account, evidence_of(venue, core.clock), arming)


def arming_desk(core: Core, custody: Custody | None, arming: Arming | None) -> ArmingDesk | None:
    """Return the desk of an engine that must be armed; None for any other."""
    if custody is None or arming is None:
        return None
    return ArmingDesk(core, custody, arming, standing_of(custody.venue, core.clock))


def venue_desk(core: Core, custody: Custody | None) -> VenueDesk | None:
    """Return the desk that watches keys, budgets and the dead man's switch; None without such an account."""
    venue = None if custody is None else custody.venue
    if custody is None or not isinstance(venue, LiveVenue):
        return None
    core.market = market_watch(core, custody, venue)
    return VenueDesk(core, custody, venue, standing_of(venue, core.clock))


def market_watch(core: Core, custody: Custody, venue: LiveVenue) -> MarketWatch | None:
    """Return who gathers what the rules must know of a real venue's markets; a loopback's are its own."""
    facts = None if core.environment is Environment.SANDBOX else facts_of(venue)
    return None if facts is None else MarketWatch(core, custody, venue, facts)


def transport_without_engine(
    settings: Settings, disk: Disk, safety: Path, wires: Transport | None = None
) -> Transport | None:
    """Return the way to a real venue for whoever cancels and closes while no engine does: open only where an
    armed engine may have left something. A venue on this machine is reached by `wires` as they are, or None.
    """
    environment = Environment(settings.engine.environment)
    if environment is Environment.SANDBOX:
        return wires
    return Gated(wires or Sockets(), lambda: is_tended(disk, safety, environment))


def custody_of(core: Core, venue: VenueAdapter, account: str) -> Custody:
    """Take an account into custody; in a dry run every order leaves its artifact."""
    mark_orders(venue, core)
    custody = Custody(core, venue, account)
    if isinstance(venue, DryVenue):
        WouldBook(core, custody, venue)
    return custody
