"""The last question before an order of Hyperliquid counts as never placed: the list of past orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine.trading.working import ManagedOrder
from tests.engine.house import begin_session, send_whole
from tests.engine.test_custody_hyperliquid import House, in_house
from tests.venues.test_hyperliquid_reads import listen
from venues.sandbox.programs import Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

UNKNOWN_OID, MANY = '{"status":"unknownOid"}', 60


async def send(house: House, *, reduce_only: bool = False) -> ManagedOrder:
    """Send an order whose answer is lost, at a venue that pushes nothing and knows no order by its name."""
    rig = house.rig
    begin_session(house.custody, "BTC-PERP")
    rig.strike(Strike.APPLY_THEN_DROP)
    for nth in range(1, MANY):
        rig.strike(Strike.SAY, "orderStatus", nth=nth, text=UNKNOWN_OID)
        rig.exchange.pushes.add(PushFault(nth=nth, on="orderUpdates", strike=PushStrike.DROP))
    request = OrderRequest(
        client_order_id="O-1-0001",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.001"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(59_000),
        time_in_force=TimeInForce.GTC,
        reduce_only=reduce_only,
        mark_price=Decimal(60_005),
    )
    return await send_whole(
        house.custody, request, "D-1-0001", limit_price=Decimal(59_000), stop_loss=Decimal(50_000)
    )


async def tend(house: House, order: ManagedOrder, seconds: int = 60) -> None:
    for _ in range(seconds):
        house.custody.is_dirty = True
        await house.custody.tend()
        if order.status is not OrderStatus.UNKNOWN:
            return
        await house.rig.clock.sleep(1)


def in_doubt(folder: Path, scene: Callable[[House, list[str]], Awaitable[None]]) -> None:
    async def play(house: House) -> None:
        await scene(house, listen(house.rig))

    in_house(folder, play)


def test_an_order_that_only_the_list_of_past_ones_shows_ended_as_that_says(tmp_path: Path) -> None:
    async def scene(house: House, asked: list[str]) -> None:
        order = await send(house)
        (theirs,) = house.rig.desk.user.orders.values()
        house.rig.exchange.trading.end(theirs, "canceled")  # by hand, in the venue's own window
        await tend(house, order)
        assert (order.status, order.filled) == (OrderStatus.CANCELLED, 0)
        assert asked.count("historicalOrders") == 1 and "noop" in asked

    in_doubt(tmp_path, scene)


def test_an_order_is_never_placed_only_once_that_list_lacks_it(tmp_path: Path) -> None:
    async def scene(house: House, asked: list[str]) -> None:
        order = await send(house, reduce_only=True)
        house.rig.desk.user.orders.clear()  # refused, its nonce used, and no trace of it: venues.md 7.2
        await tend(house, order)
        assert order.status is OrderStatus.REJECTED and order.reason.startswith(
            "never_reached_venue: used up"
        )
        assert asked.count("historicalOrders") == 1

    in_doubt(tmp_path, scene)


@pytest.mark.parametrize("said", ["null", '[{"order":{}}]', '[{"status":"open"}]', '"x"', "[1]"])
def test_a_list_that_cannot_be_read_ends_nothing(tmp_path: Path, said: str) -> None:
    async def scene(house: House, asked: list[str]) -> None:
        for nth in range(1, MANY):
            house.rig.strike(Strike.SAY, "historicalOrders", nth=nth, text=said)
        order = await send(house, reduce_only=True)
        house.rig.desk.user.orders.clear()
        await tend(house, order, seconds=20)
        is_list_without_it = said == '[{"order":{}}]'
        assert (order.status is OrderStatus.UNKNOWN) is not is_list_without_it
        assert asked.count("historicalOrders") >= 1

    in_doubt(tmp_path, scene)
