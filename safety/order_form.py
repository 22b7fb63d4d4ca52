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
    wrong = {name: said for name, value in sorted(raw.items()) if (said := _problem(name, value))}
    if not wrong:
        wrong = _wrong_side(raw)
    if not wrong:
        return None
    advice = "; ".join(f"{name}: {said}" for name, said in wrong.items())
    return InvalidFields(
        error_code="INVALID_FIELDS",
        tool_name=tool_name,
        invalid_fields=tuple(wrong),
        corrective_action=f"Correct the order and send it again. {advice}.",
    )


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
    sign = Side(str(raw["side"])).sign
    wrong: dict[str, str] = {}
    if limit is not None and stop is not None and (limit - stop) * sign <= 0:
        wrong["stop_loss"] = REQUIRED_FIELDS["stop_loss"]
    if limit is not None and target is not None and (target - limit) * sign <= 0:
        wrong["take_profit"] = "put it above the limit for a buy, below it for a sell"
    return wrong
