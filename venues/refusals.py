"""What an adapter says of things that its venue cannot do: one code for each, and never a silence."""

from __future__ import annotations

from venues.contract import Refused
from venues.keyfile import KeyFile

NO_REPLACE = "replace_unsupported"
NO_DEAD_MAN = "dead_man_unsupported"
NO_FENCE = "fence_unsupported"


def no_replace(venue: str) -> Refused:
    return Refused(NO_REPLACE, f"{venue} changes no order by name: cancel it, and place another")


def no_dead_man(venue: str) -> Refused:
    return Refused(NO_DEAD_MAN, f"{venue} has no switch that cancels for us: only our own watchdog does")


def no_fence(venue: str) -> Refused:
    return Refused(NO_FENCE, f"{venue} burns no nonce on demand: an order's expiry is its only fence")


def demand_no_vault(key: KeyFile) -> None:
    """Raise `ValueError` for a key file that names a sub-account where the venue routes to none."""
    if key.vault:
        raise ValueError(f"{key.venue} routes to no sub-account: a key file without `vault`, one per account")
