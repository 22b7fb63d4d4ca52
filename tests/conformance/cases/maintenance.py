"""Maintenance: a closed venue acts on nothing, says so, and is traded on again when it opens."""

from __future__ import annotations

import pytest

from tests.conformance.bench import Bench, OutcomeUnknown, Refused, Retryable
from tests.conformance.rig import Halt
from tests.conformance.suite import case

NOT_NOW = (OutcomeUnknown, Retryable, Refused)


@case()
async def a_closed_venue_places_nothing(bench: Bench) -> None:
    bench.rig.halt(Halt.VENUE)
    signed = bench.sign()
    with pytest.raises(NOT_NOW):
        await bench.venue.submit(signed)
    assert bench.truth(signed.client_order_id) is None and bench.rig.live() == 0


@case()
async def when_it_opens_again_orders_pass(bench: Bench) -> None:
    bench.rig.halt(Halt.VENUE)
    with pytest.raises(NOT_NOW):
        await bench.place()
    bench.rig.halt(Halt.NOTHING)
    await bench.place()
    assert bench.rig.live() == 1


@case()
async def a_closed_venues_silence_is_no_empty_list(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.halt(Halt.VENUE)
    try:
        assert await bench.open_names() == [name]
    except NOT_NOW:
        bench.rig.halt(Halt.NOTHING)
        assert await bench.open_names() == [name]


@case()
async def a_cancel_at_a_closed_venue_is_never_said_to_be_done(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.halt(Halt.VENUE)
    with pytest.raises(NOT_NOW):
        await bench.venue.cancel(name)
    bench.rig.halt(Halt.NOTHING)
    assert bench.rig.live() == 1
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0


@case()
async def a_closed_market_refuses_with_its_code(bench: Bench) -> None:
    bench.rig.halt(Halt.MARKET)
    assert (await bench.refused()).code == bench.terms.codes["halted"]
    assert bench.rig.live() == 0


@case()
async def what_rests_in_a_closed_market_can_be_cancelled(bench: Bench) -> None:
    name = await bench.place()
    bench.rig.halt(Halt.MARKET)
    await bench.venue.cancel(name)
    assert bench.rig.live() == 0


@case()
async def streams_that_are_closed_for_maintenance_come_back(bench: Bench) -> None:
    bench.rig.halt(Halt.VENUE)
    bench.rig.break_streams()
    await bench.clock.sleep(3.0)
    bench.rig.halt(Halt.NOTHING)
    await bench.until(lambda: bench.states[-1:] == [True], patience_s=20.0)
    assert bench.filled(await bench.buy()) > 0
