"""What Kraken spot can do natively, and the pairs that we know before it has been asked."""

from __future__ import annotations

from decimal import Decimal

from seams.clock import NS_PER_S
from venues.contract import Capabilities
from venues.kraken.precision import NAME, Rules

LOOKUP_LAG_NS = 60 * NS_PER_S
"""Field reports: under overload an order shows up within a minute (krakenex #60)."""


def capabilities(lookup_lag_ns: int = LOOKUP_LAG_NS) -> Capabilities:
    """Return what the engine may build on. The deadline is the fence: there is no noop."""
    return Capabilities(
        venue=NAME,
        has_reduce_only=False,
        has_native_stop=True,
        has_dead_man_switch=True,
        has_test_order=True,
        has_fence=False,
        has_expiry=True,
        lookup_lag_ns=lookup_lag_ns,
        has_request_budget=True,
        has_state_channel=True,
        has_pushed_balances=True,
        pays_in_full=True,
    )


def _rules(pair_id: str, altname: str, base: str, symbol: str, decimals: int, ordermin: str) -> Rules:
    return Rules(
        symbol=symbol,
        pair_id=pair_id,
        altname=altname,
        wsname=symbol.replace("-", "/"),
        base=base,
        quote="ZUSD",
        tick=Decimal(1).scaleb(-decimals),
        lot=Decimal("1e-8"),
        price_decimals=decimals,
        lot_decimals=8,
        ordermin=Decimal(ordermin),
        costmin=Decimal("0.5"),
        maker_percent=Decimal("0.25"),
        taker_percent=Decimal("0.40"),
        status="online",
    )


PAIRS = (
    _rules("XXBTZUSD", "XBTUSD", "XXBT", "BTC-USD", 1, "0.00005"),
    _rules("XETHZUSD", "ETHUSD", "XETH", "ETH-USD", 2, "0.001"),
    _rules("SOLUSD", "SOLUSD", "SOL", "SOL-USD", 2, "0.02"),
    _rules("XXRPZUSD", "XRPUSD", "XXRP", "XRP-USD", 5, "2"),
)
"""The pairs that may be traded; what the venue says of them replaces this, and alone counts soon after."""
