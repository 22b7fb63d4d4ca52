"""The strict form of an order made by hand: what is missing or wrong, and how to correct it (QT-11).

Figures are text or whole numbers, never binary fractions; a key that the form does not know is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from safety.intent import REQUIRED_FIELDS, MissingFields, missing_fields
from venues.types import OrderType, Record, Side, TimeInForce

MAX_TEXT = 64
FIGURES = ("quantity", "limit_price", "stop_loss", "take_profit", "mark_price")
WORDS: Mapping[str, tuple[str, ...]] = {
    "side": tuple(Side),
    "order_type": tuple(OrderType),
    "time_in_force": tuple(TimeInForce),
}
OPTIONAL_FIELDS: Mapping[str, str] = {
    "take_profit": "leave it out, or give a price beyond the limit",
    "mark_price": "leave it out, or give the market's price",
    "reduce_only": "say true or false",
}


FIELD_OF: Mapping[str, str] = {
    "symbol_not_allowed": "symbol",
    "symbol_blocked": "symbol",
    "instrument_unknown": "symbol",
    "symbol_has_unknown_order": "symbol",
    "market_data_missing": "symbol",
    "market_data_stale": "symbol",
    "market_crossed": "symbol",
    "market_frozen": "symbol",
    "market_gap": "symbol",
    "spread_too_wide": "symbol",
    "price_drift_exceeded": "symbol",
    "volatility_missing": "symbol",
    "max_positions": "symbol",
    "unsupported_side": "side",
    "self_trade": "side",
    "not_finite": "quantity",
    "non_positive_quantity": "quantity",
    "non_positive_notional": "quantity",
    "lot_not_exact": "quantity",
    "below_min_notional": "quantity",
    "max_notional_exceeded": "quantity",
    "micro_size_exceeded": "quantity",
    "max_exposure_exceeded": "quantity",
    "max_symbol_exposure_exceeded": "quantity",
    "max_strategy_exposure_exceeded": "quantity",
    "max_venue_exposure_exceeded": "quantity",
    "max_desk_exposure_exceeded": "quantity",
    "volatility_exposure_exceeded": "quantity",
    "leverage_exceeded": "quantity",
    "margin_use_exceeded": "quantity",
    "liquidation_too_near": "quantity",
    "duplicate_intent": "quantity",
    "time_in_force_invalid": "time_in_force",
    "missing_limit_price": "limit_price",
    "price_collar_exceeded": "limit_price",
    "tick_not_exact": "limit_price",
    "missing_stop_loss": "stop_loss",
    "stop_on_wrong_side": "stop_loss",
    "trade_risk_exceeded": "stop_loss",
    "portfolio_risk_exceeded": "stop_loss",
    "take_profit_on_wrong_side": "take_profit",
    "reduce_only_increases": "reduce_only",
}
"""Rule -> the field of the form that it is about. The rest are about the desk, not about what was typed."""


class InvalidFields(Record):
    """Corrective feedback for an order whose fields are there and wrong."""

    error_code: str
    tool_name: str
    invalid_fields: tuple[str, ...]
    corrective_action: str


def feedback(raw: Mapping[str, object], tool_name: str) -> MissingFields | InvalidFields | None:
    """Return what keeps a raw order from being judged, or None where its form is right.

    What is missing is said first: a form is completed before it is corrected.
    """
    missing = missing_fields(raw, tool_name)
    if missing is not None:
        return missing
    wrong = _wrong(raw) or _wrong_side(raw)
    if not wrong:
        return None
    advice = "; ".join(f"{name}: {said}" for name, said in wrong.items())
    return InvalidFields(
        error_code="INVALID_FIELDS",
        tool_name=tool_name,
        invalid_fields=tuple(wrong),
        corrective_action=f"Correct the order and send it again. {advice}.",
    )


def corrections(raw: Mapping[str, object]) -> dict[str, str]:
    """Return what to do about each field of an unfinished form: lacking ones, then wrong ones."""
    missing = missing_fields(raw)
    lacking = () if missing is None else missing.missing_fields
    return {**{name: REQUIRED_FIELDS[name] for name in lacking}, **_wrong_side(raw), **_wrong(raw)}


def _wrong(raw: Mapping[str, object]) -> dict[str, str]:
    return {name: said for name, value in sorted(raw.items()) if (said := _problem(name, value))}


def _problem(name: str, value: object) -> str:
    """Say what is wrong with one field; empty where it is right."""
    if name not in REQUIRED_FIELDS and name not in OPTIONAL_FIELDS:
        return "no such field; take it out"
    if value is None or value == "":
        return ""  # an optional field left empty; a mandatory one was missed above
    if name == "reduce_only":
        return "" if isinstance(value, bool) else OPTIONAL_FIELDS[name]
    if name in WORDS:
        return "" if value in WORDS[name] else f"say {', '.join(WORDS[name])}"
    if name in FIGURES:
        return "" if figure(value) is not None else 'give a number above zero as text, such as "0.25"'
    return "" if isinstance(value, str) and len(value) <= MAX_TEXT else f"give at most {MAX_TEXT} characters"


def figure(value: object) -> Decimal | None:
    """Return a figure above zero exactly as it was written; None for anything else, a float included."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > MAX_TEXT:
        return None
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and exact > 0 else None


def _wrong_side(raw: Mapping[str, object]) -> dict[str, str]:
    limit, stop, target = (figure(raw.get(name)) for name in ("limit_price", "stop_loss", "take_profit"))
    if raw.get("side") not in WORDS["side"]:
        return {}
    sign = Side(str(raw["side"])).sign
    wrong: dict[str, str] = {}
    if limit is not None and stop is not None and (limit - stop) * sign <= 0:
        wrong["stop_loss"] = REQUIRED_FIELDS["stop_loss"]
    if limit is not None and target is not None and (target - limit) * sign <= 0:
        wrong["take_profit"] = "put it above the limit for a buy, below it for a sell"
    return wrong
