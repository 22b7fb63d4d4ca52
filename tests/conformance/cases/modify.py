"""Modify: an order is changed by one request where the venue has one, else by a cancel and another order;
either way never two of them act, and what became of the old one is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.bench import CROSS, LOT, REST, Bench, Refused
from tests.conformance.rig import Call
from tests.conformance.suite import Need, case
from venues.contract import AlreadySeen, Signed
from venues.sandbox.programs import Strike
from venues.types import OrderStatus

NEW = REST - 500


def _change(bench: Bench, old: str, **changes: object) -> Signed:
    until_ns = bench.clock.now_ns() + 10_000_000_000
    return bench.venue.sign_change(
        bench.request(**{"limit_price": NEW} | changes), old, bench.nonce(), until_ns
    )


@case(Need.REPLACE)
async def a_change_puts_one_order_in_the_place_of_another(bench: Bench) -> None:
    old = await bench.place()
    signed = _change(bench, old)
    await bench.venue.submit(signed)
    await bench.rig.settle()
    truth = bench.truth(signed.client_order_id)
    assert truth is not None and (truth.price, truth.is_live, bench.rig.live()) == (NEW, True, 1)
    assert bench.ended(old), "the old one's end is told"
    assert await bench.open_names() == [signed.client_order_id]


@case(Need.REPLACE)
async def a_change_may_make_an_order_smaller(bench: Bench) -> None:
    old = await bench.place(quantity=2 * LOT)
    signed = _change(bench, old, quantity=LOT)
    await bench.venue.submit(signed)
    await bench.rig.settle()
    truth = bench.truth(signed.client_order_id)
    assert truth is not None and truth.quantity == LOT and bench.rig.live() == 1


@case(Need.REPLACE)
async def an_order_that_has_ended_is_not_changed(bench: Bench) -> None:
    old = await bench.place(limit_price=CROSS)
    refusal = await bench.refusal_of(_change(bench, old))
    assert refusal.code == bench.terms.codes["ended"]
    assert bench.rig.live() == 0 and bench.rig.held() == LOT, "no second order came of it"


@case(Need.REPLACE)
async def a_refused_change_tells_what_became_of_the_old_order(bench: Bench) -> None:
    """The phantom cancel: a venue may end the old order and then refuse the new one."""
    old = await bench.place()
    signed = _change(bench, old, quantity=Decimal(1_000))
    await bench.refusal_of(signed)
    await bench.rig.settle()
    truth = bench.truth(old)
    assert truth is not None and bench.truth(signed.client_order_id) is None
    assert bool(bench.ended(old)) is not truth.is_live, "its end is told if, and only if, it has ended"
    assert (old in await bench.open_names()) is truth.is_live


@case(Need.REPLACE)
async def a_change_in_doubt_acts_at_most_once(bench: Bench) -> None:
    old = await bench.place()
    bench.rig.strike(Call.SUBMIT, Strike.APPLY_THEN_DROP)
    signed = _change(bench, old)
    await bench.doubt(signed)
    with pytest.raises(AlreadySeen):
        await bench.venue.submit(signed)
    assert bench.rig.live() == 1 and (await bench.seen(signed.client_order_id)).status is OrderStatus.OPEN


@case()
async def cancel_and_another_order_change_one_everywhere(bench: Bench) -> None:
    old = await bench.place()
    await bench.venue.cancel(old)
    await bench.rig.settle()
    assert bench.ended(old), "only what has ended is replaced"
    new = await bench.place(limit_price=NEW)
    assert await bench.open_names() == [new] and bench.rig.live() == 1


@case()
async def what_filled_before_its_cancel_is_not_replaced(bench: Bench) -> None:
    old = await bench.place()
    bench.rig.quote(58_000.0, 58_010.0)
    await bench.rig.settle()
    with pytest.raises(Refused) as refused:
        await bench.venue.cancel(old)
    assert refused.value.code == bench.terms.codes["ended"]
    assert (await bench.seen(old)).filled == LOT == bench.rig.held()


@case()
async def a_change_of_an_order_nobody_knows_places_nothing(bench: Bench) -> None:
    await bench.refusal_of(_change(bench, "O-9-9999"))
    await bench.rig.settle()
    assert bench.rig.live() == 0
