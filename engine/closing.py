"""The orders that close a position: reduce-only, in slices, at once, within the collar of the mark (C35)."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from safety.intent import ExecutionIntent, IntentCategory
from venues.types import Instrument, OrderType, Side, TimeInForce

OPERATOR_FLATTEN = "operator:flatten"
BOUND = Decimal("0.01")
"""How far from the mark a closing order may trade at most, as a fraction."""


def closing_limit(instrument: Instrument, side: Side, mark: Decimal, collar: Decimal = BOUND) -> Decimal:
    """Return the worst price a closing order may trade at, rounded to the tick towards the mark.

    `collar` is the desk's, a fraction of the mark: the tighter of both bounds holds.
    """
    rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
    bound = mark * (1 + min(BOUND, collar) * side.sign)
    return (bound / instrument.tick).to_integral_value(rounding) * instrument.tick


def slice_of(instrument: Instrument, quantity: Decimal, mark: Decimal, most_usd: Decimal) -> Decimal:
    """Return the signed part of `quantity` that one closing order may carry, at most `most_usd` at `mark`.

    The slices of a position are of one size, so that the last is no dust the venue would refuse; a
    position that its lot does not divide into such slices goes whole.
    """
    size = abs(quantity)
    count = int((size * mark / most_usd).to_integral_value(ROUND_CEILING)) if most_usd > 0 else 1
    if count <= 1:
        return quantity
    part = (size / count / instrument.lot).to_integral_value(ROUND_CEILING) * instrument.lot
    return min(part, size).copy_sign(quantity)


def closing_intent(
    instrument: Instrument,
    quantity: Decimal,
    mark: Decimal,
    *,
    name: str,
    session_id: str,
    account: str,
    fingerprint: str,
    collar: Decimal = BOUND,
) -> ExecutionIntent:
    """Return the intent that closes a signed `quantity` held at `mark` (USD), within `collar` of it."""
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
        limit_price=closing_limit(instrument, side, mark, collar),
        stop_loss=None,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
        mark_price=mark,
        mark_age_ms=0,
    )
