"""What anybody may hear and ask of a venue, with no key: prices, books, trades, funding and candles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from venues.types import Bar, Record, Side

Level = tuple[float, float]
"""Price and size of one level of a book."""


class Top(Record, tag="bbo"):
    """Best bid and offer of one symbol; both sides are there."""

    symbol: str
    at_ns: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Book(Record, tag="book"):
    """The best levels of one symbol, best first. `is_proved`: the venue's own checksum matched."""

    symbol: str
    at_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    is_proved: bool


class Trade(Record, tag="trade"):
    """One public trade; `side` is the one that took. `trade_id` is unique with symbol and time."""

    symbol: str
    at_ns: int
    trade_id: str
    side: Side
    price: float
    size: float


class Mids(Record, tag="mids"):
    """The middle of every symbol that the venue tells, by our names."""

    at_ns: int
    mids: dict[str, float]


class Funding(Record, tag="funding"):
    """The rate that the next hourly payment would have (fraction of notional, longs pay above 0)."""

    symbol: str
    at_ns: int
    rate: float
    mark: float


class Candle(Record, tag="candle"):
    """One candle as it stands; it may still change, unless it `is_closed` and its grace has passed."""

    interval: str
    bar: Bar
    is_closed: bool = False


PublicEvent = Top | Book | Trade | Mids | Funding | Candle
Tell = Callable[[PublicEvent], None]


class CandleVenue(Protocol):
    """Where candles of the past are asked for."""

    @property
    def name(self) -> str: ...

    @property
    def page_bars(self) -> int:
        """How many bars one answer may hold."""
        ...

    @property
    def intervals(self) -> Sequence[str]: ...

    async def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Return the bars that open in `start_ns <= t < end_ns`, oldest first, the newest perhaps open.

        Raises `Retryable`, `Refused` or `OutcomeUnknown`.
        """
        ...


class PublicVenue(CandleVenue, Protocol):
    """One venue's public side: a stream that is kept open, and questions."""

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def breaks(self) -> int:
        """How often a message or a book was not what it should be, and everything was subscribed to anew."""
        ...

    def start(self, tell: Tell, on_whole: Callable[[bool], None]) -> None:
        """Open the stream; `on_whole(True)` once every subscription stands, `on_whole(False)` when not."""
        ...

    async def close(self) -> None: ...
