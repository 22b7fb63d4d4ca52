"""Bars that a stream's quotes add up to, for venues whose own candles are minutes or longer.

When the first quote of a new bar comes, the bars of all symbols close, then the next ones open, then the
quote is told. A bar's prices are mids, its volume is what was traded.
"""

from __future__ import annotations

from collections.abc import Callable

from venues.types import Bar, BarOpen, MarketEvent, Quote


class _Growing:
    """A bar that is not over: every quote moves it, and a `Bar` is made of it once, at its end."""

    __slots__ = ("close", "high", "low", "open", "volume")

    def __init__(self, price: float) -> None:
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0


class QuoteBars:
    """One venue's quotes in, its market events out, in the feed's order."""

    def __init__(self, bar_ns: int, tell: Callable[[MarketEvent], None]) -> None:
        assert bar_ns > 0
        self._bar_ns, self._tell = bar_ns, tell
        self._bars: dict[str, _Growing] = {}
        self._open_ns = self._close_ns = 0

    def mid(self, symbol: str) -> float | None:
        """Return a symbol's last mid, None before the first."""
        bar = self._bars.get(symbol)
        return None if bar is None else bar.close

    def quote(self, quote: Quote) -> None:
        """Take a new best bid and offer."""
        if quote.at_ns >= self._close_ns:
            self._turn(quote.at_ns // self._bar_ns * self._bar_ns)
        bar, mid = self._bars.get(quote.symbol), quote.mid
        if bar is None:
            self._bars[quote.symbol] = _Growing(mid)
        else:
            bar.close = mid
            if mid > bar.high:
                bar.high = mid
            elif mid < bar.low:
                bar.low = mid
        self._tell(quote)

    def traded(self, symbol: str, quantity: float, at_ns: int | None = None) -> None:
        """Count what was traded into the present bar; what was traded before it began is of another bar."""
        bar = self._bars.get(symbol)
        if bar is not None and (at_ns is None or at_ns >= self._open_ns):
            bar.volume += quantity

    def _turn(self, open_ns: int) -> None:
        """Close every bar and open the next ones; bars that began in the middle are told as well."""
        began_ns, ended_ns = self._open_ns, self._close_ns
        self._open_ns, self._close_ns = open_ns, open_ns + self._bar_ns
        closed, self._bars = self._bars, {name: _Growing(bar.close) for name, bar in self._bars.items()}
        for symbol, bar in closed.items():
            self._tell(
                Bar(
                    symbol=symbol,
                    open_ns=began_ns,
                    close_ns=ended_ns,
                    open=bar.open,
                    high=bar.high,
                    low=bar.low,
                    close=bar.close,
                    volume=bar.volume,
                )
            )
        for symbol, bar in closed.items():
            self._tell(BarOpen(symbol=symbol, open_ns=open_ns, price=bar.close))
