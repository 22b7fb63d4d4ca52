"""What Kraken pushes: our executions, counted without a gap, and books proved by their checksums.

A gap, a message that cannot be read or a book that is not the venue's breaks the connection: everything
is subscribed to anew, and the engine asks what it missed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal

import msgspec

from seams.clock import utc_ns
from seams.wire import MessageLink, Unsent
from venues.contract import VenueError
from venues.kraken.book import BookBroken, KrakenBook
from venues.kraken.precision import Rules
from venues.kraken.translate import Json, amount, execution_event, table
from venues.types import Bar, BarOpen, MarketEvent, OrderEvent, Quote

DEPTH = 10
Token = Callable[[], Coroutine[None, None, str]]


def _read(frame: bytes) -> Json:
    """Read one message. Raises `ValueError`."""
    return table(json.loads(frame, parse_float=Decimal))


def _rows(said: Json) -> list[Json]:
    data = said.get("data")
    if not isinstance(data, list):
        raise ValueError("a message without data")
    return [table(row) for row in data]


class OwnStream:
    """The executions of one account. `names` (venue id -> our id) is shared with whoever asks by REST."""

    def __init__(
        self,
        link: MessageLink,
        token: Token,
        symbols: Mapping[str, str],
        names: dict[str, str],
        on_event: Callable[[OrderEvent], None],
        on_whole: Callable[[bool], None],
    ) -> None:
        self._link, self._token, self._symbols, self._names = link, token, symbols, names
        self._on_event, self._on_whole = on_event, on_whole
        self._sequence: int | None = None
        self._asking: asyncio.Task[None] | None = None
        self.bad_frames = 0

    def start(self) -> None:
        """Open the stream and keep it open."""
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        """End the stream."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._link.close()

    def _state(self, is_up: bool) -> None:
        self._sequence = None
        if self._asking is not None:
            self._asking.cancel()
        if is_up:
            self._asking = asyncio.get_running_loop().create_task(self._subscribe(), name="kraken token")
        else:
            self._on_whole(False)

    async def _subscribe(self) -> None:
        """Fetch a token and subscribe; where that fails, the connection is opened anew."""
        try:
            params = {"channel": "executions", "token": await self._token(), "snap_orders": True}
            self._link.send(msgspec.json.encode({"method": "subscribe", "params": params}))
        except (VenueError, Unsent, ValueError):
            self._link.drop()

    def _frame(self, frame: bytes) -> None:
        try:
            said = _read(frame)
            if said.get("success") is False:
                raise ValueError(str(said.get("error")))
            if said.get("channel") == "executions":
                self._executions(said)
        except (ValueError, KeyError):
            self.bad_frames += 1
            self._on_whole(False)
            self._link.drop()

    def _executions(self, said: Json) -> None:
        number = int(str(said["sequence"]))
        is_snapshot = said.get("type") == "snapshot"
        if not is_snapshot and (self._sequence is None or number != self._sequence + 1):
            if self._sequence is not None and number <= self._sequence:
                return  # a repeat: it was taken when it came first
            raise ValueError(f"a gap in the executions: {self._sequence} then {number}")
        self._sequence = number
        for row in _rows(said):
            event = execution_event(self._named(row), self._symbols)
            if event is not None:
                self._on_event(event)
        if is_snapshot:
            self._on_whole(True)

    def _named(self, row: Json) -> Json:
        """Give a row our id where the venue left it out: later messages need not repeat it."""
        txid = str(row["order_id"])
        if row.get("cl_ord_id"):
            self._names[txid] = str(row["cl_ord_id"])
        known = self._names.get(txid)
        return row if known is None else {**row, "cl_ord_id": known}


class MarketStream:
    """Quotes of all pairs from their proved books, and bars that these quotes add up to.

    When the first quote of a new bar comes, the bars of all symbols close, then the next ones open, then
    the quote is told. A bar's prices are mids, its volume is what was traded.
    """

    def __init__(
        self, link: MessageLink, rules: Sequence[Rules], bar_ns: int, tell: Callable[[MarketEvent], None]
    ) -> None:
        self._link, self._bar_ns, self._tell = link, bar_ns, tell
        self._rules = {each.wsname: each for each in rules}
        self._books: dict[str, KrakenBook] = {}
        self._bars: dict[str, Bar] = {}
        self._open_ns = 0
        self.breaks = 0
        """How often a book or a message was not what it should be."""

    def start(self) -> None:
        """Open the stream and keep it open."""
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        """End the stream."""
        await self._link.close()

    def mid(self, symbol: str) -> Decimal:
        """Return a symbol's last mid, 0 before the first."""
        bar = self._bars.get(symbol)
        return Decimal(repr(bar.close)) if bar else Decimal(0)

    def _state(self, is_up: bool) -> None:
        self._books = {}
        if not is_up:
            return
        for channel, more in (("book", {"depth": DEPTH}), ("trade", {"snapshot": False})):
            params = {"channel": channel, "symbol": list(self._rules), **more}
            self._link.send(msgspec.json.encode({"method": "subscribe", "params": params}))

    def _frame(self, frame: bytes) -> None:
        try:
            said = _read(frame)
            if said.get("success") is False:
                raise ValueError(str(said.get("error")))
            if said.get("channel") == "book":
                for row in _rows(said):
                    self._book(str(said["type"]), row)
            elif said.get("channel") == "trade" and said.get("type") == "update":
                for row in _rows(said):
                    self._trade(row)
        except (ValueError, KeyError, BookBroken):
            self.breaks += 1
            self._link.drop()

    def _book(self, kind: str, row: Json) -> None:
        rules = self._rules[str(row["symbol"])]
        if kind == "snapshot":
            self._books[rules.symbol] = KrakenBook(rules.price_decimals, rules.lot_decimals, DEPTH)
        book = self._books[rules.symbol]
        book.take(kind, row)
        best = book.best()
        if best is not None:
            at_ns = utc_ns(str(row["timestamp"]))
            self._quote(Quote(symbol=rules.symbol, at_ns=at_ns, bid=float(best[0]), ask=float(best[1])))

    def _quote(self, quote: Quote) -> None:
        open_ns = quote.at_ns // self._bar_ns * self._bar_ns
        if open_ns > self._open_ns:
            self._turn(open_ns)
        bar, mid = self._bars.get(quote.symbol), quote.mid
        if bar is None:
            self._bars[quote.symbol] = self._fresh(quote.symbol, mid)
        else:
            self._bars[quote.symbol] = _moved(bar, mid)
        self._tell(quote)

    def _turn(self, open_ns: int) -> None:
        """Close every bar and open the next ones; bars that began in the middle are told as well."""
        closed, self._open_ns = self._bars, open_ns
        for bar in closed.values():
            self._tell(bar)
        self._bars = {symbol: self._fresh(symbol, bar.close) for symbol, bar in closed.items()}
        for symbol, bar in self._bars.items():
            self._tell(BarOpen(symbol=symbol, open_ns=open_ns, price=bar.open))

    def _fresh(self, symbol: str, price: float) -> Bar:
        return Bar(
            symbol=symbol,
            open_ns=self._open_ns,
            close_ns=self._open_ns + self._bar_ns,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=0.0,
        )

    def _trade(self, row: Json) -> None:
        symbol = self._rules[str(row["symbol"])].symbol
        bar = self._bars.get(symbol)
        if bar is not None:
            self._bars[symbol] = _traded(bar, float(amount(row["qty"])))


def _moved(bar: Bar, mid: float) -> Bar:
    changed: Bar = msgspec.structs.replace(  # type: ignore[type-var]
        bar, high=max(bar.high, mid), low=min(bar.low, mid), close=mid
    )
    return changed


def _traded(bar: Bar, quantity: float) -> Bar:
    changed: Bar = msgspec.structs.replace(bar, volume=bar.volume + quantity)  # type: ignore[type-var]
    return changed
