"""A venue's public side from a home's configuration, and the lock that lets one process write its candles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.api.home import HomePaths
from engine.config import load_settings
from engine.config.settings import PublicFeedBlock
from engine.lock import EngineLock
from engine.places import KRAKEN_SILENCE_S, LOOPBACK
from safety.reasons import Refusal
from seams.caller import HttpCaller
from seams.clock import NS_PER_S, Clock
from seams.web import WebSocketLink
from venues.hyperliquid.asking import Asker as HyperliquidAsker
from venues.hyperliquid.budget import Budget
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.hyperliquid.public import INTERVALS_MS, HyperliquidPublic
from venues.kraken.asking import Asker as KrakenAsker
from venues.kraken.precision import NAME as KRAKEN
from venues.kraken.public import INTERVALS_MIN, KrakenPublic
from venues.public import PublicVenue


class FeedLimits(NamedTuple):
    """When what was heard is stale, in nanoseconds without progress, and whether a venue may be asked."""

    top_ns: int
    mids_ns: int
    candles_ns: int
    allows_rest: bool
    rest_requests: int


def open_public(venue: str, url: str, clock: Clock, block: PublicFeedBlock) -> PublicVenue:
    """Return a loopback venue's public side, not yet started. Raises `Refusal` for any other address."""
    try:
        caller = HttpCaller(url)
    except ValueError as error:
        raise Refusal("invalid_config", f"feed.{venue}_url: {error}") from None
    if caller.address.host not in LOOPBACK or caller.address.is_tls:
        said = f"{venue} is heard on loopback only (http://127.0.0.1:PORT), not at {caller.address.host}"
        raise Refusal("invalid_config", said)
    return OPENERS[venue](caller, clock, block.intervals)


def _hyperliquid(caller: HttpCaller, clock: Clock, intervals: Sequence[str]) -> PublicVenue:
    where = caller.address.authority
    return HyperliquidPublic(
        WebSocketLink(f"ws://{where}/ws", clock),
        HyperliquidAsker(caller, where, Budget(clock)),
        clock,
        intervals=[each for each in intervals if each in INTERVALS_MS],
    )


def _kraken(caller: HttpCaller, clock: Clock, intervals: Sequence[str]) -> PublicVenue:
    where = caller.address.authority
    return KrakenPublic(
        WebSocketLink(f"ws://{where}/v2", clock, KRAKEN_SILENCE_S),
        KrakenAsker(caller, where),
        clock,
        intervals=[each for each in intervals if each in INTERVALS_MIN],
    )


OPENERS: Mapping[str, Callable[[HttpCaller, Clock, Sequence[str]], PublicVenue]] = {
    HYPERLIQUID: _hyperliquid,
    KRAKEN: _kraken,
}
"""Every venue that has a feed, and how it is opened."""


def configured_feed(
    home: Path, environ: dict[str, str], venue: str, clock: Clock
) -> tuple[PublicVenue, FeedLimits]:
    """Return the venue that a home's configuration names, and its limits. Raises `Refusal`, `ConfigError`."""
    settings = load_settings(home, environ).settings
    block = settings.feed
    url = block.hyperliquid_url if venue == HYPERLIQUID else block.kraken_url
    url = url or _own_loopback(home, venue)
    limits = FeedLimits(
        top_ns=settings.market.feed_stale_ms * 1_000_000,
        mids_ns=round(block.mids_stale_s * NS_PER_S),
        candles_ns=round(block.candles_stale_s * NS_PER_S),
        allows_rest=block.allows_rest,
        rest_requests=block.rest_requests,
    )
    return open_public(venue, url, clock, block), limits


def feed_lock(home: Path, venue: str) -> EngineLock:
    """Return the lock of whoever writes a venue's candles, not yet taken."""
    return EngineLock(HomePaths(home).run / f"feed-{venue}.lock", f"a feed of {venue}")


def _own_loopback(home: Path, venue: str) -> str:
    """Return where this home's loopback exchange answers. Raises `Refusal`."""
    from engine.api.sandbox import running_venue

    found = running_venue(home, venue)
    if found is None:
        said = f"feed.{venue}_url is not set, and no loopback {venue} runs for this home"
        raise Refusal("invalid_config", f"{said}; start one: interlock sandbox start --venue {venue}")
    return found.url
