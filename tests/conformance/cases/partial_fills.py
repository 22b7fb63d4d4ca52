"""Partial fills: every part is told once, the sum is what is held, and the rest is what is still open."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import CROSS, INSIDE, LOT, Bench
from tests.conformance.suite import case
from venues.types import OrderStatus, Side, TimeInForce

PART, REMAINDER = Decimal("0.004"), Decimal("0.006")
MUCH = Decimal(5)


async def _hit(bench: Bench, quantity: Decimal) -> None:
    bench.rig.hit(Side.BUY, INSIDE, quantity)
    await bench.rig.settle()


@case()
async def a_part_is_told_with_its_quantity_and_price(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await _hit(bench, PART)
    (fill,) = bench.fills(name)
    assert (fill.quantity, fill.price, fill.side, fill.symbol) == (
        PART,
        INSIDE,
        Side.BUY,
        bench.terms.symbol,
    )


@case()
async def a_part_filled_order_is_open_with_what_it_got(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await _hit(bench, PART)
    seen = await bench.seen(name)
    assert (seen.status, seen.filled, seen.quantity) == (OrderStatus.PARTIAL, PART, LOT)
    assert await bench.open_names() == [name]


@case()
async def two_parts_make_a_filled_order(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await _hit(bench, PART)
    await _hit(bench, REMAINDER)
    assert [fill.quantity for fill in bench.fills(name)] == [PART, REMAINDER]
    seen = await bench.seen(name)
    assert (seen.status, seen.filled) == (OrderStatus.FILLED, LOT)
    assert not await bench.open_names() and bench.rig.held() == LOT


@case()
async def a_part_filled_immediate_order_ends_with_what_it_got(bench: Bench) -> None:
    bench.rig.shallow(Decimal("0.5"))
    name = await bench.place(quantity=MUCH, limit_price=CROSS, time_in_force=TimeInForce.IOC)
    got = bench.filled(name)
    assert 0 < got < MUCH and got == bench.rig.held() and bench.rig.live() == 0
    (ended,) = bench.ended(name)
    assert ended.filled in (None, got)
    seen = await bench.seen(name)
    assert (seen.status, seen.filled) == (OrderStatus.CANCELLED, got)


@case()
async def stream_and_list_tell_the_same_parts(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await _hit(bench, PART)
    await _hit(bench, REMAINDER)
    listed = [fill for fill in await bench.venue.fills_since(0) if fill.client_order_id == name]
    assert [(f.fill_id, f.quantity, f.fee) for f in listed] == [
        (f.fill_id, f.quantity, f.fee) for f in bench.fills(name)
    ]


@case()
async def who_waits_is_the_maker_and_who_crosses_the_taker(bench: Bench) -> None:
    waits = await bench.place(limit_price=INSIDE)
    await _hit(bench, LOT)
    crosses = await bench.buy()
    assert all(fill.is_maker for fill in bench.fills(waits))
    assert bench.fills(crosses) and not any(fill.is_maker for fill in bench.fills(crosses))


@case()
async def every_part_pays_its_fee(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await _hit(bench, PART)
    await _hit(bench, REMAINDER)
    instrument = next(each for each in bench.venue.instruments() if each.symbol == bench.terms.symbol)
    for fill in bench.fills(name):
        stated = fill.quantity * fill.price * instrument.maker_fee_bps / 10_000
        assert abs(fill.fee - stated) < Decimal("0.01"), (fill.fee, stated)


@case()
async def only_fills_since_a_time_are_listed(bench: Bench) -> None:
    early = await bench.buy()
    await bench.clock.sleep(5.0)
    since_ns = bench.rig.venue_clock.now_ns()
    await bench.clock.sleep(2.0)
    late = await bench.buy()
    names = {fill.client_order_id for fill in await bench.venue.fills_since(since_ns)}
    assert names == {late}
    assert {fill.client_order_id for fill in await bench.venue.fills_since(0)} == {early, late}


@case()
async def fills_are_listed_oldest_first(bench: Bench) -> None:
    for _ in range(4):
        await bench.buy()
        await bench.clock.sleep(1.1)
    times = [fill.at_ns for fill in await bench.venue.fills_since(0)]
    assert len(times) >= 4 and times == sorted(times)
