"""What a named operator books: position and cash that no execution in our record explains."""

from __future__ import annotations

from decimal import Decimal

from safety.reasons import Refusal
from venues.types import Fill, Record, Side


class Adjustment(Record):
    """A named operator's booking. `quantity` is signed, `price` and `cash_usd` are in USD.

    `settles` names what the venue showed (order and fill ids) and this booking accounts for.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    cash_usd: Decimal
    operator: str
    reason: str
    at_ns: int
    settles: tuple[str, ...] = ()


def demand_named(adjustment: Adjustment) -> None:
    """Raise `Refusal` where a booking lacks the name of who booked it, or why."""
    if not adjustment.operator.strip():
        raise Refusal("operator_required", "an adjustment needs a name")
    if not adjustment.reason.strip():
        raise Refusal("reason_required", "an adjustment needs a reason")


def booking_of(adjustment: Adjustment) -> Fill:
    """Return an adjustment's position as a booking."""
    return Fill(
        fill_id=f"adjustment:{adjustment.at_ns}:{adjustment.symbol}",
        client_order_id="",
        symbol=adjustment.symbol,
        side=Side.BUY if adjustment.quantity > 0 else Side.SELL,
        quantity=abs(adjustment.quantity),
        price=adjustment.price,
        fee=Decimal(0),
        is_maker=False,
        at_ns=adjustment.at_ns,
    )
