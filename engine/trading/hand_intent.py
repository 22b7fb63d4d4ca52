"""From the form of an order by hand to the intent that is judged and sent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from safety.intent import ExecutionIntent, IntentCategory
from safety.order_form import figure
from venues.types import OrderType, Side, TimeInForce


def hand_intent(
    form: Mapping[str, object],
    *,
    name: str,
    session_id: str,
    strategy: str,
    venue: str,
    account: str,
    fingerprint: str,
    mark_price: Decimal | None,
    mark_age_ms: int | None,
) -> ExecutionIntent:
    """Return the intent of a form that `order_form.feedback` found right.

    `name` is its request and its decision; the notional, in USD, is at the limit price.
    """
    quantity, limit = figure(form["quantity"]), figure(form["limit_price"])
    assert quantity is not None and limit is not None, "the form was judged before"
    is_reduction = form.get("reduce_only") is True
    return ExecutionIntent(
        request_id=name,
        session_id=session_id,
        strategy_id=strategy,
        decision_id=name,
        config_fingerprint=fingerprint,
        intent_category=IntentCategory.RISK_REDUCE if is_reduction else IntentCategory.RISK_INCREASE,
        broker_target=venue,
        account_id=account,
        symbol=str(form["symbol"]),
        side=Side(str(form["side"])),
        quantity=quantity,
        notional_usd=quantity * limit,
        limit_price=limit,
        stop_loss=figure(form.get("stop_loss")),
        take_profit=figure(form.get("take_profit")),
        order_type=OrderType(str(form["order_type"])),
        time_in_force=TimeInForce(str(form["time_in_force"])),
        reduce_only=is_reduction,
        mark_price=mark_price,
        mark_age_ms=mark_age_ms,
    )
