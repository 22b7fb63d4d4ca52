"""Market data: what the venue quotes is what is told, in order, and rubbish is never told."""

from __future__ import annotations

from tests.conformance.bench import Bench
from tests.conformance.suite import case
from venues.types import Bar, BarOpen, MarketEvent, Quote


def _quotes(told: list[MarketEvent], symbol: str) -> list[Quote]:
    return [event for event in told if isinstance(event, Quote) and event.symbol == symbol]


async def _move(bench: Bench, *bids: float, pause_s: float = 0.1) -> None:
    for bid in bids:
        bench.rig.quote(bid, bid + 10)
        await bench.clock.sleep(pause_s)


@case()
async def instruments_are_complete(bench: Bench) -> None:
    found = {each.symbol: each for each in bench.venue.instruments()}
    assert bench.terms.symbol in found and len(found) == len(bench.venue.instruments())
    for each in found.values():
        assert each.tick > 0 and each.lot > 0 and each.min_notional_usd >= 0
        assert each.maker_fee_bps >= 0 and each.taker_fee_bps >= each.maker_fee_bps
    assert found[bench.terms.symbol].lot == bench.terms.lot


@case()
async def a_quote_is_told_as_the_venue_quotes_it(bench: Bench) -> None:
    await _move(bench, 60_100.0)
    last = _quotes(bench.market, bench.terms.symbol)[-1]
    assert (last.bid, last.ask) == (60_100.0, 60_110.0)
    assert abs(last.at_ns - bench.clock.now_ns()) < 1_000_000_000


@case()
async def quotes_come_in_the_order_of_their_times(bench: Bench) -> None:
    await _move(bench, 60_100.0, 60_050.0, 60_200.0, 59_990.0, 60_020.0)
    times = [each.at_ns for each in _quotes(bench.market, bench.terms.symbol)]
    assert len(times) >= 5 and times == sorted(times)


@case()
async def a_quote_is_never_crossed(bench: Bench) -> None:
    await _move(bench, *(60_000.0 + step * 7 for step in range(-10, 10)))
    quotes = _quotes(bench.market, bench.terms.symbol)
    assert quotes and all(0 < each.bid < each.ask for each in quotes)


@case()
async def quotes_add_up_to_bars(bench: Bench) -> None:
    await _move(bench, 60_000.0, 60_050.0, 59_950.0, 60_020.0, 60_000.0, pause_s=0.5)
    bars = [e for e in bench.market if isinstance(e, Bar) and e.symbol == bench.terms.symbol]
    assert bars, "no bar was told"
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.close_ns > bar.open_ns and bar.volume >= 0


@case()
async def a_bar_closes_before_the_next_one_opens(bench: Bench) -> None:
    await _move(bench, *(60_000.0 + step for step in range(6)), pause_s=0.5)
    kinds = [type(e) for e in bench.market if e.symbol == bench.terms.symbol and not isinstance(e, Quote)]
    closes, opens = kinds.count(Bar), kinds.count(BarOpen)
    assert closes >= 1 and opens >= closes and kinds.index(Bar) < len(kinds) - 1 - kinds[::-1].index(BarOpen)


@case()
async def every_listener_hears_the_same(bench: Bench) -> None:
    heard: list[MarketEvent] = []
    bench.venue.on_market(heard.append)
    before = len(bench.market)
    await _move(bench, 60_100.0, 60_200.0)
    assert heard and heard == bench.market[before:]


@case()
async def who_leaves_hears_no_more(bench: Bench) -> None:
    heard: list[MarketEvent] = []
    listener = heard.append
    bench.venue.off_market(listener)
    bench.venue.on_market(listener)
    await _move(bench, 60_100.0)
    told, others = len(heard), len(bench.market)
    bench.venue.off_market(listener)
    await _move(bench, 60_200.0)
    assert told and len(heard) == told and len(bench.market) > others


@case()
async def rubbish_about_the_market_is_not_told_and_it_goes_on(bench: Bench) -> None:
    await _move(bench, 60_100.0)
    bench.rig.garble()
    before = len(_quotes(bench.market, bench.terms.symbol))
    await _move(bench, 60_150.0)
    await bench.clock.sleep(2.0)
    await _move(bench, 60_200.0, 60_250.0)
    quotes = _quotes(bench.market, bench.terms.symbol)
    assert len(quotes) > before and quotes[-1].bid == 60_250.0


@case()
async def only_markets_that_are_watched_are_told(bench: Bench) -> None:
    await _move(bench, 60_100.0)
    listed = {each.symbol for each in bench.venue.instruments()}
    assert {event.symbol for event in bench.market} <= listed
