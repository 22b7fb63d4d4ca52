"""Kraken's public side, without a key: books proved by their checksums, best prices, trades, candles.

A checksum that does not match, a crossed book or a message that cannot be read breaks the connection:
everything is subscribed to anew, and nothing is told of a book before its new snapshot.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S, Clock, utc_ns
from seams.wire import MessageLink, Unsent
from venues.contract import OutcomeUnknown, VenueError
from venues.kraken.asking import Asker
from venues.kraken.book import BookBroken, KrakenBook
from venues.kraken.capabilities import PAIRS
from venues.kraken.precision import NAME, Rules
from venues.kraken.translate import Json, amount, rules_of, table
from venues.public import Book, Candle, Mids, PublicEvent, Tell, Top, Trade
from venues.seen import Seen
from venues.types import Bar, Side

DEPTH = 10
CAP_BARS = 720
MIDS_EVERY_NS = NS_PER_S
INTERVALS_MIN = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
"""The intervals that are kept and that the venue has, in minutes."""
ASKED_MIN = INTERVALS_MIN | {"1d": 1_440}
"""Those that may be asked for."""


class KrakenPublic:
    """One connection for some pairs, and the questions that anybody may ask."""

    def __init__(
        self,
        link: MessageLink,
        asker: Asker,
        clock: Clock,
        pairs: Sequence[Rules] = PAIRS,
        intervals: Sequence[str] = tuple(INTERVALS_MIN),
    ) -> None:
        self._link, self._asker, self._clock = link, asker, clock
        self._rules = {each.wsname: each for each in pairs}
        self.intervals = tuple(intervals)
        self._books: dict[str, KrakenBook] = {}
        self._tops: dict[str, Top] = {}
        self._mids_ns = 0
        self._seen = Seen()
        self._unheard: set[tuple[str, str, str]] = set()
        self._asking: asyncio.Task[None] | None = None
        self._tell: Tell = lambda event: None
        self._on_whole: Callable[[bool], None] = lambda is_whole: None
        self.breaks = 0

    @property
    def name(self) -> str:
        return NAME

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(each.symbol for each in self._rules.values())

    @property
    def page_bars(self) -> int:
        return CAP_BARS

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """See `CandleVenue.candles`; `since` is exclusive, and the venue takes no end."""
        rules = next(each for each in self._rules.values() if each.symbol == symbol)
        return await asked_candles(self._asker.public, rules, interval, (start_ns, end_ns))

    def start(self, tell: Tell, on_whole: Callable[[bool], None]) -> None:
        """See `PublicVenue.start`."""
        self._tell, self._on_whole = tell, on_whole
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        """End the stream."""
        await self._stop_asking()
        await self._link.close()
        await self._asker.close()

    async def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
            self._asking = None

    def _state(self, is_up: bool) -> None:
        self._books, self._tops = {}, {}
        self._on_whole(False)
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if is_up:
            self._asking = asyncio.get_running_loop().create_task(self._open(), name="kraken feed")

    async def _open(self) -> None:
        """Take over how the venue counts each pair, then subscribe: a checksum is over its decimals."""
        try:
            said = table(await self._asker.public("AssetPairs"))
            for name, rules in self._rules.items():
                if rules.pair_id in said:
                    self._rules[name] = rules_of(rules.pair_id, table(said[rules.pair_id]))
        except (VenueError, ValueError, KeyError):
            self.breaks += 1  # with what we know the checksums still prove, or break, the books
        try:
            self._subscribe()
        except Unsent:
            return

    def _subscribe(self) -> None:
        symbols = list(self._rules)
        wanted: list[dict[str, object]] = [
            {"channel": "book", "depth": DEPTH},
            {"channel": "trade", "snapshot": True},
        ]
        wanted += [
            {"channel": "ohlc", "interval": INTERVALS_MIN[each], "snapshot": False} for each in self.intervals
        ]
        self._unheard = {_name(each, symbol) for each in wanted for symbol in symbols}
        for params in wanted:
            said = {"method": "subscribe", "params": {**params, "symbol": symbols}}
            self._link.send(msgspec.json.encode(said))

    def _frame(self, frame: bytes) -> None:
        try:
            said = table(json.loads(frame, parse_float=Decimal))
            if said.get("success") is False:
                raise ValueError(str(said.get("error")))
            if said.get("method") == "subscribe":
                self._heard(table(said["result"]))
                return
            for event in self._events(said):
                self._tell(event)
        except (ValueError, KeyError, BookBroken):
            self.breaks += 1
            self._books, self._tops = {}, {}
            self._on_whole(False)
            self._link.drop()

    def _heard(self, result: Json) -> None:
        self._unheard.discard(_name(result, str(result["symbol"])))
        if not self._unheard:
            self._on_whole(True)

    def _events(self, said: Json) -> Iterator[PublicEvent]:
        """Read one message. Raises `ValueError`, `KeyError` or `BookBroken`."""
        channel = said.get("channel")
        if channel == "book":
            for row in _rows(said):
                yield from self._book(str(said["type"]), row)
        elif channel == "trade":
            for row in _rows(said):
                trade = trade_of(row, self._rules[str(row["symbol"])].symbol)
                if self._seen.is_new(trade.symbol, trade.trade_id):
                    yield trade
        elif channel == "ohlc":
            for row in _rows(said):
                yield candle_of(row, self._rules[str(row["symbol"])].symbol)

    def _book(self, kind: str, row: Json) -> Iterator[PublicEvent]:
        rules = self._rules[str(row["symbol"])]
        if kind == "snapshot":
            self._books[rules.symbol] = KrakenBook(rules.price_decimals, rules.lot_decimals, DEPTH)
        book = self._books[rules.symbol]
        book.take(kind, row)
        at_ns = utc_ns(str(row["timestamp"]))
        bids, asks = book.levels()
        yield Book(symbol=rules.symbol, at_ns=at_ns, bids=bids, asks=asks, is_proved=True)
        if not bids or not asks:
            return
        best = (*bids[0], *asks[0])
        top = Top(
            symbol=rules.symbol, at_ns=at_ns, bid=best[0], bid_size=best[1], ask=best[2], ask_size=best[3]
        )
        self._tops[rules.symbol] = top
        yield top
        now_ns = self._clock.now_ns()
        if now_ns - self._mids_ns >= MIDS_EVERY_NS:
            self._mids_ns = now_ns
            mids = {symbol: (each.bid + each.ask) / 2 for symbol, each in self._tops.items()}
            yield Mids(at_ns=now_ns, mids=mids)


async def asked_candles(
    ask: Callable[..., Awaitable[object]], rules: Rules, interval: str, window: tuple[int, int]
) -> list[Bar]:
    """Ask for the bars that open in `window` (UTC ns, end excluded), oldest first. Raises `VenueError`."""
    minutes, since = ASKED_MIN[interval], str(max(0, window[0] // NS_PER_S - 1))
    said = await ask("OHLC", pair=rules.altname, interval=str(minutes), since=since)
    try:
        rows = table(said)[rules.pair_id]
        if not isinstance(rows, list):
            raise ValueError("no list of candles")
        bars = [bar_of(row, rules.symbol, minutes) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise OutcomeUnknown(f"an answer that cannot be read: {error}") from error
    return [bar for bar in bars if window[0] <= bar.open_ns < window[1]]


def bar_of(row: object, symbol: str, minutes: int) -> Bar:
    """Read one row of `OHLC`: time in s, open, high, low, close, vwap, volume, count. Raises `ValueError`."""
    if not isinstance(row, list) or len(row) < 8:
        raise ValueError("not a candle")
    open_ns = int(row[0]) * NS_PER_S
    prices = {name: float(amount(row[place])) for name, place in _PLACES}
    return Bar(symbol=symbol, open_ns=open_ns, close_ns=open_ns + minutes * 60 * NS_PER_S, **prices)


_PLACES = (("open", 1), ("high", 2), ("low", 3), ("close", 4), ("volume", 6))


def candle_of(row: Json, symbol: str) -> Candle:
    """Read one `ohlc` push; nothing in it says whether the candle is finished. Raises `ValueError`."""
    minutes, open_ns = int(str(row["interval"])), utc_ns(str(row["interval_begin"]))
    interval = next((name for name, each in INTERVALS_MIN.items() if each == minutes), None)
    if interval is None:
        raise ValueError(f"an interval of {minutes} minutes that nobody asked for")
    prices = {name: float(amount(row[name])) for name, _ in _PLACES}
    bar = Bar(symbol=symbol, open_ns=open_ns, close_ns=open_ns + minutes * 60 * NS_PER_S, **prices)
    return Candle(interval=interval, bar=bar)


def trade_of(row: Json, symbol: str) -> Trade:
    """Read one public trade. Raises `ValueError` or `KeyError`."""
    return Trade(
        symbol=symbol,
        at_ns=utc_ns(str(row["timestamp"])),
        trade_id=str(row["trade_id"]),
        side=Side(str(row["side"])),
        price=float(amount(row["price"])),
        size=float(amount(row["qty"])),
    )


def _rows(said: Json) -> list[Json]:
    data = said.get("data")
    if not isinstance(data, list):
        raise ValueError("a message without data")
    return [table(row) for row in data]


def _name(params: Json, symbol: str) -> tuple[str, str, str]:
    return str(params["channel"]), symbol, str(params.get("interval", ""))
