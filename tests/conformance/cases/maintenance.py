"""Maintenance: a closed venue acts on nothing, says so, and is traded on again when it opens."""

from __future__ import annotations

import pytest

from tests.conformance.bench import LOT, Bench, OutcomeUnknown, Refused, Retryable
from tests.conformance.rig import Halt
from tests.conformance.suite import Need, case
from venues.contract import StateTeller, Trading
from venues.types import OrderType, TimeInForce

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
    await bench.rig.settle()  # a venue that says so must be heard first
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
    await bench.rig.settle()
    assert bench.filled(await bench.buy()) > 0


def teller(bench: Bench) -> StateTeller:
    """Return our adapter as one that says how far its venue trades."""
    assert isinstance(bench.venue, StateTeller)
    return bench.venue


@case(Need.STATE)
async def what_the_venue_says_of_itself_is_heard_and_its_end_too(bench: Bench) -> None:
    told = teller(bench)
    assert told.trading is Trading.OPEN
    for what, heard in (
        (Halt.TAKERS, Trading.POST_ONLY),
        (Halt.ENTRIES, Trading.CANCEL_ONLY),
        (Halt.VENUE, Trading.MAINTENANCE),
        (Halt.NOTHING, Trading.OPEN),
    ):
        bench.rig.halt(what)
        await bench.rig.settle()
        assert told.trading is heard
    await bench.place()
    assert bench.rig.live() == 1


@case(Need.STATE)
async def an_entry_that_the_venue_said_it_refuses_does_not_leave(bench: Bench) -> None:
    for what, code in ((Halt.ENTRIES, "venue_cancel_only"), (Halt.VENUE, "venue_maintenance")):
        bench.rig.halt(what)
        await bench.rig.settle()
        assert (await bench.refused()).code == code
    assert not bench.rig.sent() and not bench.rig.live()


@case(Need.STATE)
async def cancels_and_what_reduces_are_left_to_the_venue(bench: Bench) -> None:
    """What we heard may be old: it must keep nobody from getting out."""
    name = await bench.place()
    await bench.buy()
    bench.rig.halt(Halt.ENTRIES)
    await bench.rig.settle()
    sent = len(bench.rig.sent())
    with pytest.raises(Refused):
        await bench.sell()
    assert len(bench.rig.sent()) == sent + 1, "asked for, and refused by the venue"
    await bench.venue.cancel(name)
    await bench.rig.settle()
    assert bench.rig.live() == 0 and bench.rig.held() == LOT


@case(Need.STATE)
async def while_only_resting_orders_are_taken_only_those_leave(bench: Bench) -> None:
    bench.rig.halt(Halt.TAKERS)
    await bench.rig.settle()
    takes = {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IOC}
    for changes in ({}, takes):
        assert (await bench.refused(**changes)).code == "venue_post_only"
    assert not bench.rig.sent()
    await bench.place(time_in_force=TimeInForce.POST_ONLY)
    assert bench.rig.live() == 1


@case(Need.STATE)
async def a_state_that_was_missed_is_told_by_the_next_connection_and_by_asking(bench: Bench) -> None:
    told = teller(bench)
    bench.rig.halt(Halt.ENTRIES)
    await bench.rig.settle()
    bench.rig.hush()
    bench.rig.halt(Halt.NOTHING)
    await bench.rig.settle()
    assert told.trading is Trading.CANCEL_ONLY, "the message was lost"
    assert await told.ask_trading() is Trading.OPEN is told.trading
    bench.rig.hush()
    bench.rig.halt(Halt.TAKERS)
    await bench.rig.settle()
    assert told.trading is Trading.OPEN
    bench.rig.break_streams()
    await bench.until(lambda: told.trading is Trading.POST_ONLY, patience_s=20.0)
