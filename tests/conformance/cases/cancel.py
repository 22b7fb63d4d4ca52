"""Cancel: the proof comes with the stream, a lost answer is no proof, and nothing of ours stays behind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.bench import CROSS, INSIDE, Bench, OutcomeUnknown, Refused, Retryable
from tests.conformance.rig import Call
from tests.conformance.suite import case
from venues.sandbox.programs import Strike
from venues.types import OrderStatus, Side

PART = Decimal("0.004")


async def _is_gone(bench: Bench, name: str) -> None:
    truth = bench.truth(name)
    assert (truth is None or not truth.is_live) and name not in await bench.open_names()


@case()
async def a_cancel_is_proved_by_the_stream(bench: Bench) -> None:
    name = await bench.place()
    await bench.venue.cancel(name)
    await bench.rig.settle()
    (ended,) = bench.ended(name)
    assert ended.filled in (None, 0) and ended.reason
    await _is_gone(bench, name)
    assert (await bench.seen(name)).status is OrderStatus.CANCELLED


@case()
async def a_second_cancel_is_refused(bench: Bench) -> None:
    name = await bench.place()
    await bench.venue.cancel(name)
    await bench.rig.settle()
    with pytest.raises(Refused) as refused:
        await bench.venue.cancel(name)
    assert refused.value.code == bench.terms.codes["ended"]


@case()
async def a_name_nobody_knows_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        await bench.venue.cancel("O-9-9999")
    assert refused.value.code == "unknown_order"


@case()
async def a_filled_order_cannot_be_cancelled(bench: Bench) -> None:
    name = await bench.place(limit_price=CROSS)
    with pytest.raises(Refused) as refused:
        await bench.venue.cancel(name)
    assert refused.value.code == bench.terms.codes["ended"]
    assert (await bench.seen(name)).status is OrderStatus.FILLED


@case()
async def a_part_filled_order_is_cancelled_with_what_it_got(bench: Bench) -> None:
    name = await bench.place(limit_price=INSIDE)
    bench.rig.hit(Side.BUY, INSIDE, PART)
    await bench.rig.settle()
    await bench.venue.cancel(name)
    await bench.rig.settle()
    (ended,) = bench.ended(name)
    assert ended.filled in (None, PART) and bench.filled(name) == PART == bench.rig.held()
    await _is_gone(bench, name)


@case()
async def a_cancel_is_found_before_the_lists_show_its_order(bench: Bench) -> None:
    bench.rig.lag(1.0)
    signed = bench.sign()
    await bench.venue.submit(signed)
    await bench.venue.cancel(signed.client_order_id)
    assert bench.rig.live() == 0


@case()
async def everything_is_cancelled_whoever_placed_it(bench: Bench) -> None:
    for step in range(3):
        await bench.place(limit_price=Decimal(59_000 - step))
    bench.rig.foreign()
    assert bench.rig.live() == 4
    await bench.venue.cancel_all()
    await bench.rig.settle()
    assert bench.rig.live() == 0 and not await bench.venue.open_orders()


@case()
async def cancelling_everything_twice_is_harmless(bench: Bench) -> None:
    await bench.place()
    await bench.venue.cancel_all()
    await bench.venue.cancel_all()
    assert bench.rig.live() == 0


@case()
async def a_lost_answer_to_a_cancel_is_said_and_it_may_be_repeated(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.strike(Call.CANCEL, Strike.DROP_WITHOUT_APPLY)
    with pytest.raises(OutcomeUnknown):
        await bench.venue.cancel(name)
    assert bench.rig.live() == 1
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0


@case()
async def a_cancel_whose_answer_was_lost_is_told_by_the_stream(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.strike(Call.CANCEL, Strike.APPLY_THEN_DROP)
    with pytest.raises(OutcomeUnknown):
        await bench.venue.cancel(name)
    await bench.rig.settle()
    assert bench.ended(name)
    await _is_gone(bench, name)


@case()
async def a_cancel_over_a_cut_wire_is_proved_unsent(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.cut(True)
    with pytest.raises(Retryable):
        await bench.venue.cancel(name)
    bench.rig.cut(False)
    assert bench.rig.live() == 1


@case()
async def a_foreign_order_is_cancelled_by_the_name_it_is_told_with(bench: Bench) -> None:
    bench.rig.foreign()
    await bench.rig.settle()
    (name,) = await bench.open_names()
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0
