"""What the template venue can do natively. Claim nothing that the suite does not show."""

from __future__ import annotations

from decimal import Decimal

from seams.clock import NS_PER_S
from venues.contract import Capabilities
from venues.types import Instrument

NAME = "template"
LOOKUP_LAG_NS = NS_PER_S
"""An upper bound of how long an order that exists may be missing from the venue's answers."""


def capabilities() -> Capabilities:
    return Capabilities(
        venue=NAME,
        has_reduce_only=True,
        has_native_stop=False,
        has_dead_man_switch=False,
        has_test_order=False,
        has_fence=True,
        has_expiry=True,
        has_replace=True,
        lookup_lag_ns=LOOKUP_LAG_NS,
    )


def _instrument(symbol: str, tick: str, lot: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue=NAME,
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_notional_usd=Decimal(10),
        maker_fee_bps=Decimal(1),
        taker_fee_bps=Decimal(5),
    )


INSTRUMENTS = (_instrument("BTC-PERP", "0.5", "0.001"), _instrument("ETH-PERP", "0.05", "0.01"))
"""A real venue lists its markets when it is asked; this one never changes them."""
