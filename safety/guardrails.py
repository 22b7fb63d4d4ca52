"""Guardrails on the tools by which programs and people ask for orders (QT-47): before any rule is asked.

A guardrail looks at what was asked for, not at the account. Its codes are the ones tools know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from safety.order_form import figure
from venues.types import Record

MAX_BATCH = 20


class Guard(StrEnum):
    BLOCKLIST_SYMBOL = "BLOCKLIST_SYMBOL"
    BATCH_LIMIT = "BATCH_LIMIT"
    AMOUNT_LIMIT = "AMOUNT_LIMIT"
    INVALID_AMOUNT = "INVALID_AMOUNT"


CORRECTIONS: Mapping[Guard, str] = {
    Guard.BLOCKLIST_SYMBOL: "Trade another symbol; taking it off the list is a limit change.",
    Guard.BATCH_LIMIT: f"Ask for at most {MAX_BATCH} orders at a time.",
    Guard.AMOUNT_LIMIT: "Make the order smaller; raising the bound is a configuration change.",
    Guard.INVALID_AMOUNT: "Give quantity and limit price as plain decimals above zero.",
}


class Guarded(Record):
    """Why a request went no further: the guard, which order of the batch, and what to do."""

    error_code: str
    tool_name: str
    index: int
    message: str
    corrective_action: str


def guard(
    orders: Sequence[Mapping[str, object]],
    tool_name: str,
    *,
    blocked_symbols: Collection[str],
    max_order_usd: Decimal,
) -> Guarded | None:
    """Return the first guard that a batch of order forms meets; None where it meets none.

    An amount that cannot be read is invalid, a bound that is not above zero admits nothing.
    """

    def met(code: Guard, index: int, message: str) -> Guarded:
        return Guarded(
            error_code=code,
            tool_name=tool_name,
            index=index,
            message=message,
            corrective_action=CORRECTIONS[code],
        )

    if not 0 < len(orders) <= MAX_BATCH:
        return met(Guard.BATCH_LIMIT, 0, f"{len(orders)} orders at once")
    most_usd = max_order_usd if max_order_usd.is_finite() and max_order_usd > 0 else Decimal(0)
    for index, form in enumerate(orders):
        symbol = str(form.get("symbol", ""))
        if symbol in blocked_symbols:
            return met(Guard.BLOCKLIST_SYMBOL, index, f"{symbol} is blocked")
        quantity, price = figure(form.get("quantity")), figure(form.get("limit_price"))
        if quantity is None or price is None:
            return met(Guard.INVALID_AMOUNT, index, "quantity or limit price is no amount above zero")
        value = quantity * price
        if form.get("reduce_only") is not True and value > most_usd:
            return met(Guard.AMOUNT_LIMIT, index, f"{value:.2f} USD, at most {most_usd:f}")
    return None
