"""What the shelf says is alive is what a look at every order says, in the same order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.trading.shelf import Shelf
from engine.trading.working import ManagedOrder
from venues.types import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

NAMES = st.sampled_from([f"O-{number}" for number in range(6)])
STEPS = st.tuples(
    st.sampled_from(("put", "move", "move", "move", "forget", "clear")), NAMES, st.sampled_from(OrderStatus)
)


def order(name: str, status: OrderStatus) -> ManagedOrder:
    one = Decimal(1)
    request = OrderRequest(
        client_order_id=name, symbol="BTC", side=Side.BUY, quantity=one, order_type=OrderType.LIMIT,
        limit_price=one, time_in_force=TimeInForce.GTC, reduce_only=False, mark_price=one,
    )  # fmt: skip
    return ManagedOrder(request, "T-1", "x", "a", "s", "S-1", 0, "I-1", 1, status=status)


@given(st.lists(STEPS, max_size=40))
def test_what_is_alive_is_what_a_look_at_every_order_says(steps: list[tuple[str, str, OrderStatus]]) -> None:
    shelf = Shelf()
    for act, name, status in steps:
        if act == "put":
            shelf[name] = order(name, status)
        elif act == "clear" and status is OrderStatus.FILLED:
            shelf.clear()
        elif act == "forget" and name in shelf:
            del shelf[name]
        elif act == "move" and name in shelf:
            shelf[name].status = status
            shelf.noted(shelf[name])
        assert shelf.alive() == [each for each in shelf.values() if each.is_alive]
