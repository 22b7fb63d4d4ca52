"""Submit: the signed bytes leave at most once, as they are, and what they did is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.bench import CROSS, LOT, REST, Bench, Retryable, silenced
from tests.conformance.suite import case
from venues.types import Accepted, Fill, OrderStatus, Side


@case()
async def an_order_is_acknowledged_under_our_name(bench: Bench) -> None:
    name = await bench.place()
    told = bench.of(Accepted, name)
    assert told and len({each.venue_order_id for each in told}) == 1 and told[0].venue_order_id
    assert (await bench.seen(name)).venue_order_id == told[0].venue_order_id


@case()
async def it_is_at_the_venue_once_and_as_asked(bench: Bench) -> None:
    name = await bench.place()
    truth = bench.truth(name)
    assert truth is not None and len(bench.rig.truths(name)) == bench.rig.live() == 1
    assert (truth.side, truth.quantity, truth.price, truth.is_live) == (Side.BUY, LOT, REST, True)


@case()
async def signing_sends_nothing(bench: Bench) -> None:
    for _ in range(20):
        bench.sign()
    await bench.rig.settle()
    assert not bench.rig.sent() and not bench.rig.live()


@case()
async def signing_says_what_was_signed(bench: Bench) -> None:
    request, nonce = bench.request(), bench.nonce()
    until_ns = bench.clock.now_ns() + 10_000_000_000
    signed = bench.venue.sign(request, nonce, until_ns)
    assert (signed.client_order_id, signed.nonce) == (request.client_order_id, nonce)
    assert signed.valid_until_ns == until_ns and signed.wire


@case()
async def the_same_order_is_signed_as_the_same_bytes(bench: Bench) -> None:
    request, nonce = bench.request(), bench.nonce()
    first, second = (bench.venue.sign(request, nonce, 0) for _ in range(2))
    assert first.wire == second.wire
    assert bench.venue.sign(request, nonce + 1, 0).wire != first.wire


@case()
async def what_leaves_is_what_was_signed(bench: Bench) -> None:
    signed = bench.sign()
    await bench.venue.submit(signed)
    assert bench.rig.sent() == [signed.wire]


@case()
async def a_closed_gate_keeps_the_bytes_here(bench: Bench) -> None:
    signed = bench.sign()
    with pytest.raises(Retryable):
        await bench.venue.submit(signed, lambda: False)
    assert not bench.rig.sent() and not bench.rig.live()
    await bench.venue.submit(signed)
    assert bench.rig.live() == 1


@case()
async def a_cut_wire_is_proved_unsent(bench: Bench) -> None:
    signed = bench.sign()
    bench.rig.cut(True)
    with pytest.raises(Retryable):
        await bench.venue.submit(signed)
    bench.rig.cut(False)
    await bench.venue.submit(signed)
    assert bench.rig.live() == len(bench.rig.sent()) == 1


@case()
async def an_order_that_crosses_fills_and_all_sources_agree(bench: Bench) -> None:
    name = await bench.place(limit_price=CROSS)
    told = bench.fills(name)
    assert sum(fill.quantity for fill in told) == LOT == bench.rig.held()
    assert all(0 < fill.price <= CROSS and fill.symbol == bench.terms.symbol for fill in told)
    listed = [each for each in await bench.venue.fills_since(0) if each.client_order_id == name]
    assert {(f.fill_id, f.quantity, f.price, f.fee) for f in listed} == {
        (f.fill_id, f.quantity, f.price, f.fee) for f in told
    }
    seen = await bench.seen(name)
    assert (seen.status, seen.filled) == (OrderStatus.FILLED, LOT)


@case()
async def the_account_holds_what_was_filled(bench: Bench) -> None:
    before = await bench.venue.account()
    name = await bench.buy()
    after = await bench.venue.account()
    assert [(p.symbol, p.quantity) for p in after.positions] == [(bench.terms.symbol, LOT)]
    paid = sum((fill.fee for fill in bench.fills(name)), Decimal(0))
    if bench.capabilities.pays_in_full:
        paid += sum((fill.quantity * fill.price for fill in bench.fills(name)), Decimal(0))
    assert abs(before.cash_usd - paid - after.cash_usd) < Decimal("0.001")


@case()
async def what_was_bought_can_be_sold_to_the_last_lot(bench: Bench) -> None:
    await bench.buy()
    name = await bench.sell()
    assert bench.filled(name) == LOT and not bench.rig.held()
    assert not (await bench.venue.account()).positions


@case()
async def a_market_order_never_passes_its_bound(bench: Bench) -> None:
    name = await bench.buy(Decimal(5), limit_price=Decimal(60_010))
    assert all(fill.price <= 60_010 for fill in bench.fills(name))
    assert not bench.rig.live()


@case()
async def many_orders_at_once_are_each_placed_once(bench: Bench) -> None:
    signed = [bench.sign(limit_price=REST - step) for step in range(20)]
    said = await silenced(*(bench.venue.submit(each) for each in signed))
    await bench.rig.settle()
    assert said == [None] * 20 and bench.rig.live() == len(bench.rig.sent()) == 20
    assert sorted(await bench.open_names()) == sorted(each.client_order_id for each in signed)


@case()
async def every_execution_has_a_name_of_its_own(bench: Bench) -> None:
    for _ in range(3):
        await bench.buy()
    told = {fill.fill_id: fill for fill in bench.of(Fill)}
    assert sum(fill.quantity for fill in told.values()) == 3 * LOT == bench.rig.held()
    assert {fill.fill_id for fill in await bench.venue.fills_since(0)} == set(told)
