"""Back-fill: pages, caps, holes that are verified by asking again, and both loopback venues."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.backfill import Backfill, Filled
from engine.feed.candles import CandleStore, Series, Source
from engine.feed.coverage import Coverage, HoleState, coverage
from safety.reasons import Refusal
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from tests.feed.test_candles import bar
from tests.venues.hyperliquid_desk import Desk as HyperliquidDesk
from tests.venues.kraken_desk import Desk as KrakenDesk
from venues.contract import OutcomeUnknown, Retryable
from venues.hyperliquid.asking import Asker as HyperliquidAsker
from venues.hyperliquid.budget import Budget
from venues.hyperliquid.public import HyperliquidPublic
from venues.kraken.asking import Asker as KrakenAsker
from venues.kraken.public import KrakenPublic
from venues.sandbox.hyperliquid.candles import Candle
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.types import Bar

MINUTE = 60 * NS_PER_S
HOME = Path("/desk")
START = 1_790_000_000 * NS_PER_S // MINUTE * MINUTE


class Truth:
    """A venue that knows some minutes, keeps the newest `cap`, answers `page` at a time, and may forget."""

    name, intervals = "kraken", ("1m",)

    def __init__(self, clock: FixedClock, minutes: set[int], cap: int = 720, page: int = 100) -> None:
        self.clock, self.minutes, self.cap, self.page_bars = clock, minutes, cap, page
        self.asked: list[tuple[int, int]] = []
        self.forgets_once: set[int] = set()
        self.failures: list[Exception] = []

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        self.asked.append(((start_ns - START) // MINUTE, (end_ns - START) // MINUTE))
        if self.failures:
            raise self.failures.pop(0)
        oldest = (self.clock.now_ns() - START) // MINUTE - self.cap + 1
        wanted = [
            minute
            for minute in sorted(self.minutes)
            if minute >= oldest and start_ns <= START + minute * MINUTE < end_ns
        ]
        found = [minute for minute in wanted if minute not in self.forgets_once]
        self.forgets_once -= set(wanted)
        return [bar(minute, 100.0 + minute % 7, START) for minute in found]


class Rig:
    """A store, a venue and a clock that stands at a minute."""

    def __init__(self, minutes: set[int], at: int, **given: int) -> None:
        self.clock = FixedClock(START + at * MINUTE + 30 * NS_PER_S)
        self.disk = MemoryDisk()
        self.store = CandleStore(HOME, self.disk)
        self.venue = Truth(self.clock, minutes, **given)
        self.series = Series(venue="kraken", symbol="BTC-USD", interval="1m")
        self.backfill = Backfill(self.venue, self.store, HOME, self.disk, self.clock)

    async def fill(self, **given: int) -> Filled:
        return await self.backfill.fill(self.series, **given)

    async def judged(self, **given: int) -> Coverage:
        """Fill, then judge what is kept."""
        await self.fill(**given)
        return coverage(self.store, HOME, self.disk, self.series, self.clock.now_ns())

    def kept(self) -> list[int]:
        return [(at - START) // MINUTE for at in self.store.rows(self.series)["ts_ns"].tolist()]


async def test_everything_the_venue_answers_is_fetched_and_nothing_that_may_change() -> None:
    rig = Rig(set(range(301)), at=300)
    found = await rig.fill()
    assert rig.kept() == list(range(300)), "the bar of minute 300 is still open"
    assert found.is_whole and found.merge.added == 300
    assert (await rig.judged()).missing_bars == 0
    assert all(end - start <= 102 for start, end in rig.venue.asked), "a page and a bar on both sides"


async def test_a_store_grows_beyond_the_cap_while_it_is_kept_up() -> None:
    rig = Rig(set(range(3_000)), at=720)
    for _ in range(4):
        await rig.fill()
        rig.clock.advance(600 * 60)
    assert len(rig.kept()) == 720 + 3 * 600 - 1
    found = await rig.judged()
    assert found.missing_bars == 0 and found.beyond_cap_bars > 1_500


async def test_a_hole_that_the_venue_confirms_twice_is_a_gap_and_is_not_asked_again() -> None:
    rig = Rig(set(range(300)) - {50, 51, 52}, at=300)
    found = await rig.judged()
    assert [(hole.state, hole.missing_bars) for hole in found.holes] == [(HoleState.VERIFIED, 3)]
    asked = len(rig.venue.asked)
    await rig.fill(from_ns=START)
    assert len(rig.venue.asked) == asked, "nothing is open"


async def test_a_bar_that_one_answer_left_out_is_fetched_and_never_called_a_gap() -> None:
    rig = Rig(set(range(300)), at=300)
    rig.venue.forgets_once = {10, 11, 150}
    found = await rig.judged()
    assert rig.kept() == list(range(300))
    assert found.verified_gaps == 0 and found.missing_bars == 0


async def test_a_hole_longer_than_a_page_is_verified_too() -> None:
    rig = Rig(set(range(50)) | set(range(400, 500)), at=500)
    found = await rig.judged()
    assert (found.verified_gaps, found.open_holes) == (1, 0)
    assert found.missing_bars == 350


async def test_what_the_venue_has_forgotten_is_out_of_reach_and_not_asked_for() -> None:
    rig = Rig(set(range(5_000)), at=200)
    await rig.fill()
    rig.clock.advance(2_000 * 60)
    rig.venue.asked.clear()
    found = await rig.judged()
    assert found.out_of_reach == 1 and found.open_holes == 0
    assert min(start for start, _ in rig.venue.asked) >= 2_200 - 720


async def test_a_question_is_asked_again_and_then_given_up_with_what_came_kept() -> None:
    rig = Rig(set(range(300)), at=300)
    rig.venue.failures = [Retryable("no connection"), OutcomeUnknown("no answer")]
    assert (await rig.fill()).merge.added == 300
    rig = Rig(set(range(300)), at=300)
    await rig.fill(most_requests=6)
    kept = rig.kept()
    rig.venue.failures = [Retryable("no connection")] * 4
    with pytest.raises(Refusal, match="venue_unreachable"):
        await rig.fill()
    assert rig.kept() == kept and kept


async def test_a_bound_of_questions_ends_it_and_says_so() -> None:
    rig = Rig(set(range(600)), at=600)
    found = await rig.fill(most_requests=6)
    assert not found.is_whole and found.requests == 6
    assert (await rig.fill()).is_whole and rig.kept() == list(range(600))


@settings(max_examples=12, deadline=None)
@given(
    st.sets(st.integers(0, 299), max_size=40),
    st.sets(st.integers(0, 299), max_size=20),
    st.lists(st.tuples(st.integers(0, 299), st.booleans()), max_size=30),
    st.integers(60, 150),
)
async def test_whatever_was_there_before_the_store_ends_equal_to_the_venue(
    missing: set[int], forgotten: set[int], before: list[tuple[int, bool]], page: int
) -> None:
    rig = Rig(set(range(300)) - missing, at=300, page=page)
    rig.venue.forgets_once = set(forgotten)
    for minute, is_stream in before:
        if minute not in missing:
            source = Source.STREAM if is_stream else Source.REST
            rig.store.add(rig.series, [bar(minute, 100.0 + minute % 7, START)], source, rig.clock.now_ns())
    for _ in range(2):
        found = await rig.fill()
    assert found.is_whole
    known = sorted(set(range(300)) - missing)
    ends = [minute for minute in known if minute not in rig.kept()]
    assert not ends or max(ends) < min(rig.kept()) or min(ends) > max(rig.kept()), "only the edges may wait"
    assert not rig.kept() or (await rig.judged()).open_holes == 0
    assert [minute for minute in rig.kept() if minute in missing] == []


async def test_the_loopback_hyperliquid_is_filled_in_pages_within_its_budget() -> None:
    desk = HyperliquidDesk()
    peer, clock = PeerCaller(desk.exchange, desk.clock), desk.clock
    now_ms = clock.now_ns() // 1_000_000 // 60_000 * 60_000
    past = [
        Candle(now_ms - back * 60_000, now_ms - back * 60_000 + 59_999, 3.0, 4.0, 2.0, 3.5, 1.0, 2)
        for back in range(5_000, 0, -1)
        if back not in (70, 71)
    ]
    desk.exchange.candles._minutes["SOL"] = past
    budget = Budget(clock)
    venue = HyperliquidPublic(
        PeerLink(desk.exchange, "", "/ws", clock), HyperliquidAsker(peer, "x", budget), clock
    )
    disk = MemoryDisk()
    store = CandleStore(HOME, disk)
    series = Series(venue="hyperliquid", symbol="SOL-PERP", interval="1m")
    assert (await Backfill(venue, store, HOME, disk, clock).fill(series)).is_whole
    found = coverage(store, HOME, disk, series, clock.now_ns())
    assert found.bars > 4_900 and found.verified_gaps == 1
    assert found.holes[0].missing_bars == 2
    longer = Series(venue="hyperliquid", symbol="SOL-PERP", interval="1h")
    await Backfill(venue, store, HOME, disk, clock).fill(longer)
    assert len(store.rows(longer)["ts_ns"]) == len({each.start_ms // 3_600_000 for each in past}) - 1


async def test_the_loopback_kraken_is_filled_from_its_one_answer_without_the_unfinished_row() -> None:
    desk = KrakenDesk()
    clock = desk.clock
    for _ in range(90):
        clock.advance(40)
        desk.quote(float(60_000 + clock.now_ns() % 97))
        desk.order(price="70000", volume="0.001")
        desk.exchange.advance()
    venue = KrakenPublic(
        PeerLink(desk.exchange, "public", "/v2", clock),
        KrakenAsker(PeerCaller(desk.exchange, clock), "x"),
        clock,
    )
    disk = MemoryDisk()
    store = CandleStore(HOME, disk)
    series = Series(venue="kraken", symbol="BTC-USD", interval="5m")
    await Backfill(venue, store, HOME, disk, clock).fill(series)
    rows = store.rows(series)
    theirs = desk.public("OHLC", pair="XBTUSD", interval="5")["result"]["XXBTZUSD"]
    assert coverage(store, HOME, disk, series, clock.now_ns()).missing_bars == 0
    assert len(rows["ts_ns"]) == len(theirs) - 1
    assert Decimal(str(rows["close"][0])) == Decimal(theirs[0][4])
