"""The feed process on virtual time against both loopback venues: heard, kept, told, honest about silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.feed.board import FeedBoard
from engine.feed.candles import CandleStore, Series, Source
from engine.feed.closing import ClosingBars
from engine.feed.messages import Push, subject_of
from engine.feed.opening import FeedLimits, configured_feed
from engine.feed.outbox import MOST_WAITING, Outbox
from engine.feed.process import FeedProcess
from engine.feed.questions import Desk, Silent, Socket, ask
from safety.beat import BeatPage, BeatState
from seams.clock import NS_PER_MS, NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from seams.net import LoopbackNet, Net
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.feed.test_candles import bar
from tests.venues.hyperliquid_desk import Desk as HyperliquidDesk
from tests.venues.kraken_desk import Desk as KrakenDesk
from venues.hyperliquid.asking import Asker as HyperliquidAsker
from venues.hyperliquid.budget import Budget
from venues.hyperliquid.public import HyperliquidPublic
from venues.kraken.asking import Asker as KrakenAsker
from venues.kraken.capabilities import PAIRS
from venues.kraken.public import KrakenPublic
from venues.public import Candle, Mids, PublicVenue, Top
from venues.sandbox.inprocess import PeerCaller, PeerLink

HOME = Path("/desk")
LIMITS = FeedLimits(5 * NS_PER_S, 60 * NS_PER_S, 7_200 * NS_PER_S, True, 50)


class Rig:
    """A venue in this process, its feed, and a bus that hears."""

    def __init__(self, venue: str, loop: VirtualLoop) -> None:
        self.clock = VirtualClock(loop)
        self.disk, self.net, self.heard = MemoryDisk(), LoopbackNet(), list[Push]()
        self.is_quiet = False
        if venue == "hyperliquid":
            self.desk: Any = HyperliquidDesk(clock=self.clock)
            self.link = PeerLink(self.desk.exchange, "", "/ws", self.clock)
            caller = PeerCaller(self.desk.exchange, self.clock)
            asker = HyperliquidAsker(caller, "x", Budget(self.clock))
            self.public: PublicVenue = HyperliquidPublic(self.link, asker, self.clock, ["BTC"], ["1m", "5m"])
            self.symbol = "BTC-PERP"
        else:
            self.desk = KrakenDesk(clock=self.clock)
            self.link = PeerLink(self.desk.exchange, "public", "/v2", self.clock)
            asked = KrakenAsker(PeerCaller(self.desk.exchange, self.clock), "x")
            self.public = KrakenPublic(self.link, asked, self.clock, PAIRS[:1], ["1m", "5m"])
            self.symbol = "BTC-USD"
        self.store, self.beat = CandleStore(HOME, self.disk), BeatPage.anonymous()
        self.stop = asyncio.Event()
        self.feed = FeedProcess(
            self.public, self.store, HOME, self.disk, self.clock, LIMITS, self._connect, 1, self.beat
        )

    async def _connect(self, net: Net | None) -> Net | None:
        return self.net if self.net.is_up else None

    async def street(self) -> None:
        """Move the market four times a second; each step also trades."""
        step = 0
        while True:
            step += 1
            if not self.is_quiet:
                price = 60_000.0 + step % 50
                if self.symbol == "BTC-PERP":
                    self.desk.quote("BTC", price, price + 1)
                    now_ms = self.clock.now_ns() // NS_PER_MS
                    self.desk.exchange.candles.trade("BTC", now_ms, price, 0.5)
                else:
                    self.desk.quote(price)
                    if step % 4 == 0:
                        self.desk.order(price="70000", volume="0.0001")
            self.desk.exchange.advance()
            await self.clock.sleep(0.25)

    async def hear(self, subject: str, body: bytes) -> None:
        self.heard.append(msgspec.json.decode(body, type=Push))

    def bars(self, interval: str = "1m") -> int:
        series = Series(venue=self.public.name, symbol=self.symbol, interval=interval)
        return len(self.store.rows(series)["ts_ns"])


def on_virtual(venue: str, scene: Callable[[Rig], Awaitable[None]]) -> Rig:
    """Run a scene beside a running feed and street, on virtual time."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)

    async def main() -> Rig:
        rig = Rig(venue, loop)
        await rig.net.subscribe(subject_of(venue), rig.hear)  # type: ignore[arg-type]
        street = loop.create_task(rig.street())
        feed = loop.create_task(rig.feed.run(rig.stop))
        await scene(rig)
        rig.stop.set()
        await feed
        street.cancel()
        await asyncio.gather(street, return_exceptions=True)
        return rig

    try:
        return run_virtual(main(), loop)
    finally:
        asyncio.set_event_loop(None)


@pytest.mark.parametrize("venue", ["hyperliquid", "kraken"])
def test_what_the_venue_tells_is_on_the_bus_and_what_has_closed_is_kept(venue: str) -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(330)
        health = rig.feed.health()
        assert health.is_whole and health.is_on_bus and not health.stale and not health.problem
        assert health.breaks == 0 and health.dropped == 0

    rig = on_virtual(venue, scene)
    seqs = [push.seq for push in rig.heard]
    assert seqs == list(range(1, len(seqs) + 1))
    kinds = {type(event).__name__ for push in rig.heard for event in push.events}
    assert {"Top", "Book", "Trade", "Mids", "Candle"} <= kinds
    assert ("Funding" in kinds) == (venue == "hyperliquid")
    assert rig.bars() == 5 and rig.bars("5m") == 1
    sources = rig.store.rows(Series(venue=venue, symbol=rig.symbol, interval="1m"))["source"].tolist()
    assert Source.STREAM in sources
    closed = [
        event
        for push in rig.heard
        for event in push.events
        if isinstance(event, Candle) and event.is_closed and event.interval == "1m"
    ]
    assert closed and all(event.bar.open_ns % (60 * NS_PER_S) == 0 for event in closed)
    beat = rig.beat.read()
    assert beat is not None and beat.state is BeatState.STOPPED


@pytest.mark.parametrize("venue", ["hyperliquid", "kraken"])
def test_silence_on_an_open_socket_is_stale_and_said_on_the_bus(venue: str) -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(5)
        assert rig.feed.board.stale() == ()
        rig.is_quiet = True
        await rig.clock.sleep(8)
        assert rig.heard[-1].stale == (rig.symbol,) and rig.heard[-1].is_whole
        rig.is_quiet = False
        await rig.clock.sleep(2)
        assert rig.heard[-1].stale == ()

    on_virtual(venue, scene)


@pytest.mark.parametrize("venue", ["hyperliquid", "kraken"])
def test_a_bar_that_was_cut_by_a_break_is_asked_for_and_not_taken_from_the_stream(venue: str) -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(130 - rig.clock.now_ns() // NS_PER_S % 60)
        rig.link.is_up = False
        rig.link.drop()
        await rig.clock.sleep(1)
        assert not rig.heard[-1].is_whole and len(rig.feed.closing) == 0
        rig.link.is_up = True
        await rig.clock.sleep(200)
        assert rig.heard[-1].is_whole

    rig = on_virtual(venue, scene)
    rows = rig.store.rows(Series(venue=venue, symbol=rig.symbol, interval="1m"))
    assert (rows["ts_ns"][1:] - rows["ts_ns"][:-1] == 60 * NS_PER_S).all(), "no hole is left"


def test_without_a_bus_candles_go_on_and_a_bus_that_comes_back_is_told_again() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(3)
        rig.net.is_up = False
        heard = len(rig.heard)
        await rig.clock.sleep(200)
        assert len(rig.heard) == heard and rig.bars() >= 3 and not rig.feed.health().is_on_bus
        rig.net.is_up = True
        await rig.clock.sleep(1)
        assert len(rig.heard) > heard and rig.heard[-1].boot_ns == rig.heard[0].boot_ns

    on_virtual("kraken", scene)


def test_a_full_disk_is_said_and_what_has_closed_is_stored_once_there_is_room() -> None:
    async def scene(rig: Rig) -> None:
        await rig.clock.sleep(10)
        rig.disk.fail_after_writes = 0
        await rig.clock.sleep(90)
        assert "not stored" in rig.feed.health().problem or "No space" in rig.feed.health().problem
        before = rig.bars()
        rig.disk.fail_after_writes = None
        await rig.clock.sleep(130)
        assert rig.bars() >= before + 3 and not rig.feed.health().problem

    on_virtual("hyperliquid", scene)


def test_progress_is_the_venues_time_going_on_and_not_a_message() -> None:
    clock = FixedClock()
    board = FeedBoard(clock, ["A", "B"], 5 * NS_PER_S)
    assert board.stale() == ("A", "B")

    def top(symbol: str, at_ns: int, bid: float = 1.0) -> Top:
        return Top(symbol=symbol, at_ns=at_ns, bid=bid, bid_size=1.0, ask=bid + 1, ask_size=1.0)

    board.take(top("A", 10))
    board.take(top("B", 10))
    clock.advance(4)
    board.take(top("A", 11, 2.0))
    board.take(top("B", 10, 3.0))  # the same again: heard, and no progress
    clock.advance(2)
    assert board.stale() == ("B",)
    board.take(top("A", 5, 9.0))
    assert board.tops["A"].bid == 2.0, "an older one that comes late says nothing about now"


def test_mids_and_candles_have_limits_of_their_own_and_are_named_beyond_them(tmp_path: Path) -> None:
    """OC-83: a minute for mids, two hours for candles, unless the home says otherwise."""
    loop = VirtualLoop()
    _, limits = configured_feed(
        tmp_path, {"INTERLOCK_FEED__KRAKEN_URL": "http://127.0.0.1:1"}, "kraken", FixedClock()
    )
    assert limits == LIMITS._replace(
        top_ns=limits.top_ns, allows_rest=limits.allows_rest, rest_requests=limits.rest_requests
    )

    async def scene() -> None:
        rig = Rig("kraken", loop)
        rig.feed.board.take(Mids(at_ns=1, mids={}))
        rig.feed.board.take(Candle(interval="1m", bar=bar(0)))
        said = []
        for seconds in (60, 1, 7_139, 1):
            await rig.clock.sleep(seconds)
            said.append(rig.feed.health().problem)
        assert said == ["", *["mids make no progress"] * 2, "mids and candles make no progress"]
        rig.feed.board.take(Mids(at_ns=2, mids={}))
        assert rig.feed.health().problem == "candles make no progress"

    asyncio.set_event_loop(loop)
    try:
        run_virtual(scene(), loop)
    finally:
        asyncio.set_event_loop(None)


def test_what_waits_is_forgotten_where_the_stream_breaks() -> None:
    closing, at_ns = ClosingBars(), bar(0).close_ns
    closing.take(Candle(interval="1m", bar=bar(0, 100.0)))
    closing.take(Candle(interval="1m", bar=bar(0, 101.0)))
    assert closing.due(at_ns) == {}, "its grace has not passed"
    found = closing.due(at_ns + 2 * NS_PER_S)
    assert [each.close for each in found["1m", "BTC-USD"]] == [101.0] and len(closing) == 0
    closing.take(Candle(interval="1m", bar=bar(1)))
    closing.broke()
    assert closing.due(at_ns + 999 * NS_PER_S) == {} and closing.forgotten == 1


async def turns() -> None:
    """Let every task run."""
    for _ in range(300):
        await asyncio.sleep(0)


async def test_what_the_bus_cannot_take_in_time_shows_as_a_jump() -> None:
    net, clock, heard = LoopbackNet(), FixedClock(), list[Push]()

    async def hear(subject: str, body: bytes) -> None:
        heard.append(msgspec.json.decode(body, type=Push))

    async def connect(known: Net | None) -> Net | None:
        return net

    await net.subscribe(subject_of("kraken"), hear)  # type: ignore[arg-type]
    outbox = Outbox("kraken", 1, clock, connect)
    work = asyncio.create_task(outbox.run())
    await turns()
    before = heard[-1].seq
    for number in range(MOST_WAITING + 10):
        outbox.put(Mids(at_ns=number, mids={}))
    await turns()
    told = next(push for push in heard if push.events)
    assert told.seq > before + 10 and told.events[0].at_ns == 10 and outbox.dropped == 10
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_questions_are_answered_on_the_socket_whatever_the_home_is_called(tmp_path: Path) -> None:
    run = tmp_path / ("long" * 20) / ("name" * 20)
    run.mkdir(parents=True)
    clock, disk = FixedClock(), MemoryDisk()
    board, store = FeedBoard(clock, ["BTC-USD"], NS_PER_S), CandleStore(HOME, disk)
    series = Series(venue="kraken", symbol="BTC-USD", interval="1m")
    store.add(series, [bar(minute) for minute in range(10)], Source.REST, bar(100).open_ns)
    board.take(Top(symbol="BTC-USD", at_ns=1, bid=1.0, bid_size=2.0, ask=3.0, ask_size=4.0))
    with pytest.raises(Silent):
        await ask(run, "kraken", "get_mids")
    socket = Socket(Desk("kraken", board, store, lambda: None))  # type: ignore[arg-type,return-value]
    await socket.open(run, "kraken")
    assert (await ask(run, "kraken", "get_bbo", symbol="BTC-USD"))["ask_size"] == 4.0
    found = await ask(run, "kraken", "get_candles", symbol="BTC-USD", interval="1m", limit=3)
    assert [each["open_ns"] for each in found] == [bar(minute).open_ns for minute in (7, 8, 9)]
    times = await ask(run, "kraken", "get_last_closed_candle_times", interval="1m")
    assert times == {"BTC-USD": bar(9).open_ns}
    for method, given in (("nonsense", {}), ("get_bbo", {"symbol": "no"}), ("get_bbo", {})):
        with pytest.raises(LookupError):
            await ask(run, "kraken", method, **given)
    await socket.close()
