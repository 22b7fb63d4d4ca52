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
from venues.bars import QuoteBars
from venues.contract import VenueError
from venues.kraken.balances import CHANNEL as BALANCES
from venues.kraken.balances import REQUEST_ID as OF_BALANCES
from venues.kraken.balances import Balances
from venues.kraken.book import BookBroken, KrakenBook
from venues.kraken.names import Names
from venues.kraken.precision import Rules
from venues.kraken.system import System
from venues.kraken.translate import Json, amount, execution_event, table
from venues.types import MarketEvent, OrderEvent, Quote

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


def _hear(system: System, said: Json) -> None:
    for row in _rows(said):
        system.heard(row)


class OwnStream:
    """The executions of one account. `names` is shared with whoever asks by REST."""

    def __init__(
        self,
        link: MessageLink,
        token: Token,
        symbols: Mapping[str, str],
        names: Names,
        system: System,
        balances: Balances,
        on_event: Callable[[OrderEvent], None],
        on_whole: Callable[[bool], None],
    ) -> None:
        self._link, self._token, self._symbols, self._names = link, token, symbols, names
        self._on_event, self._on_whole, self._system = on_event, on_whole, system
        self._balances = balances
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
        self._balances.end()
        if self._asking is not None:
            self._asking.cancel()
        if is_up:
            self._asking = asyncio.get_running_loop().create_task(self._subscribe(), name="kraken token")
        else:
            self._on_whole(False)

    async def _subscribe(self) -> None:
        """Fetch a token and subscribe; where that fails, the connection is opened anew."""
        try:
            token = await self._token()
            params = {"channel": "executions", "token": token, "snap_orders": True}
            self._link.send(msgspec.json.encode({"method": "subscribe", "params": params}))
            self._balances.begin(token)
        except (VenueError, Unsent, ValueError):
            self._link.drop()

    def _frame(self, frame: bytes) -> None:
        try:
            said = _read(frame)
            if said.get("success") is False and said.get("req_id") != OF_BALANCES:
                raise ValueError(str(said.get("error")))
            if said.get("channel") == "executions":
                self._executions(said)
            elif said.get("channel") == BALANCES:
                self._balances.heard(said)
            elif said.get("channel") == "status":
                _hear(self._system, said)
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
            event = execution_event(self._names.read(str(row["order_id"]), row), self._symbols)
            if event is not None:
                self._on_event(event)
        if is_snapshot:
            self._on_whole(True)


class MarketStream:
    """Quotes of all pairs from their proved books, and bars that these quotes add up to."""

    def __init__(
        self,
        link: MessageLink,
        rules: Sequence[Rules],
        bar_ns: int,
        system: System,
        tell: Callable[[MarketEvent], None],
    ) -> None:
        self._link, self._system = link, system
        self._rules = {each.wsname: each for each in rules}
        self._books: dict[str, KrakenBook] = {}
        self.bars = QuoteBars(bar_ns, tell)
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
        return Decimal(repr(self.bars.mid(symbol) or 0.0))

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
                    self.bars.traded(self._rules[str(row["symbol"])].symbol, float(amount(row["qty"])))
            elif said.get("channel") == "status":
                _hear(self._system, said)
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
            bid, ask = float(best[0]), float(best[1])
            self.bars.quote(Quote(symbol=rules.symbol, at_ns=at_ns, bid=bid, ask=ask))
