"""What a session is made of, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core import Core
from safety.intent import ExecutionPolicy
from venues.contract import VenueAdapter
from venues.sandbox.embedded import EmbeddedVenue
from venues.types import Instrument


@dataclass(frozen=True)
class SessionPlan:
    """Everything a session is made of; built by `engine.trading.setup`."""

    session_id: str
    feed_name: str
    lanes: tuple[tuple[str, str], ...]
    """(symbol, strategy) of each kernel lane."""
    instruments: dict[str, Instrument]
    policy: ExecutionPolicy
    account: str
    is_supervised: bool
    supervised_strategies: frozenset[str]
    ticket_ttl_ns: int
    run_fingerprint: str
    uses_market_time: bool
    """True for a replay: ages and rates are counted in the market's own time."""
    init_state: bytes = b""
    """The file of the state that it starts from, for its artifacts; empty for a fresh one."""
    config_ids: dict[str, str] = field(default_factory=dict)
    """Strategy -> the id of it with all its parameters (OC-44)."""
    environment: str = ""
    """Where its orders reach a real venue; empty for a paper account and a loopback exchange."""


def reached(core: Core, venue: VenueAdapter) -> str:
    """Return the environment in which this venue's orders move money; empty where they move none."""
    return core.environment.value if core.is_money and not isinstance(venue, EmbeddedVenue) else ""


@dataclass
class Counts:
    """What has happened in a session so far."""

    bars: int = 0
    decisions: int = 0
    intents: int = 0
    tickets: int = 0
    approvals: int = 0
    rejections: int = 0
    denied: int = 0
    orders: int = 0
    fills: int = 0
    errors: list[str] = field(default_factory=list)
