"""The venue of a live engine, from its configuration: an adapter, its account, and nothing in paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from engine.config.settings import Settings
from engine.conformance import demand_conformance
from engine.core import STORAGE_FAILURES, Core
from engine.places import KRAKEN_SILENCE_S, Place, place_of
from engine.transport import Reading, Sockets, Transport
from safety.reasons import Refusal
from safety.secrets import KeyReference, load_secret
from seams.clock import NS_PER_S, Clock
from seams.tcp import TcpWire
from venues.contract import LiveVenue, VenueAdapter
from venues.dry import DryVenue, undressed
from venues.evidence import CorridorVenue, FactVenue
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.capabilities import LOOKUP_LAG_NS as HYPERLIQUID_LAG_NS
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.hyperliquid.evidence import HyperliquidEvidence
from venues.hyperliquid.facts import HyperliquidFacts
from venues.hyperliquid.standing import standing as hyperliquid_standing
from venues.keyfile import KeyFile
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.capabilities import LOOKUP_LAG_NS as KRAKEN_LAG_NS
from venues.kraken.evidence import KrakenEvidence
from venues.kraken.facts import KrakenFacts
from venues.kraken.precision import NAME as KRAKEN
from venues.kraken.standing import standing as kraken_standing
from venues.sandbox import messages as m
from venues.sandbox.evidence import ExchangeEvidence
from venues.sandbox.link import EXCHANGE_NAME, ExchangeLink
from venues.sandbox.server import instruments
from venues.standing import Standing, Stands
from venues.types import Environment, Mode

LOOPBACK_LAG_NS = 2 * NS_PER_S
"""An upper bound of the loopback exchange's lag: it is told when it starts, and is below this."""
BAR_NS = 60 * NS_PER_S
"""The bars that a real venue's stream is folded into; a loopback exchange's market runs by the second."""
DESK_MARK, ASK_NONCE, MARKETS = "desk_mark", "ask_nonce:", "markets:"
REPOSITORY = Path(__file__).resolve().parents[1]


def load_key(name: str, path: str) -> KeyFile:
    """Read a venue's key file (0600, ours, outside the repository).

    Raises `Refusal` with secret_missing or secret_exposed, or invalid_config where it is no key file.
    """
    text = load_secret(KeyReference(name=name, path=path), REPOSITORY).reveal()
    try:
        key = msgspec.json.decode(text, type=KeyFile)
    except msgspec.MsgspecError:
        raise Refusal("invalid_config", f"{name} names a file that is no key file") from None
    if key.venue not in OPENERS:
        known = ", ".join(OPENERS)
        raise Refusal("invalid_config", f"{name} names a key of {key.venue}; there are adapters of {known}")
    return key


def address(url: str) -> tuple[str, int]:
    """Return host and port of `tcp://HOST:PORT`. Raises `Refusal` (invalid_config)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not url.startswith("tcp://") or not host or not port:
        raise Refusal("invalid_config", f"execution.venue_url is tcp://HOST:PORT, not {url!r}")
    return host, port


def open_link(
    url: str,
    key: KeyFile,
    clock: Clock,
    environment: Environment = Environment.SANDBOX,
    transport: Transport | None = None,
) -> ExchangeLink:
    """Return the adapter of a sandbox exchange, not yet started. Raises `Refusal` (invalid_config)."""
    if environment is not Environment.SANDBOX:
        raise Refusal("invalid_config", f"{EXCHANGE_NAME} has no {environment}: it is a loopback")
    opening = m.seal(key.key, key.secret.encode(), m.Subscribe())
    try:
        return ExchangeLink.of_key(TcpWire(*address(url), opening, clock), key, instruments())
    except ValueError as error:
        raise Refusal("invalid_config", str(error)) from None


def open_kraken(
    url: str,
    key: KeyFile,
    clock: Clock,
    environment: Environment = Environment.SANDBOX,
    transport: Transport | None = None,
) -> KrakenAdapter:
    """Return the adapter of a Kraken, not yet started. Raises `Refusal`: invalid_config, not_armed."""
    place = place_of(url, KRAKEN, environment)
    wires = _wires(place, transport)
    try:
        return KrakenAdapter(
            wires.caller(place.rest, KRAKEN),
            place.authority,
            wires.link(place.own, clock, KRAKEN_SILENCE_S),
            wires.link(place.market, clock, KRAKEN_SILENCE_S),
            key,
            clock,
            bar_ns=NS_PER_S if place.is_loopback else BAR_NS,
            lookup_lag_ns=LOOPBACK_LAG_NS if place.is_loopback else KRAKEN_LAG_NS,
        )
    except ValueError as error:
        raise Refusal("invalid_config", str(error)) from None


def open_hyperliquid(
    url: str,
    key: KeyFile,
    clock: Clock,
    environment: Environment = Environment.SANDBOX,
    transport: Transport | None = None,
) -> HyperliquidAdapter:
    """Return the adapter of a Hyperliquid, not yet started. Raises `Refusal`: invalid_config, not_armed."""
    place = place_of(url, HYPERLIQUID, environment)
    wires = _wires(place, transport)
    try:
        return HyperliquidAdapter(
            wires.caller(place.rest, HYPERLIQUID),
            place.authority,
            wires.link(place.own, clock),
            key,
            clock,
            desk=key.key,
            bar_ns=NS_PER_S if place.is_loopback else BAR_NS,
            is_mainnet=place.is_mainnet,
            lookup_lag_ns=LOOPBACK_LAG_NS if place.is_loopback else HYPERLIQUID_LAG_NS,
        )
    except ValueError as error:
        raise Refusal("invalid_config", str(error)) from None


def _wires(place: Place, transport: Transport | None) -> Transport:
    """Return how bytes get there: to this machine by sockets, elsewhere only as arming hands it out."""
    if transport is None and not place.is_loopback:
        raise Refusal("not_armed", f"{place.authority} opens only by arming")
    return transport or Sockets()


class Opener(Protocol):
    """Makes an adapter, not yet started. Raises `Refusal`."""

    def __call__(
        self,
        url: str,
        key: KeyFile,
        clock: Clock,
        environment: Environment = Environment.SANDBOX,
        transport: Transport | None = None,
    ) -> LiveVenue: ...


OPENERS: dict[str, Opener] = {
    EXCHANGE_NAME: open_link,
    HYPERLIQUID: open_hyperliquid,
    KRAKEN: open_kraken,
}
"""The venue that a key file names, and how its adapter is made."""


def configured_venue(
    settings: Settings, clock: Clock, transport: Transport | None = None
) -> tuple[LiveVenue, str]:
    """Return the adapter and the account that the configuration names. Raises `Refusal`.

    `transport`: how its bytes get there; a real venue has none but the one that arming hands out. In mode
    dry_live nothing but questions leaves, whatever the transport.
    """
    execution, engine = settings.execution, settings.engine
    environment = Environment(engine.environment)
    needs_url = environment is Environment.SANDBOX
    if (needs_url and not execution.venue_url) or not execution.venue_key_file:
        said = f"mode {engine.mode} in environment {environment} needs execution.venue_key_file"
        raise Refusal("invalid_config", said + (" and execution.venue_url" if needs_url else ""))
    key = load_key("execution.venue_key_file", execution.venue_key_file)
    if environment is not Environment.SANDBOX:
        demand_conformance(key.venue)
    opener = OPENERS[key.venue]
    if Mode(engine.mode) is not Mode.DRY_LIVE:
        return opener(execution.venue_url, key, clock, environment, transport), key.trades
    reading = Reading(transport or Sockets()) if needs_url or transport is not None else None
    return DryVenue(opener(execution.venue_url, key, clock, environment, reading), clock), key.trades


def evidence_of(venue: LiveVenue, clock: Clock) -> CorridorVenue:
    """Return what the supervised corridor shows of this venue."""
    adapter = undressed(venue)
    if isinstance(adapter, KrakenAdapter):
        return KrakenEvidence(adapter, clock)
    if isinstance(adapter, HyperliquidAdapter):
        return HyperliquidEvidence(adapter, clock)
    assert isinstance(adapter, ExchangeLink)
    return ExchangeEvidence(adapter, clock)


def facts_of(venue: VenueAdapter) -> FactVenue | None:
    """Return who is asked for this venue's candles and margin rates; None where there is nobody."""
    adapter = undressed(venue)
    if isinstance(adapter, KrakenAdapter):
        return KrakenFacts(adapter)
    return HyperliquidFacts(adapter) if isinstance(adapter, HyperliquidAdapter) else None


def standing_of(venue: VenueAdapter, clock: Clock) -> Stands:
    """Return how one asks this venue how we stand with it."""
    adapter = undressed(venue)

    async def ask(nonce: Callable[[], int]) -> Standing:
        if isinstance(adapter, KrakenAdapter):
            return await kraken_standing(adapter, clock, nonce)
        if isinstance(adapter, HyperliquidAdapter):
            return await hyperliquid_standing(adapter, clock, nonce)
        return Standing(
            venue=venue.name, account="", signer=venue.signer, at_ns=clock.now_ns(), keys=(), budgets=()
        )

    return ask


def mark_orders(venue: VenueAdapter, core: Core) -> None:
    """Let the client ids of this home carry a mark of its own, made once: where the venue takes an id twice,
    a home that counts from one again must not find an older one's orders."""
    adapter = undressed(venue)
    if not isinstance(adapter, HyperliquidAdapter | KrakenAdapter):
        return
    mark = core.store.facts.get(DESK_MARK)
    if mark is None:
        mark = f"{core.rng.stream(DESK_MARK).getrandbits(128):032x}"
        core.store.facts.set(DESK_MARK, mark, core.clock.now_ns())
    adapter.use_desk(mark)
    _remember_questions(adapter, core)
    if isinstance(adapter, HyperliquidAdapter):
        _remember_markets(adapter, core)


def _remember_questions(adapter: HyperliquidAdapter | KrakenAdapter, core: Core) -> None:
    """Let the nonces of questions and cancels rise over restarts too; a record that cannot be kept halts us
    and keeps no cancel back."""
    name = f"{ASK_NONCE}{adapter.signer}"

    def keep(nonce: int) -> None:
        try:
            core.store.facts.set(name, str(nonce), core.clock.now_ns())
        except STORAGE_FAILURES as error:
            core.halt(error, "nonces of questions")

    adapter.client.nonces.remember(int(core.store.facts.get(name) or 0), keep)


def _remember_markets(adapter: HyperliquidAdapter, core: Core) -> None:
    """Let cancels of a new engine leave before the venue has listed its markets anew."""
    name = f"{MARKETS}{adapter.name}"

    def keep(numbers: Mapping[str, int]) -> None:
        try:
            core.store.facts.set(name, msgspec.json.encode(numbers).decode(), core.clock.now_ns())
        except STORAGE_FAILURES as error:
            core.halt(error, "the venue's markets")

    known = msgspec.json.decode(core.store.facts.get(name) or "{}", type=dict[str, int])
    adapter.places.remember(known, keep)
