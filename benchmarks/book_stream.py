"""Messages a second through a venue's book stream, from a frame's bytes to the board and the bus's bytes.

    python -m benchmarks book_stream [--frames N] [--json]

The frames are the loopback venues' own (proved by checksum for Kraken), recorded once and then handed to a
fresh stream as fast as it takes them. Beside each rate stands the plain parse of the same bytes, in turns in
one process, so that a busy machine touches both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.feed.board import FeedBoard
from engine.feed.messages import Push
from seams.clock import FixedClock
from seams.wire import FrameHandler, StateHandler
from venues.hyperliquid.asking import Asker as HyperliquidAsker
from venues.hyperliquid.budget import Budget
from venues.hyperliquid.public import HyperliquidPublic
from venues.kraken.asking import Asker as KrakenAsker
from venues.kraken.capabilities import PAIRS
from venues.kraken.public import KrakenPublic
from venues.public import PublicEvent
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
from venues.sandbox.inprocess import PeerCaller
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.types import Quote

FRAMES, ROUNDS = 4_000, 5
START_S = 1_790_000_000


class Tape:
    """A `MessageLink` that is spoken by hand, and a `Line` that records what a loopback venue pushes."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.drops = 0
        self.say: FrameHandler = lambda frame: None

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self.say = on_frame

    def send(self, frame: bytes) -> None:
        """Subscriptions go nowhere: the frames are recorded already."""

    def drop(self) -> None:
        self.drops += 1

    async def close(self) -> None:
        """Nothing is open."""

    def push(self, text: bytes) -> None:
        self.frames.append(text)


class Line(Tape):
    """What a loopback venue holds of a connection."""

    def close(self, code: int) -> None:  # type: ignore[override]
        """The venue never ends this one."""


def kraken_frames(count: int) -> list[bytes]:
    """Return so many book messages of BTC/USD: a snapshot, then updates that each prove their checksum."""
    clock, dice = FixedClock(START_S * 10**9), random.Random(1)
    exchange, line = KrakenExchange(clock, [], []), Line()
    exchange.on_market(Quote(symbol="BTC/USD", at_ns=clock.now_ns(), bid=60_000.0, ask=60_000.1))
    session = exchange.open("public", "/v2", line)
    assert session is not None
    asked = {"channel": "book", "depth": 10, "symbol": ["BTC/USD"]}
    session.take(msgspec.json.encode({"method": "subscribe", "params": asked}))
    bid = 600_000
    while sum(b'"channel":"book"' in frame for frame in line.frames) < count:
        clock.advance(0.1)
        bid += dice.choice((-3, -2, -1, 1, 2, 3))
        quote = Quote(symbol="BTC/USD", at_ns=clock.now_ns(), bid=bid / 10, ask=(bid + 1) / 10)
        exchange.on_market(quote)
        exchange.advance()
    return [frame for frame in line.frames if b'"channel":"book"' in frame][:count]


def hyperliquid_frames(count: int) -> list[bytes]:
    """Return so many whole books of BTC, 20 levels a side."""
    clock, dice = FixedClock(START_S * 10**9), random.Random(1)
    exchange, line = HyperliquidExchange(clock), Line()
    session = exchange.open("", "/ws", line)
    assert session is not None
    bid = 60_000
    exchange.on_market(Quote(symbol="BTC", at_ns=clock.now_ns(), bid=float(bid), ask=float(bid + 1)))
    asked = {"type": "l2Book", "coin": "BTC"}
    session.take(msgspec.json.encode({"method": "subscribe", "subscription": asked}))
    while sum(b'"channel":"l2Book"' in frame for frame in line.frames) < count:
        clock.advance(0.5)
        bid += dice.choice((-3, -2, -1, 1, 2, 3))
        quote = Quote(symbol="BTC", at_ns=clock.now_ns(), bid=float(bid), ask=float(bid + 1))
        exchange.on_market(quote)
        exchange.advance()
    return [frame for frame in line.frames if b'"channel":"l2Book"' in frame][:count]


def kraken_stream(tape: Tape, clock: FixedClock) -> KrakenPublic:
    caller = PeerCaller(KrakenExchange(clock, [], []), clock)
    return KrakenPublic(tape, KrakenAsker(caller, "x"), clock, PAIRS[:1])


def hyperliquid_stream(tape: Tape, clock: FixedClock) -> HyperliquidPublic:
    caller = PeerCaller(HyperliquidExchange(clock), clock)
    return HyperliquidPublic(tape, HyperliquidAsker(caller, "x", Budget(clock)), clock, ["BTC"])


def parse_kraken(frame: bytes) -> object:
    return json.loads(frame, parse_float=Decimal)


def parse_hyperliquid(frame: bytes) -> object:
    return msgspec.json.decode(frame)


async def rates(
    frames: list[bytes], make: Callable[[Tape, FixedClock], object], parse: Callable[[bytes], object]
) -> dict[str, float]:
    """Return the best rates of `ROUNDS` in turns: the whole way, the way to the board alone, the parse."""
    whole, board_only, parsed = 0.0, 0.0, 0.0
    for _ in range(ROUNDS):
        parsed = max(parsed, _rate(len(frames), lambda: [parse(frame) for frame in frames]))
        board_only = max(board_only, _rate(len(frames), lambda: _run(frames, make, is_pushed=False)))
        whole = max(whole, _rate(len(frames), lambda: _run(frames, make, is_pushed=True)))
    return {
        "frames": len(frames),
        "to_bus_per_s": round(whole),
        "to_board_per_s": round(board_only),
        "parse_alone_per_s": round(parsed),
        "ratio_to_parse": round(whole / parsed, 3),
    }


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return count / (time.process_time() - began)


def _run(frames: list[bytes], make: Callable[[Tape, FixedClock], object], *, is_pushed: bool) -> None:
    tape, clock = Tape(), FixedClock(START_S * 10**9)
    stream = make(tape, clock)
    board = FeedBoard(clock, stream.symbols, 10**10)  # type: ignore[attr-defined]

    def tell(event: PublicEvent) -> None:
        board.take(event)
        if is_pushed:
            push = Push(
                venue="x", boot_ns=1, seq=board.events, at_ns=1, is_whole=True, stale=(), events=(event,)
            )
            msgspec.json.encode(push)

    stream.start(tell, lambda is_whole: None)  # type: ignore[attr-defined]
    for frame in frames:
        tape.say(frame)
    assert tape.drops == 0 and stream.breaks == 0, "a book of the recording was not the venue's"  # type: ignore[attr-defined]
    assert board.events >= len(frames)


def main(arguments: list[str]) -> int:
    """Print the rates by processor time; a book that is not the venue's is an error."""
    parser = argparse.ArgumentParser(prog="benchmarks book_stream", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--frames", type=int, default=FRAMES, help="how many messages of each venue")
    given = parser.parse_args(arguments)
    figures = {
        "kraken": asyncio.run(rates(kraken_frames(given.frames), kraken_stream, parse_kraken)),
        "hyperliquid": asyncio.run(
            rates(hyperliquid_frames(given.frames), hyperliquid_stream, parse_hyperliquid)
        ),
    }
    if given.json:
        print(json.dumps(figures))
    else:
        for venue, found in figures.items():
            print(venue, "\n".join(f"  {name:18} {value}" for name, value in found.items()), sep="\n")
    return 0
