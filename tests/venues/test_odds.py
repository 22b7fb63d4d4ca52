"""What the paper venue draws (AQ-17, AQ-18): seeded latency, parts that never over-fill, bounded slippage."""

from __future__ import annotations

import asyncio
import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seams.clock import NS_PER_MS, FixedClock
from tests.venues.paper_orders import T0, D, fills, limit, order
from venues.contract import OutcomeUnknown, Refused
from venues.sandbox.odds import Odds
from venues.sandbox.script import FaultKind
from venues.sandbox.venue import SandboxVenue
from venues.types import (
    BarOpen,
    Cancelled,
    OrderEvent,
    OrderStatus,
    Quote,
    Side,
    TimeInForce,
)

LOT = D("0.0001")
HALVES = Odds(partial_fill_probability=1.0)
NAMES = [f"SBX-{number:06d}" for number in range(1, 2_001)]


def quote(at_ms: float, ask: float = 60_001.0) -> Quote:
    return Quote(symbol="BTC-PERP", at_ns=T0 + round(at_ms * NS_PER_MS), bid=ask - 2.0, ask=ask)


def venue_of(odds: Odds, **options: object) -> tuple[SandboxVenue, list[OrderEvent]]:
    words = {"fill_at": "next_quote", "slippage_bps": 1.0, "odds": odds} | options
    venue, events = SandboxVenue(FixedClock(T0), **words), []  # type: ignore[arg-type]
    venue.on_order_event(events.append)
    return venue, events


@given(st.integers(), st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_a_latency_lies_between_its_bounds_and_is_the_same_again(seed: int, one: float, two: float) -> None:
    low, high = sorted((one, two))
    odds = Odds(seed=seed, min_latency_ms=low, max_latency_ms=high)
    drawn = odds.latency_ns("SBX-000001")
    assert drawn == Odds(seed=seed, min_latency_ms=low, max_latency_ms=high).latency_ns("SBX-000001")
    if high == 0.0:
        assert drawn == 0
    else:
        assert max(1, round(low * NS_PER_MS)) <= drawn <= max(1, round(high * NS_PER_MS))


def test_latencies_cover_their_range_evenly_and_differ_by_seed() -> None:
    drawn = [Odds(min_latency_ms=35.0, max_latency_ms=125.0).latency_ns(name) / NS_PER_MS for name in NAMES]
    assert sum(drawn) / len(drawn) == pytest.approx(80.0, abs=3.0)
    assert min(drawn) < 37.0 and max(drawn) > 123.0
    other = Odds(seed=1, min_latency_ms=35.0, max_latency_ms=125.0)
    assert other.latency_ns(NAMES[0]) / NS_PER_MS != drawn[0]


@given(st.integers(), st.integers(1, 10_000), st.floats(0.0, 1.0))
def test_a_first_part_is_whole_lots_and_never_more_than_the_order(
    seed: int, lots: int, probability: float
) -> None:
    quantity = LOT * lots
    part = Odds(seed=seed, partial_fill_probability=probability).first_part("SBX-000007", quantity, LOT)
    assert 0 < part <= quantity and part % LOT == 0
    assert part == Odds(seed=seed, partial_fill_probability=probability).first_part(
        "SBX-000007", quantity, LOT
    )


def test_parts_come_as_often_and_as_large_as_they_should() -> None:
    odds = Odds(partial_fill_probability=0.15)
    parts = [odds.first_part(name, D(1), LOT) for name in NAMES]
    split = [part for part in parts if part < 1]
    assert len(split) / len(NAMES) == pytest.approx(0.15, abs=0.02)
    assert all(D("0.2999") <= part <= D("0.9") for part in split)
    assert min(split) < D("0.33") and max(split) > D("0.87")


@given(st.integers(), st.integers(0, 5), st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_slippage_is_adverse_and_within_its_bound(seed: int, part: int, mean: float, bound: float) -> None:
    drawn = Odds(seed=seed, max_slippage_bps=bound).slippage_bps("SBX-000001", part, mean)
    assert 0.0 <= drawn <= bound
    assert Odds(seed=seed).slippage_bps("SBX-000001", part, mean) == mean


def test_slippage_has_its_mean_where_the_bound_is_far() -> None:
    drawn = [Odds(max_slippage_bps=18.0).slippage_bps(name, 0, 1.0) for name in NAMES]
    assert sum(drawn) / len(drawn) == pytest.approx(1.0, abs=0.05) and max(drawn) > 2.5


def test_mishaps_come_as_often_as_they_should_and_both_kinds_of_silence() -> None:
    odds = Odds(reject_probability=0.1, timeout_probability=0.2)
    met = [fault.kind for fault in map(odds.mishap, range(2_000)) if fault is not None]
    assert met.count(FaultKind.REJECT) / 2_000 == pytest.approx(0.1, abs=0.02)
    lost, kept = met.count(FaultKind.DROP_WITHOUT_APPLY), met.count(FaultKind.APPLY_THEN_DROP)
    assert (lost + kept) / 2_000 == pytest.approx(0.2, abs=0.02) and min(lost, kept) > 150


async def test_an_order_acts_at_the_first_event_after_its_latency() -> None:
    odds = Odds(min_latency_ms=35.0, max_latency_ms=125.0)
    venue, events = venue_of(odds, slippage_bps=0.0)
    venue.on_market(quote(0))
    await venue.submit(order("A"))
    late_ms = odds.latency_ns("SBX-000001") / NS_PER_MS
    venue.on_market(quote(0, ask=60_000.0))
    venue.on_market(quote(late_ms - 0.5, ask=60_050.0))
    assert not fills(events), "it is still on its way"
    venue.on_market(quote(late_ms + 0.5, ask=60_100.0))
    assert [fill.price for fill in fills(events)] == [D(60_100)], "the price that it meets, not the one seen"


async def test_an_order_on_its_way_can_be_cancelled_and_a_limit_does_not_fill_before_it_is_there() -> None:
    venue, events = venue_of(Odds(min_latency_ms=100.0, max_latency_ms=100.0))
    venue.on_market(quote(0))
    await venue.submit(limit("A", "59950"))
    venue.on_market(quote(50, ask=59_900.0))
    assert not fills(events)
    await venue.submit(limit("B", "59800"))
    venue.on_market(quote(120, ask=59_900.0))
    assert [fill.client_order_id for fill in fills(events)] == ["A"]
    await venue.cancel("B")
    venue.on_market(quote(500, ask=59_000.0))
    assert [fill.client_order_id for fill in fills(events)] == ["A"]


async def test_what_is_left_of_an_order_stays_at_work_and_is_told() -> None:
    venue, events = venue_of(HALVES, slippage_bps=0.0)
    await venue.submit(order("A"))
    venue.on_market(quote(0, ask=60_000.0))
    (first,) = fills(events)
    assert D("0.15") <= first.quantity < D("0.45")
    shown = await venue.query("A")
    assert shown is not None and (shown.status, shown.filled) == (OrderStatus.PARTIAL, first.quantity)
    assert [each.client_order_id for each in await venue.open_orders()] == ["A"]
    venue.on_market(quote(250, ask=60_010.0))
    assert [fill.price for fill in fills(events)] == [D(60_000), D(60_010)]
    assert sum((fill.quantity for fill in fills(events)), D(0)) == D("0.5")
    assert venue.journal["A"].status is OrderStatus.FILLED and not await venue.open_orders()


async def test_what_is_left_beyond_the_bound_is_cancelled_and_says_what_was_filled() -> None:
    venue, events = venue_of(HALVES, slippage_bps=0.0)
    await venue.submit(order("A", limit_price=D(60_005)))
    venue.on_market(quote(0, ask=60_000.0))
    venue.on_market(quote(250, ask=60_010.0))
    (first,) = fills(events)
    assert isinstance(events[-1], Cancelled)
    assert (events[-1].reason, events[-1].filled) == ("price_bound", first.quantity)


async def test_a_limit_that_may_not_rest_gives_back_what_is_left() -> None:
    venue, events = venue_of(HALVES)
    await venue.submit(limit("A", "60000", time_in_force=TimeInForce.IOC))
    venue.on_market(quote(0, ask=59_990.0))
    (first,) = fills(events)
    assert isinstance(events[-1], Cancelled)
    assert (events[-1].reason, events[-1].filled) == ("ioc_unfilled", first.quantity)


async def test_a_refused_order_and_one_without_an_answer_draw_anew_when_sent_again() -> None:
    """An order that never arrived has no number of its own: the next must not meet its fate for ever."""
    venue, _ = venue_of(Odds(reject_probability=0.5, timeout_probability=0.4))
    arrived = 0
    for number in range(60):
        with contextlib.suppress(Refused, OutcomeUnknown):
            await venue.submit(order(f"O{number}", quantity=D("0.001")))
            arrived += 1
    assert 0 < arrived < 30


async def test_a_session_again_draws_the_same() -> None:
    async def trade(seed: int) -> list[tuple[Decimal, Decimal]]:
        odds = Odds(
            seed=seed,
            min_latency_ms=35.0,
            max_latency_ms=125.0,
            partial_fill_probability=0.5,
            max_slippage_bps=18.0,
        )
        venue, events = venue_of(odds)
        for number in range(20):
            venue.on_market(quote(number * 50, ask=60_000.0 + number))
            await venue.submit(order(f"O{seed}-{number}", quantity=D("0.01")))
        venue.on_market(quote(5_000))
        venue.on_market(quote(5_250))
        return [(fill.quantity, fill.price) for fill in fills(events)]

    first = await trade(7)
    assert len(first) > 25 and first == await trade(7) != await trade(8)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(0, 7), st.sampled_from(list(Side)), st.integers(1, 40)),
        st.tuples(st.just("limit"), st.integers(8, 15), st.sampled_from(list(Side)), st.integers(1, 40)),
        st.tuples(st.just("quote"), st.integers(0, 300), st.just(Side.BUY), st.integers(90, 110)),
        st.tuples(st.just("cancel"), st.integers(0, 15), st.just(Side.BUY), st.integers(0, 0)),
        st.tuples(st.just("restart"), st.integers(0, 0), st.just(Side.BUY), st.integers(0, 0)),
    ),
    max_size=60,
)
ODDS = st.builds(
    Odds,
    seed=st.integers(0, 1_000),
    min_latency_ms=st.just(0.0),
    max_latency_ms=st.sampled_from([0.0, 125.0]),
    partial_fill_probability=st.sampled_from([0.0, 0.15, 1.0]),
    max_slippage_bps=st.sampled_from([None, 0.0, 18.0]),
    reject_probability=st.sampled_from([0.0, 0.2]),
    timeout_probability=st.sampled_from([0.0, 0.3]),
)


@given(STEPS, ODDS)
def test_whatever_is_drawn_nothing_is_filled_beyond_its_order_and_nothing_is_lost(
    steps: list[tuple[str, int, Side, int]], odds: Odds
) -> None:
    venue, events = venue_of(odds)
    at_ms = 0.0
    for what, number, side, amount in steps:
        oid, lots = f"O{number}", D(amount) / 1_000
        if what == "quote":
            at_ms += number
            venue.on_market(quote(at_ms, ask=amount * 600.0))
        elif what == "restart":
            state = json.loads(json.dumps(venue.export_state()))
            venue, _ = venue_of(odds)
            venue.on_order_event(events.append)
            venue.import_state(state)
        else:
            act = venue.cancel(oid)
            if what != "cancel":
                act.close()
                made = order(oid, side=side, quantity=lots, reduce_only=number % 4 == 1)
                act = venue.submit(
                    made if what == "submit" else limit(oid, "60000", side=side, quantity=lots)
                )
            with contextlib.suppress(Refused, OutcomeUnknown):
                asyncio.run(act)
    done = fills(events)
    for oid, entry in venue.journal.items():
        own = [fill.quantity for fill in done if fill.client_order_id == oid]
        assert sum(own, D(0)) == entry.filled <= entry.request.quantity and len(own) <= 2
        assert (entry.status is OrderStatus.FILLED) == (entry.filled == entry.request.quantity)
        left = entry.status in (OrderStatus.OPEN, OrderStatus.PARTIAL)
        assert left == any(each.request.client_order_id == oid for each in venue.working())
    signed = sum((fill.quantity * fill.side.sign for fill in done), D(0))
    assert sum((p.quantity for p in asyncio.run(venue.account()).positions), D(0)) == signed


async def test_without_odds_an_order_fills_whole_at_the_event_of_its_own_time() -> None:
    """What the parity of a replayed session and its back-test stands on."""
    venue, events = venue_of(Odds(), fill_at="next_open")
    venue.on_market(BarOpen(symbol="BTC-PERP", open_ns=T0, price=60_000.0))
    await venue.submit(order("A"))
    venue.on_market(BarOpen(symbol="BTC-PERP", open_ns=T0, price=60_000.0))
    (fill,) = fills(events)
    assert (fill.quantity, float(fill.price)) == (D("0.5"), 60_000.0 * (1 + 1e-4))
