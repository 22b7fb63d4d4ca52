"""The order that closes a position: the whole of it, reduce-only, at once, within a bound of the mark."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from safety.intent import ExecutionIntent, IntentCategory
from venues.types import Instrument, OrderType, Side, TimeInForce

OPERATOR_FLATTEN = "operator:flatten"
BOUND = Decimal("0.01")
"""How far from the mark a flatten order may trade, as a fraction."""


def closing_limit(instrument: Instrument, side: Side, mark: Decimal) -> Decimal:
    """Return the worst price a closing order may trade at, rounded to the tick towards the mark."""
    rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
    bound = mark * (1 + BOUND * side.sign)
    return (bound / instrument.tick).to_integral_value(rounding) * instrument.tick


def closing_intent(
    instrument: Instrument,
    quantity: Decimal,
    mark: Decimal,
    *,
    name: str,
    session_id: str,
    account: str,
    fingerprint: str,
) -> ExecutionIntent:
    """Return the intent that closes a signed `quantity` held at `mark` (USD)."""
    side = Side.SELL if quantity > 0 else Side.BUY
    return ExecutionIntent(
        request_id=name,
        session_id=session_id,
        strategy_id=OPERATOR_FLATTEN,
        decision_id=name,
        config_fingerprint=fingerprint,
        intent_category=IntentCategory.FLATTEN,
        broker_target=instrument.venue,
        account_id=account,
        symbol=instrument.symbol,
        side=side,
        quantity=abs(quantity),
        notional_usd=(abs(quantity) * mark).quantize(Decimal("0.01")),
        limit_price=closing_limit(instrument, side, mark),
        stop_loss=None,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
        mark_price=mark,
        mark_age_ms=0,
    )
