"""What two persons may pass over, once, for one ticket; off unless the configuration allows it (C34)."""

from __future__ import annotations

from safety.canonical import changed
from safety.facts import CheckResult
from safety.reasons import Refusal
from safety.text import clean
from safety.ticket import Ticket
from venues.types import Record

OVERRIDABLE = frozenset(
    {
        "max_notional_exceeded",
        "trade_risk_exceeded",
        "price_collar_exceeded",
        "price_drift_exceeded",
        "spread_too_wide",
        "max_exposure_exceeded",
        "max_symbol_exposure_exceeded",
        "max_strategy_exposure_exceeded",
        "max_venue_exposure_exceeded",
        "max_desk_exposure_exceeded",
        "alt_longs_exceeded",
        "alt_shorts_exceeded",
        "volatility_missing",
        "volatility_exposure_exceeded",
        "portfolio_risk_exceeded",
        "leverage_exceeded",
        "max_open_orders",
        "max_positions",
        "entry_rate_exceeded",
        "symbol_entry_rate_exceeded",
        "entry_notional_rate_exceeded",
        "repeated_execution",
    }
)
"""The bounds of size and rhythm that two persons may pass over for one ticket (C34). Never the kill switch,
a hold, the form of an order, its account, an unknown order, a loss limit or the age of a price."""


class FirstSignature(Record):
    """The first of two persons on a ticket: the key that signed, and whether it passes over failed checks."""

    principal: str = ""
    is_override: bool = False
    reason: str = ""


def overridden(ticket: Ticket, first: FirstSignature | None) -> Ticket:
    """Return a ticket whose failed checks two persons pass over; a check of form or state never is."""
    if first is None or not first.is_override:
        raise Refusal("checks_failed", ticket.id)
    if not first.reason.strip():
        raise Refusal("reason_required", "an override says why")
    failed = tuple(check.name for check in ticket.checks if check.result is CheckResult.FAIL)
    fixed = [name for name in failed if name not in OVERRIDABLE]
    if fixed or not failed:
        raise Refusal("not_overridable", ", ".join(fixed))
    return changed(ticket, overridden=failed, override_reason=clean(first.reason))


def may_go(reasons: tuple[str, ...], ticket: Ticket) -> bool:
    """Tell whether what refuses now lets an approved ticket go: nothing but what two persons passed over."""
    return not reasons or (bool(ticket.overridden) and set(reasons) <= set(ticket.overridden))
