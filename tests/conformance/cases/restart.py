"""Restart reconciliation: a new engine finds its own orders by their names, and only its own."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from msgspec.structs import replace as changed

from tests.conformance.bench import INSIDE, LOT, REST, Bench
from tests.conformance.rig import Who
from tests.conformance.suite import case
from venues.types import OrderStatus, Side


@case()
async def a_new_engine_finds_its_open_orders(bench: Bench) -> None:
    names = [await bench.place(), await bench.place()]
    again = await bench.sit(Who.AGAIN)
    assert sorted(each.client_order_id for each in await again.venue.open_orders()) == names


@case()
async def a_new_engine_finds_what_filled_while_nobody_looked(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    await bench.venue.close()
    bench.rig.hit(Side.BUY, INSIDE, LOT)
    again = await bench.sit(Who.AGAIN)
    listed = [fill for fill in await again.venue.fills_since(0) if fill.client_order_id == name]
    assert sum(fill.quantity for fill in listed) == LOT


@case()
async def a_new_engine_asks_for_an_order_by_its_name(bench: Bench) -> None:
    name = await bench.buy()
    again = await bench.sit(Who.AGAIN)
    seen = await again.venue.query(name)
    assert seen is not None and (seen.status, seen.filled) == (OrderStatus.FILLED, LOT)


@case()
async def a_new_engine_finds_the_position(bench: Bench) -> None:
    await bench.buy()
    again = await bench.sit(Who.AGAIN)
    (position,) = (await again.venue.account()).positions
    assert (position.symbol, position.quantity) == (bench.terms.symbol, LOT)


@case()
async def a_new_engine_cancels_an_old_order_by_its_name(bench: Bench) -> None:
    name = await bench.place()
    again = await bench.sit(Who.AGAIN)
    await again.venue.cancel(name)
    assert bench.rig.live() == 0


@case()
async def orders_outlive_the_adapter_that_placed_them(bench: Bench) -> None:
    await bench.place()
    await bench.venue.close()
    await bench.clock.sleep(5.0)
    assert bench.rig.live() == 1 and bench.capabilities.outlives_engine


@case()
async def a_hand_trade_is_told_under_a_name_that_is_not_ours(bench: Bench) -> None:
    mine = await bench.place()
    bench.rig.foreign(price := Decimal(58_100))
    await bench.rig.settle()
    names = await bench.open_names()
    assert len(names) == 2 and mine in names
    (foreign,) = set(names) - {mine}
    assert not foreign.startswith("O-"), foreign
    seen = await bench.venue.query(foreign)
    assert seen is not None and seen.client_order_id == foreign
    prices = {each.client_order_id: each.limit_price for each in await bench.venue.open_orders()}
    assert prices == {foreign: price, mine: REST} and seen.limit_price == price, prices


@case()
async def another_desks_order_is_never_taken_for_ours(bench: Bench) -> None:
    """A desk that counts from one again does not find an older one's order under its own name; or, where
    a venue knows it by that name for good, no other order can carry it."""
    request = bench.request()
    await bench.venue.submit(bench.venue.sign(request, bench.nonce(), 0))
    other = await bench.sit(Who.OTHER_DESK)
    if await other.venue.query(request.client_order_id) is None:
        (seen,) = await other.venue.open_orders()
        assert seen.client_order_id != request.client_order_id
        return
    again = changed(request, limit_price=REST - 1)
    await bench.refusal_of(other.venue.sign(again, bench.nonce(), 0))
    assert bench.rig.live() == 1


@case()
async def the_same_bytes_after_a_restart_still_act_once(bench: Bench) -> None:
    signed = bench.sign()
    await bench.venue.submit(signed)
    again = await bench.sit(Who.AGAIN)
    said = await asyncio.gather(again.venue.submit(signed), return_exceptions=True)
    assert isinstance(said[0], Exception), "it was not taken twice"
    assert bench.rig.live() == len(bench.rig.truths(signed.client_order_id)) == 1


@case()
async def closing_leaves_nothing_running(bench: Bench) -> None:
    before = {task for task in asyncio.all_tasks() if not task.done()}
    seat = await bench.sit(Who.AGAIN)
    await seat.venue.close()
    await bench.clock.sleep(0.1)
    left = {task for task in asyncio.all_tasks() if not task.done()} - before
    assert not left, [task.get_name() for task in left]
