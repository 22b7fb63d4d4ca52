"""Hyperliquid's public side, without a key: mids, best prices, books, trades, funding, candles.

The venue counts nothing, so a message that cannot be read, a crossed book or one whose sides are not in
order breaks the connection: everything is subscribed to anew, and each first book is a whole one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from seams.clock import NS_PER_MS, Clock
from seams.wire import MessageLink
from venues.hyperliquid import translate
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.capabilities import NAME, WATCHED
from venues.hyperliquid.subscriptions import Subscriptions
from venues.json_fields import read
from venues.public import Book, Candle, Funding, Level, Mids, PublicEvent, Tell, Top, Trade
from venues.seen import Seen
from venues.types import Bar

PAGE_BARS = 1_500
INTERVALS_MS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000}
"""The intervals that are kept (OC-20), and their length."""
ASKED_MS = INTERVALS_MS | {"1d": 86_400_000}
"""Those that may be asked for."""


class HyperliquidPublic:
    """One connection for some coins, and the questions that anybody may ask."""

    def __init__(
        self,
        link: MessageLink,
        asker: Asker,
        clock: Clock,
        coins: Sequence[str] = WATCHED,
        intervals: Sequence[str] = tuple(INTERVALS_MS),
    ) -> None:
        self._link, self._asker, self._clock, self._coins = link, asker, clock, tuple(coins)
        self.intervals = tuple(intervals)
        self._seen = Seen()
        self._book_ns: dict[str, int] = {}
        self._subscriptions = Subscriptions(link, clock, "hyperliquid feed ping")
        self._tell: Tell = lambda event: None
        self._on_whole: Callable[[bool], None] = lambda is_whole: None
        self.breaks = 0
        self.late_books = 0
        """Books that were older than one told before; they say nothing about now."""

    @property
    def name(self) -> str:
        return NAME

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(translate.symbol_of(coin) for coin in self._coins)

    @property
    def page_bars(self) -> int:
        return PAGE_BARS

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """See `CandleVenue.candles`."""
        return await asked_candles(self._asker.ask, symbol, interval, (start_ns, end_ns))

    def start(self, tell: Tell, on_whole: Callable[[bool], None]) -> None:
        """See `PublicVenue.start`."""
        self._tell, self._on_whole = tell, on_whole
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        """End the stream."""
        self._subscriptions.end()
        await self._link.close()
        await self._asker.close()

    def _state(self, is_up: bool) -> None:
        self._subscriptions.end()
        self._on_whole(False)
        if is_up:
            self._subscriptions.begin(self._wanted())

    def _wanted(self) -> list[dict[str, str]]:
        wanted: list[dict[str, str]] = [{"type": "allMids"}]
        for coin in self._coins:
            wanted += [{"type": kind, "coin": coin} for kind in ("bbo", "l2Book", "trades", "activeAssetCtx")]
            wanted += [{"type": "candle", "coin": coin, "interval": each} for each in self.intervals]
        return wanted

    def _frame(self, frame: bytes) -> None:
        try:
            said = translate.table(msgspec.json.decode(frame))
            channel, data = translate.text(said, "channel"), said.get("data")
            if channel == "subscriptionResponse":
                if self._subscriptions.heard(translate.table(translate.table(data)["subscription"])):
                    self._on_whole(True)
            elif channel == "error":
                raise ValueError(f"the stream was refused: {str(data)[:200]}")
            else:
                for event in self._events(channel, data):
                    self._tell(event)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            self.breaks += 1
            self._on_whole(False)
            self._link.drop()

    def _events(self, channel: str, data: Any) -> Iterator[PublicEvent]:
        """Read one message. Raises `ValueError`, `KeyError` or `TypeError`."""
        now_ns = self._clock.now_ns()
        if channel == "bbo":
            top = top_of(translate.table(data))
            if top is not None:
                yield top
        elif channel == "l2Book":
            book = book_of(translate.table(data))
            if book.at_ns < self._book_ns.get(book.symbol, 0):
                self.late_books += 1
                return
            self._book_ns[book.symbol] = book.at_ns
            yield book
        elif channel == "trades":
            for each in translate.rows(data):
                trade = trade_of(each)
                if self._seen.is_new(trade.symbol, f"{trade.at_ns}:{trade.trade_id}"):
                    yield trade
        elif channel == "allMids":
            said = translate.table(translate.table(data)["mids"])
            known = [coin for coin in self._coins if coin in said]
            mids = {translate.symbol_of(coin): float(translate.amount(said, coin)) for coin in known}
            yield Mids(at_ns=now_ns, mids=mids)
        elif channel == "activeAssetCtx":
            yield funding_of(translate.table(data), now_ns)
        elif channel == "candle":
            for each in data if isinstance(data, list) else [data]:
                yield candle(translate.table(each))


async def asked_candles(
    ask: Callable[..., Awaitable[Any]], symbol: str, interval: str, window: tuple[int, int]
) -> list[Bar]:
    """Ask for the bars that open in `window` (UTC ns, end excluded), oldest first. Raises `VenueError`."""
    start_ns, end_ns = window
    span = {"startTime": start_ns // NS_PER_MS, "endTime": end_ns // NS_PER_MS - 1}
    req = {"coin": symbol.removesuffix(translate.SUFFIX), "interval": interval, **span}
    said = await ask("candleSnapshot", req=req)
    bars = read(lambda rows: [candle(each).bar for each in translate.rows(rows)], said)
    return [bar for bar in bars if bar.symbol == symbol and start_ns <= bar.open_ns < end_ns]


def candle(said: dict[str, Any]) -> Candle:
    """Read one candle, asked or pushed. Raises `ValueError` or `KeyError`."""
    interval, start_ms = translate.text(said, "i"), translate.number(said, "t")
    length_ms = ASKED_MS[interval]
    if translate.number(said, "T") != start_ms + length_ms - 1:
        raise ValueError("a candle of another length than its interval")
    prices = {name: float(translate.amount(said, key)) for name, key in _PRICES}
    bar = Bar(
        symbol=translate.symbol_of(translate.text(said, "s")),
        open_ns=start_ms * NS_PER_MS,
        close_ns=(start_ms + length_ms) * NS_PER_MS,
        **prices,
    )
    return Candle(interval=interval, bar=bar)


_PRICES = (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v"))


def top_of(said: dict[str, Any]) -> Top | None:
    """Read a `bbo` push; None where a side is empty. Raises `ValueError` for a crossed one."""
    bid, ask = said["bbo"]
    if bid is None or ask is None:
        return None
    levels = _level(translate.table(bid)), _level(translate.table(ask))
    if levels[0][0] >= levels[1][0]:
        raise ValueError("best bid and offer are crossed")
    return Top(
        symbol=translate.symbol_of(translate.text(said, "coin")),
        at_ns=translate.number(said, "time") * NS_PER_MS,
        bid=levels[0][0],
        bid_size=levels[0][1],
        ask=levels[1][0],
        ask_size=levels[1][1],
    )


def book_of(said: dict[str, Any]) -> Book:
    """Read a whole book. Raises `ValueError` where it is crossed, or a side is not in order."""
    bids, asks = (tuple(_level(each) for each in translate.rows(side)) for side in said["levels"])
    if any(above[0] <= below[0] for above, below in pairwise(bids)):
        raise ValueError("bids that do not fall")
    if any(below[0] >= above[0] for below, above in pairwise(asks)):
        raise ValueError("asks that do not rise")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise ValueError("the book is crossed")
    return Book(
        symbol=translate.symbol_of(translate.text(said, "coin")),
        at_ns=translate.number(said, "time") * NS_PER_MS,
        bids=bids,
        asks=asks,
        is_proved=False,
    )


def trade_of(said: dict[str, Any]) -> Trade:
    """Read one public trade. Raises `ValueError` or `KeyError`."""
    return Trade(
        symbol=translate.symbol_of(translate.text(said, "coin")),
        at_ns=translate.number(said, "time") * NS_PER_MS,
        trade_id=str(translate.number(said, "tid")),
        side=translate.SIDES[translate.text(said, "side")],
        price=float(translate.amount(said, "px")),
        size=float(translate.amount(said, "sz")),
    )


def funding_of(said: dict[str, Any], now_ns: int) -> Funding:
    """Read an `activeAssetCtx` push, which carries no time. Raises `ValueError`."""
    context = translate.table(said["ctx"])
    return Funding(
        symbol=translate.symbol_of(translate.text(said, "coin")),
        at_ns=now_ns,
        rate=float(translate.amount(context, "funding")),
        mark=float(translate.amount(context, "markPx")),
    )


def _level(said: dict[str, Any]) -> Level:
    price, size = float(translate.amount(said, "px")), float(translate.amount(said, "sz"))
    if price <= 0 or size <= 0:
        raise ValueError("a level without price or size")
    return price, size
