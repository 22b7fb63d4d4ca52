"""Reject: a refusal is a proof with a stable code; nothing of the order acts, and the next one passes."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import Bench
from tests.conformance.rig import Call
from tests.conformance.suite import case
from venues.sandbox.programs import Strike
from venues.types import Fill, OrderStatus

TOO_MUCH = Decimal(1_000)


@case()
async def what_is_not_covered_is_refused(bench: Bench) -> None:
    assert (await bench.refused(quantity=TOO_MUCH)).code == bench.terms.codes["unfunded"]


@case()
async def a_refused_order_leaves_nothing(bench: Bench) -> None:
    signed = bench.sign(quantity=TOO_MUCH)
    await bench.refusal_of(signed)
    await bench.rig.settle()
    assert not bench.rig.live() and not bench.rig.held() and not bench.of(Fill)
    assert bench.truth(signed.client_order_id) is None
    assert not await bench.venue.open_orders() and not await bench.venue.fills_since(0)


@case()
async def a_refused_order_is_unknown_or_rejected_when_asked_for(bench: Bench) -> None:
    signed = bench.sign(quantity=TOO_MUCH)
    await bench.refusal_of(signed)
    seen = await bench.venue.query(signed.client_order_id)
    assert seen is None or (seen.status, seen.filled) == (OrderStatus.REJECTED, 0)


@case()
async def a_refusal_carries_the_venues_words(bench: Bench) -> None:
    refusal = await bench.refused(quantity=TOO_MUCH)
    assert refusal.message and refusal.code in str(refusal)


@case()
async def after_a_refusal_the_next_order_passes(bench: Bench) -> None:
    await bench.refused(quantity=TOO_MUCH)
    await bench.place()
    assert bench.rig.live() == 1


@case()
async def a_refusal_nobody_has_listed_is_still_one(bench: Bench) -> None:
    text = bench.rig.refusal("Never heard of before")
    bench.rig.strike(Call.SUBMIT, Strike.SAY, text=text)
    refusal = await bench.refused()
    assert refusal.code == bench.terms.codes["unlisted"] and "Never heard of" in refusal.message


@case()
async def every_refusal_has_the_same_code_each_time(bench: Bench) -> None:
    codes = {(await bench.refused(quantity=TOO_MUCH)).code for _ in range(3)}
    assert len(codes) == 1


@case()
async def many_refusals_lock_nobody_out(bench: Bench) -> None:
    for _ in range(25):
        await bench.refused(quantity=TOO_MUCH)
    await bench.place()
    assert bench.rig.live() == 1
