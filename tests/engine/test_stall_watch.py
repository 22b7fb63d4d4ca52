"""A session whose market is quoted while no bar closes rings; one that moves, ends or is silent does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core import Core
from engine.daemon import Engine, Seams, build_core
from engine.market.hub import MarketHub
from engine.stall_watch import ALARM, FIRST_NS, LEAST_NS, StallWatch
from safety.killbyte import KillByte
from seams.clock import NS_PER_S, FixedClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.types import Bar, Quote

SYMBOL = "BTC-USD"
MINUTE = 60 * NS_PER_S


class Stood:
    """One session on a hub of its own, a clock that is moved by hand, and the watch."""

    def __init__(self, home: Path) -> None:
        self.clock = FixedClock()
        self.core: Core = build_core(
            Seams(self.clock, None, Rng(1), RealDisk()), home, {}, KillByte.anonymous()
        )
        feed: Any = SimpleNamespace(name="feed")
        self.hub = MarketHub(self.clock, feed, 5.0, [SYMBOL])
        self.plan = SimpleNamespace(uses_market_time=False, lanes=((SYMBOL, "trend"),), session_id="S-1")
        self.session: Any = SimpleNamespace(plan=self.plan, hub=self.hub, hub_name="feed")
        self.sessions = [self.session]
        self.watch = StallWatch(self.core)

    def quoted_for(self, seconds: float) -> None:
        """Quote once a second, and look as often."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            self.hub.offer(Quote(symbol=SYMBOL, at_ns=self.clock.now_ns(), bid=99.0, ask=101.0))
            self.watch.look(self.sessions)

    def bar(self, open_ns: int, length_ns: int = MINUTE) -> None:
        prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
        self.hub.offer(Bar(symbol=SYMBOL, open_ns=open_ns, close_ns=open_ns + length_ns, **prices))
        self.watch.look(self.sessions)

    @property
    def rings(self) -> list[str]:
        return [subject for code, subject in self.core.standing if code == ALARM]


@pytest.fixture
def stood(tmp_path: Path) -> Iterator[Stood]:
    made = Stood(tmp_path)
    yield made
    made.core.store.close()


def test_three_bars_that_do_not_come_ring_and_the_next_one_calms(stood: Stood) -> None:
    stood.bar(MINUTE)
    stood.quoted_for(180)
    assert stood.rings == []
    stood.quoted_for(2)
    assert stood.rings == [f"S-1 {SYMBOL}"]
    row = next(row for row in stood.core.alarms.rows() if row.code == ALARM)
    assert "no bar has closed for 18" in row.message and row.runbook == "paper-session.md#session-stale"
    stood.bar(2 * MINUTE)
    assert stood.rings == []


def test_bars_of_seconds_may_be_late_and_the_first_one_later(stood: Stood) -> None:
    stood.quoted_for(FIRST_NS / NS_PER_S)
    assert stood.rings == []
    stood.quoted_for(2)
    assert stood.rings == [f"S-1 {SYMBOL}"], "quotes alone are no progress"
    stood.bar(NS_PER_S, NS_PER_S)
    stood.quoted_for(LEAST_NS / NS_PER_S)
    assert stood.rings == []
    stood.quoted_for(1)
    assert stood.rings == [f"S-1 {SYMBOL}"]


def test_silence_is_another_alarm_and_begins_the_count_anew(stood: Stood) -> None:
    stood.bar(MINUTE)
    stood.quoted_for(182)
    assert stood.rings
    stood.clock.advance(6.0)
    stood.watch.look(stood.sessions)
    assert stood.rings == [], "feed_stale says so"
    stood.quoted_for(170)
    assert stood.rings == []
    stood.quoted_for(15)
    assert stood.rings == [f"S-1 {SYMBOL}"]


def test_a_session_that_ends_or_replays_does_not_ring(stood: Stood) -> None:
    stood.bar(MINUTE)
    stood.quoted_for(182)
    stood.sessions.clear()
    stood.watch.look(stood.sessions)
    assert stood.rings == []
    stood.plan.uses_market_time = True
    stood.sessions.append(stood.session)
    stood.quoted_for(400)
    assert stood.rings == []


async def test_the_engine_looks_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stood = Stood(tmp_path)
    engine = Engine(stood.core)
    seen: list[object] = []
    monkeypatch.setattr(engine.stalls, "look", seen.append)
    try:
        await engine._tend()
        assert seen == [engine.desk.sessions]
    finally:
        await engine.close()
