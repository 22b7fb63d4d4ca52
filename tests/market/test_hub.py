"""The hub: ages from receipt, stale symbols named, one decision per bar, no silent stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.market.catalogue import columns_of, info_of, store
from engine.market.hub import HubState, MarketHub
from engine.market.source import CatalogueSource, DataSource
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from venues.sandbox.link import LinkFeed
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent, Quote

T0 = 1_700_000_040 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S


class ListFeed:
    """A feed that yields what it was given for each time it is read, and raises what is an exception."""

    name = "list"

    def __init__(self, *readings: Sequence[MarketEvent | Exception]) -> None:
        self._readings = iter(readings)

    async def events(self) -> AsyncIterator[MarketEvent]:
        for event in next(self._readings):
            if isinstance(event, Exception):
                raise event
            yield event


def bar(index: int, symbol: str = "X") -> Bar:
    at = T0 + index * MINUTE_NS
    return Bar(
        symbol=symbol,
        open_ns=at,
        close_ns=at + MINUTE_NS,
        open=1,
        high=2,
        low=1,
        close=float(index),
        volume=1,
    )


def quote(symbol: str = "X", mid: float = 5.0) -> Quote:
    return Quote(symbol=symbol, at_ns=T0, bid=mid - 1, ask=mid + 1)


END = FeedEnd(reason="end")


async def test_listeners_hear_events_in_order_and_no_bar_twice() -> None:
    hub = MarketHub(FixedClock(), ListFeed([bar(0), bar(1), bar(1), bar(0), bar(2), END]), 5.0)
    heard: list[tuple[str, MarketEvent]] = []
    hub.add_listener(lambda event: heard.append(("first", event)))
    hub.add_listener(lambda event: heard.append(("second", event)))
    assert await hub.run() is HubState.ENDED
    assert heard == [(who, event) for event in (bar(0), bar(1), bar(2), END) for who in ("first", "second")]
    assert hub.duplicate_bar_count == 2


async def test_a_feed_error_and_a_silent_end_are_stated_failures_and_the_hub_restarts() -> None:
    feed = ListFeed([bar(0), RuntimeError("socket lost")], [bar(0), bar(1)], [END])
    hub = MarketHub(FixedClock(), feed, 5.0)
    heard: list[MarketEvent] = []
    hub.add_listener(heard.append)
    assert await hub.run() is HubState.FAILED
    assert hub.failure == "RuntimeError: socket lost"
    assert await hub.run() is HubState.FAILED
    assert "without FeedEnd" in str(hub.failure)
    assert await hub.run() is HubState.ENDED
    assert hub.failure is None
    assert heard == [bar(0), bar(1), END]


async def test_a_listener_error_fails_the_hub() -> None:
    hub = MarketHub(FixedClock(), ListFeed([bar(0), END]), 5.0)

    def broken(event: MarketEvent) -> None:
        raise KeyError("defect")

    hub.add_listener(broken)
    assert await hub.run() is HubState.FAILED
    assert hub.failure == "KeyError: 'defect'"


def test_a_symbol_is_stale_after_its_own_limit_and_before_its_first_event() -> None:
    clock = FixedClock()
    hub = MarketHub(clock, ListFeed([]), {"X": 2.0}, symbols=("X", "Y"), default_stale_after_s=10.0)
    assert hub.stale_symbols() == ("X", "Y")
    hub.offer(quote("X"))
    hub.offer(quote("Y"))
    clock.advance(2.0)
    assert hub.stale_symbols() == ()
    clock.advance(0.001)
    assert hub.stale_symbols() == ("X",)
    assert [(age.symbol, age.age_ms, age.limit_ms, age.is_stale) for age in hub.ages()] == [
        ("X", 2001, 2000, True),
        ("Y", 2001, 10_000, False),
    ]
    hub.offer(quote("X"))
    assert not hub.is_stale("X")
    assert hub.is_stale("never seen")


def test_a_hole_between_bars_is_a_gap() -> None:
    hub = MarketHub(FixedClock(), ListFeed([]), 5.0)
    for index in (0, 1, 4):
        hub.offer(bar(index))
    (gap,) = hub.gaps
    assert (gap.missing_bars, gap.expected_open_ns) == (2, T0 + 2 * MINUTE_NS)


def test_primed_bars_are_not_decided_on_again() -> None:
    hub = MarketHub(FixedClock(), ListFeed([]), 5.0)
    hub.prime([bar(0), bar(1)])
    assert not hub.offer(bar(1))
    assert hub.offer(bar(2))
    assert hub.is_stale("never")
    assert hub.price("X") == 2.0
    hub.offer(BarOpen(symbol="X", open_ns=T0 + 3 * MINUTE_NS, price=9.0))
    assert hub.price("X") == 9.0


async def test_the_barrier_is_awaited_between_a_close_and_the_next_event() -> None:
    heard: list[str] = []
    hub = MarketHub(
        FixedClock(), ListFeed([bar(0), BarOpen(symbol="X", open_ns=T0, price=1.0), bar(1), END]), 5.0
    )
    hub.add_listener(lambda event: heard.append(type(event).__name__))

    async def settle() -> None:
        heard.append("settled")

    hub.set_barrier(settle)
    await hub.run()
    assert heard == ["Bar", "settled", "BarOpen", "Bar", "settled", "FeedEnd"]


async def test_stored_and_live_bars_are_the_same_record() -> None:
    disk, home = MemoryDisk(), Path("/h")
    raw = {name: np.array([1.0, 1.0]) for name in ("open", "high", "low", "close", "volume")}
    columns = columns_of(raw | {"ts_ms": np.array([T0, T0 + MINUTE_NS]) // 1_000_000}, MINUTE_NS)
    names = {"venue": "v", "symbol": "X", "interval": "1m", "source_name": "s", "source_sha256": ""}
    store(home, columns, info_of(columns, imported_ns=0, **names), disk)
    hub = MarketHub(FixedClock(), ListFeed([bar(5), quote(), bar(6), END]), 5.0)
    source: DataSource = CatalogueSource(home, "v", hub, disk)
    stream = source.subscribe()
    await hub.run()
    live = [each async for each in stream]
    stored = source.candles("X", "1m", T0, T0 + 2 * MINUTE_NS)
    assert live == [bar(5), bar(6)]
    assert [each.open_ns for each in stored] == [T0, T0 + MINUTE_NS]
    assert {type(each) for each in (*live, *stored)} == {Bar}
    assert source.candles("X", "1m", T0 + 1, T0 + MINUTE_NS) == []


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_limit_must_be_positive(limit: float) -> None:
    with pytest.raises(AssertionError):
        MarketHub(FixedClock(), ListFeed([]), limit)


class Source:
    """A venue's market: tells its listeners in the step in which it is told."""

    name = "x"

    def __init__(self) -> None:
        self.listeners: list[Callable[[MarketEvent], None]] = []
        self.on_market, self.off_market = self.listeners.append, self.listeners.remove

    def tell(self, event: MarketEvent) -> None:
        for listener in tuple(self.listeners):
            listener(event)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_a_stream_tells_is_heard_in_the_same_step_and_waits_behind_a_close() -> None:
    source, heard, let_go = Source(), list[MarketEvent](), asyncio.Event()
    hub = MarketHub(FixedClock(), LinkFeed(source), 5.0)

    async def settle() -> None:
        heard.append(END)
        await let_go.wait()

    hub.add_listener(heard.append)
    hub.set_barrier(settle)
    source.tell(quote(mid=1.0))
    assert heard == [], "nobody reads yet: it is kept"
    reading = asyncio.create_task(hub.run())
    await _turns()
    assert heard == [quote(mid=1.0)]
    source.tell(quote(mid=2.0))
    assert heard == [quote(mid=1.0), quote(mid=2.0)], "no task had its turn in between"
    source.tell(bar(0))
    source.tell(quote(mid=3.0))
    assert heard[2:] == [bar(0)], "the close is heard at once, what follows waits for its barrier"
    await _turns()
    source.tell(quote(mid=4.0))
    assert heard[3:] == [END], "the barrier is up"
    let_go.set()
    await _turns()
    assert heard[4:] == [quote(mid=3.0), quote(mid=4.0)]
    source.tell(quote(mid=5.0))
    source.tell(bar(0))
    assert heard[6:] == [quote(mid=5.0)], "a bar that was seen has no barrier and is not heard again"
    source.tell(END)
    assert await reading is HubState.ENDED
    source.tell(quote(mid=6.0))
    assert heard[7:] == [END]


async def test_what_a_listener_raises_in_a_streams_step_fails_the_hub_and_not_the_stream() -> None:
    source = Source()
    hub = MarketHub(FixedClock(), LinkFeed(source), 5.0)

    def refuse(event: MarketEvent) -> None:
        raise RuntimeError("cannot be kept")

    hub.add_listener(refuse)
    reading = asyncio.create_task(hub.run())
    await _turns()
    source.tell(quote())
    source.tell(quote())
    assert await reading is HubState.FAILED and hub.failure == "RuntimeError: cannot be kept"
    assert hub.event_count == 1
