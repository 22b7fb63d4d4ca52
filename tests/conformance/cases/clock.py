"""Clock: the venue's own time is asked for and told, and bytes die when they say so, by that clock."""

from __future__ import annotations

import pytest

from seams.clock import NS_PER_S
from tests.conformance.bench import Bench, OutcomeUnknown, Refused
from tests.conformance.suite import case
from venues.types import Accepted, Cancelled, Fill


@case()
async def the_venues_clock_is_told(bench: Bench) -> None:
    assert abs(await bench.venue.time_ns() - bench.clock.now_ns()) < NS_PER_S


@case()
async def a_venue_that_is_ahead_is_seen_to_be(bench: Bench) -> None:
    bench.rig.venue_clock.ahead_s = 30.0
    ahead_ns = await bench.venue.time_ns() - bench.clock.now_ns()
    assert abs(ahead_ns - 30 * NS_PER_S) < NS_PER_S


@case()
async def a_venue_that_is_behind_is_seen_to_be(bench: Bench) -> None:
    bench.rig.venue_clock.ahead_s = -20.0
    behind_ns = bench.clock.now_ns() - await bench.venue.time_ns()
    assert abs(behind_ns - 20 * NS_PER_S) <= NS_PER_S


@case()
async def the_venues_clock_goes_on(bench: Bench) -> None:
    first = await bench.venue.time_ns()
    await bench.clock.sleep(5.0)
    assert abs(await bench.venue.time_ns() - first - 5 * NS_PER_S) < NS_PER_S


@case()
async def late_bytes_are_not_admitted(bench: Bench) -> None:
    assert bench.capabilities.has_expiry
    signed = bench.sign(valid_s=10.0)
    await bench.clock.sleep(11.5)
    with pytest.raises((Refused, OutcomeUnknown)):
        await bench.venue.submit(signed)
    assert bench.truth(signed.client_order_id) is None and bench.rig.live() == 0


@case()
async def bytes_in_time_are_admitted(bench: Bench) -> None:
    signed = bench.sign(valid_s=10.0)
    await bench.clock.sleep(8.0)
    await bench.venue.submit(signed)
    assert bench.rig.live() == 1


@case()
async def expiry_is_judged_by_the_venues_clock(bench: Bench) -> None:
    signed = bench.sign(valid_s=10.0)
    bench.rig.venue_clock.ahead_s = 15.0
    with pytest.raises((Refused, OutcomeUnknown)):
        await bench.venue.submit(signed)
    assert bench.rig.live() == 0


@case()
async def events_are_stamped_with_the_present(bench: Bench) -> None:
    name = await bench.place()
    await bench.buy()
    await bench.venue.cancel(name)
    await bench.rig.settle()
    now_ns = bench.clock.now_ns()
    for kind in (Accepted, Fill, Cancelled):
        found = bench.of(kind)
        assert found and all(abs(now_ns - each.at_ns) < 2 * NS_PER_S for each in found)
