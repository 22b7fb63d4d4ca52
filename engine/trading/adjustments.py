"""What a named operator books: position and cash that no execution in our record explains."""

from __future__ import annotations

from decimal import Decimal

from safety.reasons import Refusal
from venues.types import Fill, Record, Side


class Adjustment(Record):
    """A named operator's booking. `quantity` is signed, `price` and `cash_usd` are in USD.

    `settles` names what the venue showed (order and fill ids) and this booking accounts for. With `ended`
    (signed) the holding of that size ends first, at its own average of `ended_at` USD, and what remains of
    both is held anew at `price`: the venue's average, where ours cannot become that by a trade.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    cash_usd: Decimal
    operator: str
    reason: str
    at_ns: int
    settles: tuple[str, ...] = ()
    ended: Decimal = Decimal(0)
    ended_at: Decimal = Decimal(0)


def demand_named(adjustment: Adjustment) -> None:
    """Raise `Refusal` where a booking lacks the name of who booked it, or why."""
    if not adjustment.operator.strip():
        raise Refusal("operator_required", "an adjustment needs a name")
    if not adjustment.reason.strip():
        raise Refusal("reason_required", "an adjustment needs a reason")


def bookings_of(adjustment: Adjustment) -> list[Fill]:
    """Return an adjustment's position as bookings, in the order of their names."""
    moves = [(adjustment.quantity + adjustment.ended, adjustment.price)]
    if adjustment.ended:
        moves.insert(0, (-adjustment.ended, adjustment.ended_at))
    return [
        Fill(
            fill_id=f"adjustment:{adjustment.at_ns}:{adjustment.symbol}" + ":anew" * number,
            client_order_id="",
            symbol=adjustment.symbol,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(quantity),
            price=price,
            fee=Decimal(0),
            is_maker=False,
            at_ns=adjustment.at_ns,
        )
        for number, (quantity, price) in enumerate(moves)
        if quantity
    ]
