"""Funding and liquidation: cash and positions that move without an order of ours are told or found."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import INSIDE, LOT, Bench
from tests.conformance.suite import Need, case
from venues.contract import CashTeller
from venues.types import Side

CENT = Decimal("0.01")


def _teller(bench: Bench) -> CashTeller:
    assert isinstance(bench.venue, CashTeller), "who has funding tells it"
    return bench.venue


@case(Need.FUNDING)
async def an_hours_funding_is_told_and_is_what_the_cash_moved_by(bench: Bench) -> None:
    await bench.buy()
    before = (await bench.venue.account()).cash_usd
    await bench.rig.hour()
    (event,) = await _teller(bench).cash_events_since(0)
    assert (event.kind, event.symbol) == ("funding", bench.terms.symbol) and event.amount_usd != 0
    moved = (await bench.venue.account()).cash_usd - before
    assert abs(moved - event.amount_usd) < CENT


@case(Need.FUNDING)
async def every_hour_has_a_name_of_its_own(bench: Bench) -> None:
    await bench.buy()
    for _ in range(3):
        await bench.rig.hour()
    events = await _teller(bench).cash_events_since(0)
    assert len(events) == len({each.event_id for each in events}) == 3
    assert [each.at_ns for each in events] == sorted(each.at_ns for each in events)
    assert list(await _teller(bench).cash_events_since(0)) == list(events), "asked twice, told the same"


@case(Need.FUNDING)
async def only_funding_since_a_time_is_listed(bench: Bench) -> None:
    await bench.buy()
    await bench.rig.hour()
    since_ns = bench.clock.now_ns()
    await bench.rig.hour()
    assert len(await _teller(bench).cash_events_since(since_ns)) == 1


@case(Need.FUNDING)
async def without_a_position_nothing_is_paid(bench: Bench) -> None:
    before = (await bench.venue.account()).cash_usd
    await bench.rig.hour()
    assert not await _teller(bench).cash_events_since(0)
    assert (await bench.venue.account()).cash_usd == before


@case(Need.MARGIN)
async def a_position_that_the_venue_takes_is_gone_from_the_account(bench: Bench) -> None:
    await bench.buy()
    bench.rig.seize()
    await bench.rig.settle()
    assert bench.rig.held() == 0 and not (await bench.venue.account()).positions


@case(Need.MARGIN)
async def what_the_venue_did_by_itself_carries_no_name_of_ours(bench: Bench) -> None:
    name = await bench.buy()
    bench.rig.seize()
    await bench.rig.settle()
    others = [f for f in await bench.venue.fills_since(0) if f.client_order_id != name]
    assert all(not fill.client_order_id.startswith("O-") for fill in others)
    own = [f for f in await bench.venue.fills_since(0) if f.client_order_id == name]
    assert sum(fill.quantity for fill in own) == LOT, "our own trades are not changed by it"


@case()
async def equity_is_cash_and_what_is_held(bench: Bench) -> None:
    await bench.buy()
    account = await bench.venue.account()
    (position,) = account.positions
    worth = position.quantity * position.mark_price
    if not bench.capabilities.pays_in_full:
        worth -= position.quantity * position.entry_price
    assert abs(account.cash_usd + worth - account.equity_usd) < CENT


@case()
async def a_round_trip_costs_its_fees_and_its_spread(bench: Bench) -> None:
    before = (await bench.venue.account()).cash_usd
    names = [await bench.place(limit_price=INSIDE)]
    bench.rig.hit(Side.BUY, INSIDE, LOT)
    await bench.rig.settle()
    names.append(await bench.sell())
    cost = Decimal(0)
    for name in names:
        for fill in bench.fills(name):
            cost += fill.fee + fill.side.sign * fill.quantity * fill.price
    assert abs(before - cost - (await bench.venue.account()).cash_usd) < CENT
