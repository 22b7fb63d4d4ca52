"""Reconnect: a break is told, it heals by itself, and what happened meanwhile is found by asking."""

from __future__ import annotations

from tests.conformance.bench import INSIDE, LOT, Bench
from tests.conformance.suite import case
from venues.sandbox.pushes import PushStrike
from venues.types import Fill, Quote, Side


async def _heals(bench: Bench) -> None:
    await bench.until(lambda: bench.states[-1:] == [True])


@case()
async def a_broken_stream_is_told_and_heals(bench: Bench) -> None:
    bench.rig.break_streams()
    await bench.until(lambda: bench.states[-1:] == [False])
    await _heals(bench)
    name = await bench.buy()
    assert bench.filled(name) == LOT


@case()
async def what_was_missed_is_found_by_asking(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    bench.rig.break_streams()
    bench.rig.hit(Side.BUY, INSIDE, LOT)
    await _heals(bench)
    listed = [fill for fill in await bench.venue.fills_since(0) if fill.client_order_id == name]
    assert sum(fill.quantity for fill in listed) == LOT and not await bench.open_names()


@case()
async def three_breaks_in_a_row_heal(bench: Bench) -> None:
    for _ in range(3):
        bench.rig.break_streams()
        await bench.until(lambda: bench.states[-1:] == [False])
        await _heals(bench)
    assert bench.states.count(False) >= 3
    assert bench.filled(await bench.buy()) == LOT


@case()
async def rubbish_about_our_orders_breaks_the_link(bench: Bench) -> None:
    before = bench.states.count(False)
    bench.rig.push(PushStrike.GARBAGE)
    name = await bench.place(limit_price=INSIDE)
    await bench.until(lambda: bench.states.count(False) > before)
    bench.rig.hit(Side.BUY, INSIDE, LOT)
    await bench.clock.sleep(1.0)
    listed = await bench.venue.fills_since(0)
    assert {fill.client_order_id for fill in listed} == {name}


@case()
async def a_repeated_message_changes_nothing(bench: Bench) -> None:
    for nth in range(1, 4):
        bench.rig.push(PushStrike.DUPLICATE, nth=nth)
    name = await bench.buy()
    assert bench.filled(name) == LOT == bench.rig.held()
    assert len(bench.fills(name)) == len(await bench.venue.fills_since(0))


@case()
async def a_lost_message_is_noticed_or_found_by_asking(bench: Bench) -> None:
    for nth in range(1, 4):
        bench.rig.push(PushStrike.DROP, nth=nth)
    name = await bench.buy()
    await bench.buy()
    await bench.clock.sleep(1.0)
    listed = [fill for fill in await bench.venue.fills_since(0) if fill.client_order_id == name]
    assert sum(fill.quantity for fill in listed) == LOT


@case()
async def messages_in_the_wrong_order_change_nothing(bench: Bench) -> None:
    bench.rig.push(PushStrike.SWAP)
    await bench.buy()
    await bench.buy()
    await bench.clock.sleep(1.0)
    listed = {fill.fill_id: fill.quantity for fill in await bench.venue.fills_since(0)}
    told = {fill.fill_id: fill.quantity for fill in bench.of(Fill)}
    assert sum(listed.values()) == 2 * LOT == bench.rig.held()
    assert set(told) <= set(listed)


@case()
async def quotes_go_on_after_a_break(bench: Bench) -> None:
    bench.rig.break_streams()
    await bench.clock.sleep(1.0)
    before = len(bench.market)
    bench.rig.quote(60_100.0, 60_110.0)
    await bench.clock.sleep(0.2)
    assert [e for e in bench.market[before:] if isinstance(e, Quote) and e.symbol == bench.terms.symbol]


@case()
async def questions_are_answered_while_the_stream_is_down(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.break_streams()
    assert await bench.open_names() == [name]
    assert (await bench.venue.account()).equity_usd > 0
