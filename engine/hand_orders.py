"""An order that a person writes: from the form to an intent that is judged like any other (QT-10, QT-11)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from engine.trading.pipeline import BY_HAND
from engine.trading.session import PaperSession
from safety.canonical import canonical
from safety.intent import ExecutionIntent, IntentCategory, MissingFields
from safety.order_form import InvalidFields, figure
from safety.reasons import Refusal
from venues.types import OrderType, Side, TimeInForce

CENT = Decimal("0.01")


class FormRefusal(Refusal):
    """A form that is not complete or not right; `feedback` is the structure that says what to correct."""

    def __init__(self, wrong: MissingFields | InvalidFields) -> None:
        is_missing = isinstance(wrong, MissingFields)
        super().__init__("order_incomplete" if is_missing else "order_invalid", wrong.corrective_action)
        fields = wrong.missing_fields if isinstance(wrong, MissingFields) else wrong.invalid_fields
        said = {
            "errorCode": wrong.error_code,
            "toolName": wrong.tool_name,
            "missingFields" if is_missing else "invalidFields": fields,
            "correctiveAction": wrong.corrective_action,
        }
        self.feedback = msgspec.Raw(canonical(said))


def by_hand(
    form: Mapping[str, object], session: PaperSession, name: str, fingerprint: str
) -> ExecutionIntent:
    """Return the intent of a form that `order_form.feedback` found right, on a session's account."""
    quantity, limit = figure(form["quantity"]), figure(form["limit_price"])
    assert quantity is not None and limit is not None, "the form was judged before"
    symbol, is_reduction = str(form["symbol"]), form.get("reduce_only") is True
    return ExecutionIntent(
        request_id=name,
        session_id=session.plan.session_id,
        strategy_id=BY_HAND,
        decision_id=name,
        config_fingerprint=fingerprint,
        intent_category=IntentCategory.RISK_REDUCE if is_reduction else IntentCategory.RISK_INCREASE,
        broker_target=session.plan.instruments[symbol].venue,
        account_id=session.plan.account,
        symbol=symbol,
        side=Side(str(form["side"])),
        quantity=quantity,
        notional_usd=(quantity * limit).quantize(CENT, ROUND_HALF_EVEN),
        limit_price=limit,
        stop_loss=figure(form.get("stop_loss")),
        take_profit=figure(form.get("take_profit")),
        order_type=OrderType(str(form["order_type"])),
        time_in_force=TimeInForce(str(form["time_in_force"])),
        reduce_only=is_reduction,
        mark_price=session.ledger.holding(symbol).mark_price or None,
        mark_age_ms=session.mark_age_ms(symbol),
    )
