"""Which facts a mode, or a spot venue, cannot supply, and why; everything else that is missing refuses.

A rule whose optional facts are all absent is reported as not applicable in these modes (or at a venue that
says itself that everything is paid in full) and nowhere else.
A fact that is supplied is judged in every mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import NamedTuple

from safety.facts import AccountFacts
from venues.types import Mode


class Absence(NamedTuple):
    """In which modes a fact may be missing, and the reason. `at_spot`: why there is no such fact where
    everything is paid in full, in live too; empty where there is one."""

    modes: frozenset[Mode]
    why: str
    at_spot: str = ""


_OFFLINE = frozenset({Mode.SIM, Mode.PAPER})
_SAME_CLOCK = Absence(_OFFLINE, "the paper venue runs on the engine's own clock")
_IN_PROCESS = Absence(_OFFLINE, "the paper venue is in the engine's process; there is nothing to reconcile")
_NO_SIGNER = Absence(_OFFLINE, "a paper order carries no signature")
_NO_BUDGET = Absence(_OFFLINE, "the paper venue has no rate limit")
_NO_MARGIN = Absence(
    _OFFLINE,
    "the paper account is not liquidated",
    at_spot="nothing is borrowed at spot, so that nothing can be liquidated",
)
_NO_BOOK = Absence(_OFFLINE, "a replay of bars has no bid and offer")
_NO_FEED = Absence(_OFFLINE, "recorded bars have the gaps that the back-test saw")
_NO_PAST = Absence(_OFFLINE, "a new paper market has no window or days of its own yet")
_OWN_DAY = Absence(_OFFLINE, "a replay lives in recorded time, which is not the desk's day")
_NO_LEASE = Absence(_OFFLINE, "no money moves; the lease belongs to live")

ABSENT: Mapping[str, Absence] = {
    "clock_offset_ms": _SAME_CLOCK,
    "lease_left_ms": _NO_LEASE,
    "market.bid": _NO_BOOK,
    "market.ask": _NO_BOOK,
    "market.unchanged_ms": _NO_FEED,
    "market.gap_bars": _NO_FEED,
    "market.window_low": _NO_PAST,
    "market.window_high": _NO_PAST,
    "market.p90_volatility": _NO_PAST,
    "market.volatility_days": _NO_PAST,
    "venue.reconcile_state": _IN_PROCESS,
    "venue.reconcile_age_ms": _IN_PROCESS,
    "venue.nonce_next": _NO_SIGNER,
    "venue.nonce_durable": _NO_SIGNER,
    "venue.signer_left_ms": _NO_SIGNER,
    "venue.signer_is_master": _NO_SIGNER,
    "venue.budget_left": _NO_BUDGET,
    "venue.maintenance_rate": _NO_MARGIN,
    "desk.day_pnl_usd": _OWN_DAY,
    "desk.drawdown": _OWN_DAY,
}
"""Fact -> where it may be missing. A fact that is not here is needed in every mode."""


_READ = {name: attrgetter(name) for name in ABSENT}


def may_be_absent(names: tuple[str, ...], facts: AccountFacts, mode: Mode) -> bool:
    """Tell whether a rule that needs these facts does not apply: all are missing, and may be."""
    for name in names:
        absence = ABSENT.get(name)
        if absence is None or _READ[name](facts) is not None or not _has_none(absence, facts, mode):
            return False
    return bool(names)


def _has_none(absence: Absence, facts: AccountFacts, mode: Mode) -> bool:
    """Only a literal True of the venue makes it a spot venue: what is not known of it excuses nothing."""
    return mode in absence.modes or (bool(absence.at_spot) and facts.venue.pays_in_full is True)
