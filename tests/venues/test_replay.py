"""Replay: open before close, bar after bar, at the asked pace, with a turn for others in between."""

from __future__ import annotations

import asyncio

import numpy as np

from engine.market.catalogue import BarColumns, columns_of
from seams.clock import NS_PER_S, FixedClock
from seams.virtual import VirtualClock, VirtualLoop
from venues.replay import ReplayFeed
from venues.types import Bar, BarOpen, FeedEnd

MINUTE_NS = 60 * NS_PER_S


def columns(count: int = 3) -> BarColumns:
    prices = np.arange(count, dtype=np.float64) + 10
    raw = {"ts_ms": 1_700_000_040_000 + 60_000 * np.arange(count), "open": prices, "high": prices + 2}
    return columns_of(raw | {"low": prices - 2, "close": prices + 1, "volume": prices}, MINUTE_NS)


async def test_each_bar_opens_then_closes_and_the_end_is_said() -> None:
    feed = ReplayFeed("X", columns(), FixedClock(), 0, MINUTE_NS)
    events = [event async for event in feed.events()]
    assert [type(event) for event in events] == [BarOpen, Bar] * 3 + [FeedEnd]
    assert events[2] == BarOpen(symbol="X", open_ns=1_700_000_100 * NS_PER_S, price=11.0)
    closed = events[3]
    assert isinstance(closed, Bar)
    assert (closed.close_ns - closed.open_ns, closed.high, closed.close) == (MINUTE_NS, 13.0, 12.0)


async def test_another_task_gets_a_turn_between_a_close_and_the_next_open() -> None:
    seen: list[str] = []
    async for event in ReplayFeed("X", columns(), FixedClock(), 0, MINUTE_NS).events():
        seen.append(type(event).__name__)
        asyncio.get_running_loop().call_soon(seen.append, "turn")
    assert seen[:5] == ["BarOpen", "turn", "Bar", "turn", "BarOpen"]


def test_speed_paces_by_the_clock() -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main() -> int:
        started_ns = clock.monotonic_ns()
        async for _ in ReplayFeed("X", columns(), clock, 60.0, MINUTE_NS).events():
            pass
        return clock.monotonic_ns() - started_ns

    assert abs(loop.run_until_complete(main()) - 3 * NS_PER_S) < 1_000
    loop.close()


async def test_a_stopped_replay_goes_on_after_its_last_close() -> None:
    feed = ReplayFeed("X", columns(), FixedClock(), 0, MINUTE_NS)
    first = []
    async for event in feed.events():
        first.append(event)
        if isinstance(event, Bar):
            feed.stop()
    assert first[-1] == FeedEnd(reason="stopped")
    rest = [event async for event in feed.events()]
    assert [event.open for event in rest if isinstance(event, Bar)] == [11.0, 12.0]
