"""What Hyperliquid can do natively, and what the engine may build on."""

from __future__ import annotations

from decimal import Decimal

from seams.clock import NS_PER_S
from venues.contract import Capabilities

NAME = "hyperliquid"
MIN_NOTIONAL_USD = Decimal(10)
BAND = (Decimal("0.2"), Decimal(5))
"""A limit price must lie above the first and at most at the second multiple of the mark."""
LOOKUP_LAG_NS = 10 * NS_PER_S
"""Orders were seen to show up within 1.1 s (venues.md 7.2). Only an order whose nonce was used and that is in
no list waits for this; a wrong "never placed" is a second order, so that it may wait nine times as long."""
WATCHED = ("BTC", "ETH", "SOL", "XRP")
"""The perpetuals that are watched and may be traded, unless others are named."""


def capabilities(lookup_lag_ns: int = LOOKUP_LAG_NS) -> Capabilities:
    """Return what the engine may build on. The scheduled cancel is none of it: most accounts are refused."""
    return Capabilities(
        venue=NAME,
        has_reduce_only=True,
        has_native_stop=True,
        has_dead_man_switch=False,
        has_test_order=False,
        has_fence=True,
        has_replace=True,
        has_funding=True,
        has_sub_accounts=True,
        has_request_budget=True,
        has_pushed_balances=True,
        has_expiry=True,
        lookup_lag_ns=lookup_lag_ns,
    )
