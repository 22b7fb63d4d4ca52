"""Rate limits: questions keep below the venue's budget; orders and cancels always find room."""

from __future__ import annotations

import pytest

from tests.conformance.bench import Bench, OutcomeUnknown, Refused, Retryable, silenced
from tests.conformance.rig import Call
from tests.conformance.suite import Need, case
from venues.sandbox.programs import Strike

MANY = 400
ROOM_AGAIN_S = 65.0


async def _exhaust(bench: Bench) -> int:
    """Ask until the adapter says that there is no more room; return how often it was answered."""
    for count in range(MANY):
        try:
            await bench.venue.fills_since(0)
            await bench.venue.open_orders()
        except Retryable:
            return count
        began_ns = bench.clock.monotonic_ns()
        await bench.venue.account()
        if bench.clock.monotonic_ns() - began_ns > 500_000_000:
            return count  # it waits for room
    raise AssertionError("the budget has no end")


@case(Need.BUDGET, is_limited=True)
async def questions_stop_before_the_venue_refuses_them(bench: Bench) -> None:
    await _exhaust(bench)
    said = await silenced(*(bench.venue.open_orders() for _ in range(20)))
    kept = [each for each in said if isinstance(each, Exception)]
    assert all(isinstance(each, Retryable) and "used up" not in str(each) for each in kept), kept


@case(Need.BUDGET, is_limited=True)
async def cancels_find_room_when_questions_do_not(bench: Bench) -> None:
    name = await bench.place()
    await _exhaust(bench)
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0


@case(Need.BUDGET, is_limited=True)
async def orders_find_room_when_questions_do_not(bench: Bench) -> None:
    await _exhaust(bench)
    await bench.place()
    assert bench.rig.live() == 1


@case(Need.BUDGET, is_limited=True)
async def room_comes_back_with_time(bench: Bench) -> None:
    await _exhaust(bench)
    await bench.clock.sleep(ROOM_AGAIN_S)
    began_ns = bench.clock.monotonic_ns()
    await bench.venue.open_orders()
    assert bench.clock.monotonic_ns() - began_ns < 500_000_000


@case()
async def a_question_that_the_venue_refuses_for_its_rate_is_no_answer(bench: Bench) -> None:
    await bench.place()
    for nth in range(1, 4):
        bench.rig.strike(Call.OPEN, Strike.STATUS_WITHOUT_APPLY, value=429, nth=nth)
    with pytest.raises((Retryable, Refused, OutcomeUnknown)):
        await bench.venue.open_orders()


@case()
async def a_cancel_that_the_venue_refuses_for_its_rate_is_said(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.strike(Call.CANCEL, Strike.STATUS_WITHOUT_APPLY, value=429)
    with pytest.raises((Retryable, Refused, OutcomeUnknown)):
        await bench.venue.cancel(name)
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0
