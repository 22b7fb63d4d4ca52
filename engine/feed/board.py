"""The newest of everything that a venue told, and whether it still makes progress. No I/O.

Progress is the venue's own time going on, counted on our monotonic clock: a message that says again what
was said before, and a socket that is merely open, are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from engine.feed.messages import SymbolHealth
from seams.clock import NS_PER_MS, Clock
from venues.public import Book, Candle, Funding, Mids, PublicEvent, Top, Trade

E = TypeVar("E", Top, Book, Funding)


class FeedBoard:
    """One venue's symbols."""

    def __init__(self, clock: Clock, symbols: Sequence[str], top_stale_ns: int) -> None:
        self._clock, self.symbols, self._top_stale_ns = clock, tuple(symbols), top_stale_ns
        self.tops: dict[str, Top] = {}
        self.books: dict[str, Book] = {}
        self.funding: dict[str, Funding] = {}
        self.mids: dict[str, float] = {}
        self.candles: dict[tuple[str, str], Candle] = {}
        self.trades: dict[str, int] = dict.fromkeys(self.symbols, 0)
        self.events = 0
        self._progress_ns: dict[tuple[str, str], int] = {}
        self._said_ns: dict[tuple[str, str], int] = {}

    def take(self, event: PublicEvent) -> None:
        """Take over one event."""
        self.events += 1
        if isinstance(event, Top):
            self._newer(self.tops, event, "top")
        elif isinstance(event, Book):
            self._newer(self.books, event, "book")
        elif isinstance(event, Funding):
            self._newer(self.funding, event, "funding")
        elif isinstance(event, Trade):
            self.trades[event.symbol] = self.trades.get(event.symbol, 0) + 1
        elif isinstance(event, Mids):
            self.mids |= event.mids
            self._note("mids", "", event.at_ns)
        else:
            bar = event.bar
            self.candles[event.interval, bar.symbol] = event
            self._note("candle", "", self._clock.now_ns())

    def now_ns(self) -> int:
        """Return the time now (UTC)."""
        return self._clock.now_ns()

    def age_ms(self, what: str, symbol: str = "") -> int | None:
        """Return how long ago this made progress; None where it never did."""
        at_ns = self._progress_ns.get((what, symbol))
        return None if at_ns is None else (self._clock.monotonic_ns() - at_ns) // NS_PER_MS

    def stale(self) -> tuple[str, ...]:
        """Return the symbols whose best prices and book made no progress for longer than the limit."""
        now_ns = self._clock.monotonic_ns()
        return tuple(
            symbol
            for symbol in self.symbols
            if now_ns - max(self._progress_ns.get((what, symbol), -(2**62)) for what in ("top", "book"))
            > self._top_stale_ns
        )

    def health(self) -> tuple[SymbolHealth, ...]:
        """Return every symbol."""
        stale = self.stale()
        found = []
        for symbol in self.symbols:
            top = self.tops.get(symbol)
            found.append(
                SymbolHealth(
                    symbol=symbol,
                    bid=None if top is None else top.bid,
                    ask=None if top is None else top.ask,
                    top_age_ms=self.age_ms("top", symbol),
                    book_age_ms=self.age_ms("book", symbol),
                    trades=self.trades[symbol],
                    is_stale=symbol in stale,
                )
            )
        return tuple(found)

    def _newer(self, known: dict[str, E], event: E, what: str) -> None:
        if self._note(what, event.symbol, event.at_ns) or event.symbol not in known:
            known[event.symbol] = event

    def _note(self, what: str, symbol: str, at_ns: int) -> bool:
        """Note a message; tell whether it is not older than the newest. Equal times are no progress."""
        said_ns = self._said_ns.get((what, symbol), -1)
        if at_ns > said_ns:
            self._said_ns[what, symbol] = at_ns
            self._progress_ns[what, symbol] = self._clock.monotonic_ns()
        return at_ns >= said_ns
