"""A fill beyond its order's own bound is booked as it is, and rings at once, once per order (AQ-16)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.trading.sequel import BEYOND
from engine.trading.working import MANUAL, ManagedOrder
from safety.alarm_codes import ALARMS
from tests.engine.custody_house import LOTS, House
from tests.engine.house import send_whole
from tests.venues.test_exchange import INSTRUMENT, SPEC
from venues.types import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce

BOUND = Decimal("100.00")
TICK = INSTRUMENT.tick
WORSE = pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
KINDS = pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.MARKET])


def in_house(folder: Path, work: Callable[[House], Awaitable[None]]) -> None:
    async def scene() -> None:
        house = House(folder)
        await house.clean()
        house.desk.exchange.listeners.clear()  # what fills, and at which price, is the test's to say
        await work(house)

    asyncio.run(scene())


async def sent(
    house: House, side: Side = Side.BUY, kind: OrderType = OrderType.MARKET, bound: Decimal = BOUND
) -> ManagedOrder:
    request = OrderRequest(
        client_order_id=f"O-{side}",
        symbol=SPEC.symbol,
        side=side,
        quantity=LOTS,
        order_type=kind,
        limit_price=bound,
        time_in_force=TimeInForce.IOC if kind is OrderType.MARKET else TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(100),
    )
    stop = Decimal(100) - 10 * side.sign
    return await send_whole(house.custody, request, "D-1", limit_price=BOUND, stop_loss=stop)


def fill_of(order: ManagedOrder, name: str, price: Decimal, quantity: Decimal = LOTS) -> Fill:
    return Fill(
        fill_id=name,
        client_order_id=order.order_id,
        symbol=SPEC.symbol,
        side=order.request.side,
        quantity=quantity,
        price=price,
        fee=Decimal(0),
        is_maker=False,
        at_ns=order.created_ns,
    )


def rung(house: House) -> list[str]:
    """The messages of this alarm that were noted, one for each time that it rang anew."""
    return [row.text for row in house.custody.core.events.page() if row.text.startswith(BEYOND)]


@WORSE
@KINDS
def test_a_worse_fill_is_booked_as_it_is_and_rings(side: Side, kind: OrderType, tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order, core = await sent(house, side, kind), house.custody.core
        price = BOUND + Decimal("0.25") * side.sign
        house.custody.orders.on_event(fill_of(order, "F-1", price))
        assert order.status is OrderStatus.FILLED and order.filled == LOTS and order.paid == LOTS * price
        booked = core.store.orders.order(order.order_id)
        assert booked is not None and booked.average_price == price, "never dropped, never mended"
        assert house.custody.ledger.has_booked("F-1")
        (said,) = rung(house)
        for part in (order.order_id, SPEC.symbol, str(side), "@ 100.25" if side is Side.BUY else "@ 99.75"):
            assert part in said
        assert "bound 100: 25 bps beyond" in said
        (row,) = (row for row in core.alarms.rows() if row.code == BEYOND)
        assert row.priority == 1 and row.subject == order.order_id

    in_house(tmp_path, work)


@WORSE
@KINDS
def test_the_bound_itself_and_a_better_price_ring_nothing(
    side: Side, kind: OrderType, tmp_path: Path
) -> None:
    async def work(house: House) -> None:
        order = await sent(house, side, kind)
        house.custody.orders.on_event(fill_of(order, "F-1", BOUND, LOTS / 2))
        house.custody.orders.on_event(fill_of(order, "F-2", BOUND - TICK * side.sign, LOTS / 2))
        assert order.filled == LOTS and not rung(house)

    in_house(tmp_path, work)


def test_it_rings_once_per_order_and_for_a_part_as_well(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order = await sent(house)
        first = fill_of(order, "F-1", BOUND + Decimal("1E-9"), LOTS / 4)
        for fill in (first, first, fill_of(order, "F-2", BOUND + 1, LOTS / 4)):
            house.custody.orders.on_event(fill)
        assert order.status is OrderStatus.PARTIAL and order.filled == LOTS / 2
        (said,) = rung(house)
        assert "@ 100.000000001" in said and "0.0001 bps beyond" in said, "the least excess is one"
        assert [row.count for row in house.custody.core.alarms.rows() if row.code == BEYOND] == [1]

    in_house(tmp_path, work)


def test_a_late_fill_under_another_engine_is_held_to_the_bound_on_record(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        fill = fill_of(await sent(house), "F-1", BOUND + TICK)
        house.restart()
        house.custody.orders.on_event(fill)
        assert len(rung(house)) == 1
        assert house.custody.ledger.has_booked("F-1")

    in_house(tmp_path, work)


def test_a_flatten_is_held_to_its_bound_as_well(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order = await sent(house, Side.SELL)
        order.request, order.is_flatten = msgspec.structs.replace(order.request, reduce_only=True), True
        house.custody.orders.on_event(fill_of(order, "F-1", BOUND - TICK))
        assert order.status is OrderStatus.FILLED and len(rung(house)) == 1

    in_house(tmp_path, work)


def test_an_order_without_a_bound_of_ours_rings_nothing(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        order, orders = await sent(house, bound=Decimal(0)), house.custody.orders
        orders.on_event(fill_of(order, "F-1", BOUND * 2, LOTS / 2))
        order.strategy, order.request = MANUAL, msgspec.structs.replace(order.request, limit_price=BOUND)
        orders.on_event(fill_of(order, "F-2", BOUND * 2, LOTS / 2))
        assert order.filled == LOTS and not rung(house)

    in_house(tmp_path, work)


def test_the_row_asks_for_an_act_now_and_stays_until_it_is_reset() -> None:
    assert ALARMS[BEYOND].priority == 1 and ALARMS[BEYOND].is_latched
