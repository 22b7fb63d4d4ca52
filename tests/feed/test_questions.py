"""What a feed says of its candles: ready is what ends with the last bar that has closed, with its grace."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.feed.board import FeedBoard
from engine.feed.candles import GRACE_NS, CandleStore, Series, Source
from engine.feed.questions import Desk
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from tests.feed.test_candles import HOME, bar


class Feed:
    """A feed's desk whose newest closed bar is number 100."""

    def __init__(self, *symbols: str) -> None:
        self.clock = FixedClock(bar(100).close_ns + GRACE_NS)
        self.store = CandleStore(HOME, MemoryDisk())
        board = FeedBoard(self.clock, symbols, NS_PER_S)
        self.desk = Desk("kraken", board, self.store, lambda: None)  # type: ignore[arg-type,return-value]

    def keep(self, symbol: str, minute: int) -> None:
        made = msgspec.structs.replace(bar(minute), symbol=symbol)  # type: ignore[type-var]
        series = Series(venue="kraken", symbol=symbol, interval="1m")
        self.store.add(series, [made], Source.REST, self.clock.now_ns())

    def told(self, method: str) -> Any:
        line = msgspec.json.encode({"id": 1, "method": method, "params": {"interval": "1m"}})
        answer = self.desk.answer(line)
        assert answer.ok, answer.error
        return answer.result


def test_candles_are_ready_only_where_every_symbol_ends_with_the_last_closed_bar() -> None:
    feed = Feed("BTC-USD", "ETH-USD")
    nothing = {"newest_open_ns": None, "bars_missing": None, "is_ready": False}
    assert feed.told("candles_health") == {"BTC-USD": nothing, "ETH-USD": nothing}
    assert feed.told("candles_ready") is False
    feed.keep("BTC-USD", 98)
    feed.keep("ETH-USD", 100)
    missing = {symbol: each["bars_missing"] for symbol, each in feed.told("candles_health").items()}
    assert missing == {"BTC-USD": 2, "ETH-USD": 0} and feed.told("candles_ready") is False
    feed.keep("BTC-USD", 100)
    assert feed.told("candles_ready") is True


def test_a_bar_counts_as_missing_once_its_grace_is_over_and_not_before() -> None:
    feed = Feed("BTC-USD")
    feed.keep("BTC-USD", 100)
    feed.clock.advance(59.0)
    assert feed.told("candles_ready") is True
    feed.clock.advance(1.0)
    assert feed.told("candles_health")["BTC-USD"]["bars_missing"] == 1
    assert feed.told("candles_ready") is False


def test_a_feed_without_symbols_has_nothing_that_is_ready() -> None:
    assert Feed().told("candles_ready") is False
