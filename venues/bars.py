"""Bars that a stream's quotes add up to, for venues whose own candles are minutes or longer.

When the first quote of a new bar comes, the bars of all symbols close, then the next ones open, then the
quote is told. A bar's prices are mids, its volume is what was traded.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from venues.types import Bar, BarOpen, MarketEvent, Quote


class QuoteBars:
    """One venue's quotes in, its market events out, in the feed's order."""

    def __init__(self, bar_ns: int, tell: Callable[[MarketEvent], None]) -> None:
        assert bar_ns > 0
        self._bar_ns, self._tell = bar_ns, tell
        self._bars: dict[str, Bar] = {}
        self._open_ns = 0

    def mid(self, symbol: str) -> float | None:
        """Return a symbol's last mid, None before the first."""
        bar = self._bars.get(symbol)
        return None if bar is None else bar.close

    def quote(self, quote: Quote) -> None:
        """Take a new best bid and offer."""
        open_ns = quote.at_ns // self._bar_ns * self._bar_ns
        if open_ns > self._open_ns:
            self._turn(open_ns)
        bar, mid = self._bars.get(quote.symbol), quote.mid
        if bar is None:
            self._bars[quote.symbol] = self._fresh(quote.symbol, mid)
        else:
            moved: Bar = msgspec.structs.replace(  # type: ignore[type-var]
                bar, high=max(bar.high, mid), low=min(bar.low, mid), close=mid
            )
            self._bars[quote.symbol] = moved
        self._tell(quote)

    def traded(self, symbol: str, quantity: float, at_ns: int | None = None) -> None:
        """Count what was traded into the present bar; what was traded before it began is of another bar."""
        bar = self._bars.get(symbol)
        if bar is not None and (at_ns is None or at_ns >= bar.open_ns):
            more: Bar = msgspec.structs.replace(bar, volume=bar.volume + quantity)  # type: ignore[type-var]
            self._bars[symbol] = more

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
