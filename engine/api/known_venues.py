"""The venues that this build has adapters for, told without an engine and without a key."""

from __future__ import annotations

from pathlib import Path

from engine.api.venues import KnownVenue
from engine.config import load_settings
from engine.places import PLACES
from engine.venue import load_key
from safety.reasons import Refusal
from venues.contract import Capabilities
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.hyperliquid.capabilities import capabilities as hyperliquid
from venues.kraken.capabilities import capabilities as kraken
from venues.kraken.precision import NAME as KRAKEN
from venues.types import Environment


def known_venues(home: Path, environ: dict[str, str]) -> tuple[KnownVenue, ...]:
    """Return every adapter with what it can do. Raises `ConfigError` for settings that cannot be read."""
    configured = _configured(home, environ)
    found: dict[str, Capabilities] = {HYPERLIQUID: hyperliquid(), KRAKEN: kraken()}
    return tuple(
        KnownVenue(
            venue=name,
            environments=(
                Environment.SANDBOX.value,
                *(env.value for venue, env in PLACES if venue == name),
            ),
            is_configured=name == configured,
            capabilities=can,
        )
        for name, can in found.items()
    )


def _configured(home: Path, environ: dict[str, str]) -> str:
    """Return the venue that the configured key file is for; nothing where none can be used."""
    path = load_settings(home, environ).settings.execution.venue_key_file
    if not path:
        return ""
    try:
        return load_key("execution.venue_key_file", path).venue
    except Refusal:
        return ""
