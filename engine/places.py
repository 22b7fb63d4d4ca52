"""Where venues are: the loopback exchanges anywhere on this machine, the real ones at their one address.

A configuration cannot name another address of a real venue: a slip of the keyboard, or of somebody else's,
must not send a signed order to a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from safety.reasons import Refusal
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.kraken.precision import NAME as KRAKEN
from venues.types import Environment, Record

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
KRAKEN_SILENCE_S = 4.0
"""The venue says something every second on a subscribed connection; three missed mean a dead one."""


class Place(Record):
    """The addresses of one venue: requests, the account's own stream, and the market's."""

    rest: str
    own: str
    market: str
    authority: str
    is_loopback: bool
    is_mainnet: bool = False


def _real(rest: str, own: str, market: str, *, is_mainnet: bool) -> Place:
    host = urlsplit(rest).netloc
    return Place(rest=rest, own=own, market=market, authority=host, is_loopback=False, is_mainnet=is_mainnet)


PLACES: Mapping[tuple[str, Environment], Place] = {
    (HYPERLIQUID, Environment.MAINNET): _real(
        "https://api.hyperliquid.xyz",
        "wss://api.hyperliquid.xyz/ws",
        "wss://api.hyperliquid.xyz/ws",
        is_mainnet=True,
    ),
    (HYPERLIQUID, Environment.TESTNET): _real(
        "https://api.hyperliquid-testnet.xyz",
        "wss://api.hyperliquid-testnet.xyz/ws",
        "wss://api.hyperliquid-testnet.xyz/ws",
        is_mainnet=False,
    ),
    (KRAKEN, Environment.MAINNET): _real(
        "https://api.kraken.com", "wss://ws-auth.kraken.com/v2", "wss://ws.kraken.com/v2", is_mainnet=True
    ),
}
"""Real venues; Kraken spot has no test network."""
_PATHS: Mapping[str, tuple[str, str]] = {HYPERLIQUID: ("/ws", "/ws"), KRAKEN: ("/v2-auth", "/v2")}


def place_of(url: str, venue: str, environment: Environment) -> Place:
    """Return where a venue is. Raises `Refusal` (invalid_config) for an address that is not its own."""
    if environment is not Environment.SANDBOX:
        return _real_place(url, venue, environment)
    host, authority, is_plain = _parts(url)
    if host not in LOOPBACK or not is_plain:
        said = f"{venue} is open on loopback only (http://127.0.0.1:PORT), not at {host or url!r}"
        raise Refusal("invalid_config", said)
    own, market = _PATHS[venue]
    where = f"ws://{authority}"
    return Place(rest=url, own=where + own, market=where + market, authority=authority, is_loopback=True)


def _real_place(url: str, venue: str, environment: Environment) -> Place:
    known = PLACES.get((venue, environment))
    if known is None:
        has = ", ".join(f"{name} {env}" for name, env in PLACES)
        raise Refusal("invalid_config", f"{venue} has no {environment}; there are {has}")
    if url.rstrip("/") not in ("", known.rest):
        raise Refusal("invalid_config", f"execution.venue_url of {venue} {environment} is {known.rest}")
    return known


def _parts(url: str) -> tuple[str, str, bool]:
    """Return host, authority, and whether it is plain HTTP. Raises `Refusal` (invalid_config)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Refusal("invalid_config", f"execution.venue_url: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal("invalid_config", f"execution.venue_url: not an address of a venue: {url!r}")
    return parts.hostname, parts.netloc.rpartition("@")[2], parts.scheme == "http"
