"""The sandbox market: equal for equal seeds, drifting as its scenario says, silent when it stalls."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing

import msgspec
import pytest

from seams.clock import NS_PER_S, FixedClock
from seams.virtual import VirtualClock, VirtualLoop
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.scenarios import SCENARIOS, Stall, in_bars_of
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent, Quote

START_NS = 1_790_000_040 * NS_PER_S
PRICE_DRIFT = 0.03
"""What the desk lets a price move within five minutes (`risk.price_drift_5min`)."""


def on_virtual_time(main: Callable[[VirtualClock], Awaitable[list[MarketEvent]]]) -> list[MarketEvent]:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(VirtualClock(loop, START_NS)))
    finally:
        loop.close()


def events_of(scenario: str, seed: int = 7, max_bars: int = 6, speed: float = 1.0) -> list[MarketEvent]:
    async def main(clock: VirtualClock) -> list[MarketEvent]:
        feed = SandboxFeed(
            SandboxMarket(seed=seed, scenario=scenario), clock, bar_seconds=30, max_bars=max_bars, speed=speed
        )
        return [event async for event in feed.events()]

    return on_virtual_time(main)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_runs_of_one_seed_are_equal_byte_for_byte(scenario: str) -> None:
    first, second = (msgspec.json.encode([repr(event) for event in events_of(scenario)]) for _ in range(2))
    assert first == second
    assert first != msgspec.json.encode([repr(event) for event in events_of(scenario, seed=8)])


def test_speed_changes_pace_and_not_events() -> None:
    assert events_of("bull") == events_of("bull", speed=50.0) == events_of("bull", speed=0.0)


def mean_log_return(scenario: str, seed: int, bars: int = 2_000) -> float:
    market = SandboxMarket(seed=seed, scenario=scenario)
    closes = [market.path("BTC-PERP", index, 1)[-1] for index in (-1, bars - 1)]
    return math.log(closes[1] / closes[0]) / bars


def test_bull_rises_and_bear_falls_for_every_seed_and_sideways_stays() -> None:
    bull = [mean_log_return("bull", seed) for seed in range(40)]
    bear = [mean_log_return("bear", seed) for seed in range(40)]
    sideways = [mean_log_return("sideways", seed) for seed in range(40)]
    assert min(bull) > 0
    assert max(bear) < 0
    # The standard error over 40 seeds of 2,000 bars is sigma / sqrt(80,000).
    assert sum(bull) / 40 == pytest.approx(0.0008 - 0.006**2 / 2, abs=4 * 0.006 / math.sqrt(80_000))
    assert sum(bear) / 40 == pytest.approx(-0.0010 - 0.009**2 / 2, abs=4 * 0.009 / math.sqrt(80_000))
    assert max(map(abs, sideways)) * 2_000 < 6 * 0.004 / math.sqrt(2 * 0.05)


def test_flash_crash_falls_by_a_tenth_and_mostly_recovers() -> None:
    market = SandboxMarket(seed=3, scenario="flash-crash")
    before, bottom, after = (market.path("ETH-PERP", index, 1)[-1] for index in (19, 20, 23))
    assert bottom < 0.9 * before
    assert 0.93 * before < after < 1.01 * before


def test_gap_opens_away_from_the_last_close() -> None:
    market = SandboxMarket(seed=3, scenario="gap")
    close, opened = market.path("SOL-PERP", 19, 4)[-1], market.path("SOL-PERP", 20, 4)[0]
    assert abs(opened / close - 1) > 0.028
    assert market.path("SOL-PERP", 21, 4)[0] == market.path("SOL-PERP", 20, 4)[-1]


def test_events_come_in_time_order_and_bars_add_up_from_their_quotes() -> None:
    events = events_of("demo")
    stamps = [_time_of(event) for event in events if not isinstance(event, FeedEnd)]
    assert stamps == sorted(stamps)
    assert isinstance(events[-1], FeedEnd)
    bars = [event for event in events if isinstance(event, Bar) and event.symbol == "BTC-PERP"]
    opens = [event for event in events if isinstance(event, BarOpen) and event.symbol == "BTC-PERP"]
    assert len(bars) == 6
    assert [bar.open for bar in bars] == [opened.price for opened in opens[:6]]
    for bar in bars:
        mids = [
            e.mid
            for e in events
            if isinstance(e, Quote) and e.symbol == bar.symbol and bar.open_ns <= e.at_ns < bar.close_ns
        ]
        assert len(mids) == 120
        assert bar.low - 0.3 <= min(mids)
        assert max(mids) <= bar.high + 0.3
        assert bar.low <= min(bar.open, bar.close)


def test_the_close_precedes_the_next_open_of_every_symbol() -> None:
    at_close = [
        type(e).__name__ for e in events_of("bull", max_bars=1) if _time_of(e) == START_NS + 30 * NS_PER_S
    ]
    assert at_close == ["Bar"] * 4 + ["BarOpen"] * 4 + ["Quote"] * 4


def test_a_stall_silences_one_symbol_for_its_window() -> None:
    async def main(clock: VirtualClock) -> list[MarketEvent]:
        stalls = [Stall(symbol="ETH-PERP", after_s=10, for_s=20)]
        feed = SandboxFeed(
            SandboxMarket(seed=1, scenario="bull"), clock, bar_seconds=10, max_bars=6, stalls=stalls
        )
        seen: list[MarketEvent] = []
        async for event in feed.events():
            seen.append(event)
            if (
                isinstance(event, Bar)
                and event.symbol == "BTC-PERP"
                and clock.now_ns() == START_NS + 40 * NS_PER_S
            ):
                feed.stall("SOL-PERP", 5)
        return seen

    events = on_virtual_time(main)
    quotes = {
        s: [(e.at_ns - START_NS) / NS_PER_S for e in events if isinstance(e, Quote) and e.symbol == s]
        for s in ("BTC-PERP", "ETH-PERP", "SOL-PERP")
    }
    assert not [at for at in quotes["ETH-PERP"] if 10 <= at < 30]
    assert [at for at in quotes["ETH-PERP"] if at >= 30]
    assert not [at for at in quotes["SOL-PERP"] if 40 < at < 45]
    assert [at for at in quotes["SOL-PERP"] if at >= 45]
    assert max(b - a for a, b in zip(quotes["BTC-PERP"], quotes["BTC-PERP"][1:], strict=False)) == 0.25


@pytest.mark.parametrize("scenario", ["stale-feed", "demo"])
def test_the_scenarios_schedule_stalls_of_one_known_symbol(scenario: str) -> None:
    (stall,) = SCENARIOS[scenario].stalls
    assert stall.symbol in SandboxMarket(seed=1, scenario=scenario).symbols


def test_a_feed_started_later_finds_the_same_market_further_on() -> None:
    origin_ns = START_NS - START_NS % (30 * NS_PER_S)

    async def from_second(clock: VirtualClock, wait_s: float) -> list[MarketEvent]:
        await clock.sleep(wait_s)
        market = SandboxMarket(seed=5, scenario="bull")
        feed = SandboxFeed(market, clock, bar_seconds=30, max_bars=3, origin_ns=origin_ns)
        return [event async for event in feed.events()]

    whole = on_virtual_time(lambda clock: from_second(clock, 0.0))
    later = on_virtual_time(lambda clock: from_second(clock, 40.0))
    assert isinstance(later[0], Quote)
    bars = [event for event in whole if isinstance(event, Bar)]
    assert [event for event in later if isinstance(event, Bar)][:8] == bars[4:]


def test_warm_up_bars_lead_up_to_the_first_bar_and_repeat() -> None:
    feeds = [
        SandboxFeed(SandboxMarket(seed=2, scenario="bull"), FixedClock(START_NS), bar_seconds=60)
        for _ in range(2)
    ]
    first, second = (feed.warmup_bars("BTC-PERP", 300) for feed in feeds)
    assert first == second
    assert len(first) == 300
    assert first[-1].close_ns <= START_NS < first[-1].close_ns + 60 * NS_PER_S
    assert all(a.close_ns == b.open_ns and a.close == b.open for a, b in itertools.pairwise(first))
    assert first[-1].close == feeds[0].market.path("BTC-PERP", 0, feeds[0].ticks)[0]


def test_stop_ends_the_feed_and_it_goes_on_when_read_again() -> None:
    async def main(clock: VirtualClock) -> list[MarketEvent]:
        feed = SandboxFeed(SandboxMarket(seed=1, scenario="bull"), clock, bar_seconds=5)
        asyncio.get_running_loop().call_later(12, feed.stop)
        first = [event async for event in feed.events()]
        seen: list[MarketEvent] = []
        async with aclosing(feed.events()) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 50:
                    break
        return [first[-2], first[-1], *seen]

    last, end, *again = on_virtual_time(main)
    assert end == FeedEnd(reason="stopped")
    assert _time_of(again[0]) > _time_of(last)


def test_an_unknown_scenario_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match="known: bull"):
        SandboxMarket(seed=1, scenario="boom")


def _time_of(event: MarketEvent) -> int:
    if isinstance(event, FeedEnd):
        return 0
    if isinstance(event, Quote):
        return event.at_ns
    return event.open_ns if isinstance(event, BarOpen) else event.close_ns


@pytest.mark.parametrize("scenario", ["bull", "bear", "sideways", "stale-feed"])
def test_a_market_in_seconds_is_as_wild_in_an_hour_as_in_minutes_and_not_in_a_second(scenario: str) -> None:
    meant, watched = SCENARIOS[scenario], in_bars_of(SCENARIOS[scenario], 1.0)
    fives = [
        max(prices) / min(prices) - 1.0
        for seed in range(4)
        for prices in _five_minutes(SandboxMarket(seed=seed, scenario=watched))
    ]
    calm = sum(move <= PRICE_DRIFT for move in fives) / len(fives)
    assert calm > (0.4 if scenario == "bear" else 0.8), "a desk may enter"
    (slow,), (fast,) = meant.regimes, watched.regimes
    assert fast.sigma**2 * 60 == pytest.approx(slow.sigma**2) and fast.mu * 60 == pytest.approx(slow.mu)
    assert watched.past.sigma**2 * 60 == pytest.approx(meant.past.sigma**2)
    assert in_bars_of(meant, 60.0) is meant and watched.stalls == meant.stalls


def _five_minutes(market: SandboxMarket) -> Iterator[list[float]]:
    for begin in range(-600, 3_000, 300):
        yield [market.path("BTC-PERP", index, 1)[-1] for index in range(begin, begin + 300)]


@pytest.mark.parametrize("scenario", ["flash-crash", "gap"])
def test_shocks_of_a_watched_market_leave_time_to_enter_between_them(scenario: str) -> None:
    watched = in_bars_of(SCENARIOS[scenario], 1.0)
    market = SandboxMarket(seed=3, scenario=watched)
    moves = [
        abs(math.log(after / before))
        for before, after in itertools.pairwise(
            [market.path("BTC-PERP", index, 1)[-1] for index in range(1_500)]
        )
    ]
    shocks = [index for index, move in enumerate(moves) if move > PRICE_DRIFT * 0.9]
    assert shocks and min(shocks) >= 60
    jumps = [b - a for a, b in itertools.pairwise(shocks) if b - a > 10]
    assert jumps and min(jumps) > 300, "a jump stands in the drift window for five minutes"


def test_the_demo_is_made_for_bars_of_a_second() -> None:
    assert in_bars_of(SCENARIOS["demo"], 1.0) is SCENARIOS["demo"]
