"""Flags: post-only never takes, reduce-only never opens, an immediate order never rests."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import CROSS, INSIDE, LOT, Bench, Refused
from tests.conformance.suite import Need, case
from venues.types import OrderStatus, OrderType, Side, TimeInForce


@case()
async def a_post_only_order_that_waits_rests(bench: Bench) -> None:
    name = await bench.place(time_in_force=TimeInForce.POST_ONLY)
    assert await bench.open_names() == [name] and not bench.fills(name)


@case()
async def a_post_only_order_that_would_take_is_refused(bench: Bench) -> None:
    refusal = await bench.refused(limit_price=CROSS, time_in_force=TimeInForce.POST_ONLY)
    assert refusal.code == bench.terms.codes["post_only"]
    await bench.rig.settle()
    assert bench.rig.live() == 0 and bench.rig.held() == 0


@case()
async def a_post_only_order_fills_as_maker(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE, time_in_force=TimeInForce.POST_ONLY)
    bench.rig.hit(Side.BUY, INSIDE, LOT)
    await bench.rig.settle()
    assert bench.filled(name) == LOT and all(fill.is_maker for fill in bench.fills(name))


@case()
async def an_immediate_order_takes_what_is_there(bench: Bench) -> None:
    name = await bench.place(limit_price=CROSS, time_in_force=TimeInForce.IOC)
    assert bench.filled(name) == LOT and bench.rig.live() == 0


@case()
async def an_immediate_order_that_meets_nothing_does_not_rest(bench: Bench) -> None:
    """It is refused, or taken and ended at once: never left to wait."""
    signed = bench.sign(time_in_force=TimeInForce.IOC)
    try:
        await bench.venue.submit(signed)
    except Refused:
        assert bench.truth(signed.client_order_id) is None
    await bench.rig.settle()
    assert bench.rig.live() == 0 and bench.rig.held() == 0
    seen = await bench.venue.query(signed.client_order_id)
    assert seen is None or seen.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)


@case()
async def an_order_till_cancelled_rests_and_stays(bench: Bench) -> None:
    name = await bench.place(time_in_force=TimeInForce.GTC)
    await bench.clock.sleep(600.0)
    assert await bench.open_names() == [name]


@case()
async def a_market_order_acts_at_once_or_not_at_all(bench: Bench) -> None:
    name = await bench.buy()
    assert bench.filled(name) == LOT and bench.rig.live() == 0


@case()
async def a_market_order_beyond_its_bound_does_nothing(bench: Bench) -> None:
    signed = bench.sign(
        order_type=OrderType.MARKET, limit_price=Decimal(59_500), time_in_force=TimeInForce.IOC
    )
    try:
        await bench.venue.submit(signed)
    except Refused:
        assert bench.truth(signed.client_order_id) is None
    await bench.rig.settle()
    assert bench.rig.live() == 0 and bench.rig.held() == 0


@case(Need.REDUCE_ONLY)
async def reduce_only_closes_a_position(bench: Bench) -> None:
    await bench.buy()
    name = await bench.sell()
    assert bench.filled(name) == LOT and bench.rig.held() == 0


@case(Need.REDUCE_ONLY)
async def reduce_only_never_turns_a_position_over(bench: Bench) -> None:
    await bench.buy()
    name = await bench.sell(3 * LOT)
    assert bench.filled(name) == LOT and bench.rig.held() == 0 and bench.rig.live() == 0


@case(Need.REDUCE_ONLY)
async def reduce_only_without_a_position_is_refused(bench: Bench) -> None:
    refusal = await bench.refused(side=Side.SELL, reduce_only=True, limit_price=Decimal(61_000))
    assert refusal.code == bench.terms.codes["nothing_to_reduce"]


@case(Need.REDUCE_ONLY)
async def reduce_only_on_the_side_that_is_held_is_refused(bench: Bench) -> None:
    await bench.buy()
    refusal = await bench.refused(reduce_only=True)
    assert refusal.code == bench.terms.codes["nothing_to_reduce"]
    assert bench.rig.held() == LOT


@case(Need.MARGIN)
async def a_sale_without_a_position_opens_a_short(bench: Bench) -> None:
    name = await bench.sell(reduce_only=False)
    assert bench.filled(name) == LOT and bench.rig.held() == -LOT
    (position,) = (await bench.venue.account()).positions
    assert position.quantity == -LOT


@case()
async def a_sale_of_more_than_is_held_never_sells_it(bench: Bench) -> None:
    """As a closing order: reduced to what is held, or refused; nothing short comes of it."""
    await bench.buy()
    signed = bench.sign(
        side=Side.SELL,
        reduce_only=True,
        quantity=2 * LOT,
        order_type=OrderType.MARKET,
        limit_price=Decimal(59_900),
        time_in_force=TimeInForce.IOC,
    )
    try:
        await bench.venue.submit(signed)
    except Refused:
        assert bench.rig.held() == LOT
    await bench.rig.settle()
    assert bench.rig.held() in (0, LOT) and bench.rig.live() == 0


@case(Need.DEAD_MAN)
async def the_venues_dead_mans_switch_cancels_when_it_is_not_armed_anew(bench: Bench) -> None:
    await bench.place()
    assert await bench.venue.cancel_all_after(60)
    await bench.clock.sleep(55.0)
    await bench.venue.time_ns()
    assert bench.rig.live() == 1
    await bench.clock.sleep(6.0)
    await bench.venue.open_orders()
    assert bench.rig.live() == 0
