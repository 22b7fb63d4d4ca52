"""The venue of a live engine, from its configuration: an adapter, its account, and nothing in paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from engine.config.settings import ExecutionBlock
from engine.core import Core
from safety.reasons import Refusal
from safety.secrets import KeyReference, load_secret
from seams.clock import NS_PER_S, Clock
from seams.tcp import TcpWire
from seams.web import HttpCaller, WebSocketLink
from venues.contract import LiveVenue, VenueAdapter
from venues.evidence import CorridorVenue
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.hyperliquid.evidence import HyperliquidEvidence
from venues.keyfile import KeyFile
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.evidence import KrakenEvidence
from venues.kraken.precision import NAME as KRAKEN
from venues.sandbox import messages as m
from venues.sandbox.evidence import ExchangeEvidence
from venues.sandbox.link import EXCHANGE_NAME, ExchangeLink
from venues.sandbox.server import instruments

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LOOPBACK_LAG_NS = 2 * NS_PER_S
"""An upper bound of the loopback exchange's lag: it is told when it starts, and is below this."""
KRAKEN_SILENCE_S = 4.0
"""The venue says something every second on a subscribed connection; three missed mean a dead one."""
DESK_MARK = "desk_mark"
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


def open_link(url: str, key: KeyFile, clock: Clock) -> ExchangeLink:
    """Return the adapter of a sandbox exchange, not yet started."""
    secret = key.secret.encode()
    opening = m.seal(key.key, secret, m.Subscribe())
    return ExchangeLink(TcpWire(*address(url), opening, clock), key.key, secret, instruments())


def open_kraken(url: str, key: KeyFile, clock: Clock) -> KrakenAdapter:
    """Return the adapter of a loopback Kraken, not yet started. Raises `Refusal` for any other."""
    caller = _loopback(url, KRAKEN)
    where = f"ws://{caller.address.authority}"
    try:
        return KrakenAdapter(
            caller,
            caller.address.authority,
            WebSocketLink(f"{where}/v2-auth", clock, KRAKEN_SILENCE_S),
            WebSocketLink(f"{where}/v2", clock, KRAKEN_SILENCE_S),
            key,
            clock,
            bar_ns=NS_PER_S,
            lookup_lag_ns=LOOPBACK_LAG_NS,
        )
    except ValueError as error:
        raise Refusal("invalid_config", str(error)) from None


def open_hyperliquid(url: str, key: KeyFile, clock: Clock) -> HyperliquidAdapter:
    """Return the adapter of a loopback Hyperliquid, not yet started. Raises `Refusal` for any other."""
    caller = _loopback(url, HYPERLIQUID)
    try:
        return HyperliquidAdapter(
            caller,
            caller.address.authority,
            WebSocketLink(f"ws://{caller.address.authority}/ws", clock),
            key,
            clock,
            desk=key.key,
            bar_ns=NS_PER_S,
            lookup_lag_ns=LOOPBACK_LAG_NS,
        )
    except ValueError as error:
        raise Refusal("invalid_config", str(error)) from None


def _loopback(url: str, venue: str) -> HttpCaller:
    """Return the way to a loopback exchange. Raises `Refusal` for an address anywhere else."""
    try:
        caller = HttpCaller(url)
    except ValueError as error:
        raise Refusal("invalid_config", f"execution.venue_url: {error}") from None
    if caller.address.host not in LOOPBACK or caller.address.is_tls:
        said = f"{venue} is open on loopback only (http://127.0.0.1:PORT), not at {caller.address.host}"
        raise Refusal("invalid_config", said)
    return caller


OPENERS: dict[str, Callable[[str, KeyFile, Clock], LiveVenue]] = {
    EXCHANGE_NAME: open_link,
    HYPERLIQUID: open_hyperliquid,
    KRAKEN: open_kraken,
}
"""The venue that a key file names, and how its adapter is made."""


def open_venue(url: str, key: KeyFile, clock: Clock) -> LiveVenue:
    """Return the adapter that a key is for, not yet started. Raises `Refusal`."""
    return OPENERS[key.venue](url, key, clock)


def configured_venue(execution: ExecutionBlock, clock: Clock) -> tuple[LiveVenue, str]:
    """Return the adapter and the account that the configuration names. Raises `Refusal`."""
    if not execution.venue_url or not execution.venue_key_file:
        said = "mode live in environment sandbox needs execution.venue_url and execution.venue_key_file"
        raise Refusal("invalid_config", said)
    key = load_key("execution.venue_key_file", execution.venue_key_file)
    return open_venue(execution.venue_url, key, clock), key.account


def evidence_of(venue: LiveVenue, clock: Clock) -> CorridorVenue:
    """Return what the supervised corridor shows of this venue."""
    if isinstance(venue, KrakenAdapter):
        return KrakenEvidence(venue, clock)
    if isinstance(venue, HyperliquidAdapter):
        return HyperliquidEvidence(venue, clock)
    assert isinstance(venue, ExchangeLink)
    return ExchangeEvidence(venue, clock)


def mark_orders(venue: VenueAdapter, core: Core) -> None:
    """Let the client ids of this home carry a mark of its own, made once: where the venue takes an id twice,
    a home that counts from one again must not find an older one's orders."""
    if not isinstance(venue, HyperliquidAdapter | KrakenAdapter):
        return
    mark = core.store.facts.get(DESK_MARK)
    if mark is None:
        mark = f"{core.rng.stream(DESK_MARK).getrandbits(128):032x}"
        core.store.facts.set(DESK_MARK, mark, core.clock.now_ns())
    venue.use_desk(mark)
