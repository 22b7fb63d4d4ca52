"""Venues as people see them: what an adapter can do, and how an engine stands with its own venue."""

from __future__ import annotations

from venues.contract import Capabilities
from venues.standing import Standing
from venues.types import AccountSnapshot, Record


class VenueShow(Record, tag="venue_show"):
    """Ask how the engine stands with its venue; `is_fresh`: the venue is asked now."""

    is_fresh: bool = False


class DeadManRow(Record):
    """The venue's dead man's switch: off, unarmed, armed (for `left_s` more) or refused."""

    state: str
    said: str
    left_s: int = 0


BAD_KEYS = frozenset({"unsafe", "ended", "no orders", "refused", "not ours"})
"""States of a key with which nothing may go on."""


class KeyRow(Record):
    """One key: `days_left` is None where it has no end or none is told; `state` is ok, ending, ended,
    unknown (its end is not told), unsafe, `no orders` (it is to sign them, and may not), `not ours` (the
    venue does not know it), or refused: `refused` is the reason's code then, and nothing else is told."""

    name: str
    public: str
    role: str
    days_left: float | None
    can_withdraw: bool | None
    may: tuple[str, ...]
    state: str
    refused: str = ""


FINE_KEYS = frozenset({"ok", "unknown"})
"""States of a key that signs as it should. Where its end is not told, that is a warning: only arming for real
money refuses it."""


def key_said(key: KeyRow) -> str:
    """Say in few words how a key stands: one without a known end is no worse otherwise."""
    state = "ok, end not told" if key.state == "unknown" else f"{key.state} {key.refused}".rstrip()
    return f"{key.name} {state}" + ("" if key.days_left is None else f" {key.days_left:.0f} d")


class BudgetRow(Record):
    """One rate budget; `left` is the free share, `reserve` of `cap` is kept for cancels."""

    name: str
    unit: str
    used: float
    cap: float
    left: float
    reserve: float
    state: str


class VenueView(Record):
    """An engine's venue. `state` is closed (not armed), down, or up; `standing` is the last answer."""

    venue: str
    mode: str
    environment: str
    account: str
    signer: str
    state: str
    custody: str
    agreed_ms_ago: int | None
    capabilities: Capabilities
    dead_man: DeadManRow
    keys: tuple[KeyRow, ...] = ()
    budgets: tuple[BudgetRow, ...] = ()
    standing: Standing | None = None
    snapshot: AccountSnapshot | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    markets: int = 0
    """How many markets the venue has listed; before the first nothing can be traded."""


class KnownVenue(Record):
    """An adapter of this build: what it can do, where it may be reached, whether this home names it."""

    venue: str
    environments: tuple[str, ...]
    is_configured: bool
    capabilities: Capabilities
