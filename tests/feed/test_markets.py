"""The engine's end: a feed is used while it is there and fresh, the adapter's own market otherwise."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.feed.markets import FedMarket, FeedMarkets
from engine.feed.messages import ABSENT_S, Push, subject_of
from seams.clock import NS_PER_S, FixedClock
from venues.public import PublicEvent, Top, Trade
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent, Quote, Side

A, B = "BTC-USD", "ETH-USD"


class Own:
    """An adapter's own market, spoken by hand."""

    name = "kraken"

    def __init__(self) -> None:
        self.listeners: list[Callable[[MarketEvent], None]] = []

    def on_market(self, listener: Callable[[MarketEvent], None]) -> None:
        self.listeners.append(listener)

    def off_market(self, listener: Callable[[MarketEvent], None]) -> None:
        self.listeners.remove(listener)

    def say(self, event: MarketEvent) -> None:
        for listener in self.listeners:
            listener(event)


class Rig:
    """A switch between the two, and what came through it."""

    def __init__(self) -> None:
        self.clock, self.own = FixedClock(1_000 * NS_PER_S), Own()
        self.markets = FeedMarkets(self.clock)
        self.heard: list[MarketEvent] = []
        self.source = self.markets.source(self.own)
        self.source.on_market(self.heard.append)
        self.seq = 0

    @property
    def fed(self) -> FedMarket:
        return self.markets.of("kraken")

    def push(
        self, *events: PublicEvent, is_whole: bool = True, stale: tuple[str, ...] = (), boot: int = 1
    ) -> None:
        self.seq += 1
        self.fed.take(
            Push(
                venue="kraken",
                boot_ns=boot,
                seq=self.seq,
                at_ns=self.clock.now_ns(),
                is_whole=is_whole,
                stale=stale,
                events=events,
            )
        )

    def top(self, bid: float, symbol: str = A) -> Top:
        at_ns = self.clock.now_ns()
        return Top(symbol=symbol, at_ns=at_ns, bid=bid, bid_size=1.0, ask=bid + 1, ask_size=1.0)

    def quote(self, bid: float, symbol: str = A) -> Quote:
        return Quote(symbol=symbol, at_ns=self.clock.now_ns(), bid=bid, ask=bid + 1)

    def bids(self) -> list[float]:
        return [event.bid for event in self.heard if isinstance(event, Quote)]


def test_without_a_feed_the_own_market_is_told() -> None:
    rig = Rig()
    rig.own.say(rig.quote(1.0))
    assert rig.bids() == [1.0] and rig.fed.state == "lost"


def test_a_feed_that_is_there_is_used_and_its_silence_brings_the_own_market_back() -> None:
    rig = Rig()
    rig.push(rig.top(5.0))
    rig.own.say(rig.quote(1.0))
    assert rig.bids() == [5.0] and rig.fed.state == "ok"
    rig.clock.advance(ABSENT_S + 0.1)
    rig.own.say(rig.quote(2.0))
    assert rig.bids() == [5.0, 2.0] and rig.fed.state == "lost"
    rig.push(rig.top(6.0))
    assert rig.bids() == [5.0, 2.0, 6.0]


def test_a_symbol_that_is_stale_or_was_never_told_by_the_feed_comes_from_the_own_market() -> None:
    rig = Rig()
    rig.push(rig.top(5.0))
    rig.own.say(rig.quote(3.0, B))
    rig.push(stale=(A,))
    rig.own.say(rig.quote(1.0))
    assert rig.bids() == [5.0, 3.0, 1.0] and rig.fed.state == "stale"
    rig.push(is_whole=False)
    rig.own.say(rig.quote(2.0))
    assert rig.bids()[-1] == 2.0 and rig.fed.state == "broken"


def test_bars_are_told_once_and_in_order_whoever_tells_them() -> None:
    rig = Rig()
    for step in range(40):
        if step != 20:  # the feed falls silent for a while
            rig.push(
                rig.top(100.0 + step),
                Trade(
                    symbol=A, at_ns=rig.clock.now_ns(), trade_id=str(step), side=Side.BUY, price=1.0, size=2.0
                ),
            )
        if step == 20:
            rig.clock.advance(ABSENT_S + 0.5)
        at_ns = rig.clock.now_ns() // NS_PER_S * NS_PER_S
        rig.own.say(
            Bar(
                symbol=A,
                open_ns=at_ns - NS_PER_S,
                close_ns=at_ns,
                open=1.0,
                high=1.0,
                low=1.0,
                close=1.0,
                volume=0,
            )
        )
        rig.own.say(BarOpen(symbol=A, open_ns=at_ns, price=1.0))
        rig.own.say(rig.quote(50.0))
        rig.clock.advance(0.25)
    for kind in (Bar, BarOpen):
        opens = [event.open_ns for event in rig.heard if isinstance(event, kind)]
        assert opens == sorted(set(opens)) and len(opens) >= 10
    times = [event.at_ns for event in rig.heard if isinstance(event, Quote)]
    assert times == sorted(times)
    assert any(isinstance(event, Bar) and event.volume == 8.0 for event in rig.heard), (
        "trades are in the bars"
    )


def test_missing_pushes_are_counted_repeats_are_left_and_a_new_process_begins_anew() -> None:
    rig = Rig()
    rig.push(rig.top(1.0))
    rig.seq += 3
    rig.push(rig.top(2.0))
    rig.seq -= 2
    rig.push(rig.top(9.0))
    assert (rig.fed.holes, rig.fed.boots, rig.bids()) == (1, 1, [1.0, 2.0])
    rig.seq = 0
    rig.push(rig.top(3.0), boot=2)
    assert (rig.fed.holes, rig.fed.boots, rig.bids()[-1]) == (1, 2, 3.0)


def test_who_stops_listening_is_told_nothing_and_the_end_comes_from_the_own_market() -> None:
    rig = Rig()
    rig.push(rig.top(1.0))
    rig.own.say(FeedEnd(reason="stopped"))
    assert rig.heard[-1] == FeedEnd(reason="stopped")
    rig.source.off_market(rig.heard.append)
    assert not rig.own.listeners
    rig.push(rig.top(2.0))
    assert rig.bids() == [1.0]


async def test_what_is_no_push_or_of_another_venue_is_counted_and_left() -> None:
    rig = Rig()
    push = Push(venue="kraken", boot_ns=1, seq=1, at_ns=1, is_whole=True, stale=(), events=(rig.top(4.0),))
    await rig.markets.hear(subject_of("kraken"), b"{}")
    await rig.markets.hear(subject_of("hyperliquid"), msgspec.json.encode(push))
    assert rig.markets.bad_pushes == 2 and not rig.heard
    await rig.markets.hear(subject_of("kraken"), msgspec.json.encode(push))
    assert rig.bids() == [4.0]


def test_a_feed_that_comes_and_goes_is_put_on_the_record_once_each() -> None:
    rig, noted = Rig(), list[str]()
    look = lambda: rig.markets.look(lambda kind, actor, text: noted.append(kind))  # noqa: E731
    look()
    rig.push(rig.top(1.0))
    look()
    look()
    rig.clock.advance(ABSENT_S + 0.1)
    look()
    look()
    assert noted == ["feed_found", "feed_lost"]
