"""Local store, then stream, then a bounded REST; the source is recorded on every set."""

from __future__ import annotations

from pathlib import Path

from engine.feed.candles import CandleStore, Series, Source
from engine.feed.source import CandleSet, CandleSource
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from tests.feed.test_backfill import START, Truth
from tests.feed.test_candles import MINUTE, bar
from venues.contract import Retryable

SERIES = Series(venue="kraken", symbol="BTC-USD", interval="1m")


class Rig:
    """A store with minutes 0 to 9, a stream that holds 8 to 11, a venue that knows 0 to 99."""

    def __init__(self, *, has_rest: bool = True, at: int = 60, page: int = 100, most: int = 4) -> None:
        self.clock = FixedClock(START + at * MINUTE + 30 * NS_PER_S)
        store = CandleStore(Path("/desk"), MemoryDisk())
        store.add(
            SERIES, [bar(minute, 100.0, START) for minute in range(10)], Source.REST, START + 99 * MINUTE
        )
        self.venue = Truth(self.clock, set(range(100)), page=page)
        self.source = CandleSource(store, self.clock, self.venue if has_rest else None, most)  # type: ignore[arg-type]
        self.streamed = [bar(minute, 100.0, START) for minute in range(8, 12)]

    async def ask(self, first: int, last: int) -> CandleSet:
        return await self.source.candles(SERIES, START + first * MINUTE, START + last * MINUTE, self.streamed)


def minutes(found: CandleSet) -> list[int]:
    return [(each.open_ns - START) // MINUTE for each in found.bars]


async def test_each_bar_comes_from_the_first_that_has_it() -> None:
    rig = Rig()
    found = await rig.ask(5, 20)
    assert minutes(found) == list(range(5, 20)) and found.missing_bars == 0
    assert found.sources == {"local": 5, "stream": 2, "rest": 8} and found.recorded == {"rest": 5}
    assert rig.venue.asked == [(12, 20)], "only what nobody else has is asked for"


async def test_nothing_is_asked_where_everything_is_here() -> None:
    rig = Rig()
    assert (await rig.ask(0, 12)).sources == {"local": 10, "stream": 2}
    assert not rig.venue.asked


async def test_without_rest_what_is_missing_is_said() -> None:
    rig = Rig(has_rest=False)
    found = await rig.ask(5, 20)
    assert minutes(found) == list(range(5, 12)) and found.missing_bars == 8
    assert "feed.allows_rest" in found.problem and not rig.venue.asked


async def test_questions_are_bounded_and_the_rest_is_said_to_be_missing() -> None:
    rig = Rig(page=5, most=2)
    found = await rig.ask(0, 50)
    assert len(rig.venue.asked) == 2 and found.sources["rest"] == 10
    assert found.missing_bars == 50 - 12 - 10 and "2 questions" in found.problem


async def test_a_venue_that_does_not_answer_leaves_bars_missing() -> None:
    rig = Rig()
    rig.venue.failures = [Retryable("no connection")]
    found = await rig.ask(0, 20)
    assert found.missing_bars == 8 and "did not answer" in found.problem


async def test_a_bar_that_may_still_change_is_in_no_set() -> None:
    rig = Rig(at=11)
    found = await rig.ask(0, 30)
    assert minutes(found) == list(range(11)) and found.missing_bars == 0
