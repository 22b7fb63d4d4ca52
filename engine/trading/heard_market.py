"""What a stream's quotes say of one market, and what its past days say: pure, on the venue's clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.trading import extremes
from engine.trading.market_memory import ATR_BARS, DAY_NS, DRIFT_WINDOW_NS, MIN_OBSERVATIONS, p90
from seams.clock import NS_PER_S
from venues.types import Bar, Quote, Record

MINUTE_NS = 60 * NS_PER_S
SILENCE_NS = 15 * NS_PER_S
"""After a longer silence nobody can say what the price did meanwhile."""
MINUTES_KEPT = 60
MAX_DAY_AGE_NS = 2 * DAY_NS
"""How long ago the newest known day may have ended: one day, and one that has just ended."""


class Extremes(Record):
    """Lowest and highest price of a window; `is_whole` is False where part of it was not heard."""

    low: float
    high: float
    is_whole: bool


class HeardMarket:
    """One symbol's quotes, as they come."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quote: Quote | None = None
        self.since_ns = self.moved_ns = 0
        """Since when quotes come without a silence, and when the mid last moved."""
        self.minutes: dict[int, Bar] = {}
        """Minutes (by their open) that were heard from end to end: mids, without volume."""
        self._window = extremes.Extremes(DRIFT_WINDOW_NS + NS_PER_S)
        """Prices by the second in which they came: one that began inside the window is inside."""
        self._bar: Bar | None = None

    def take(self, quote: Quote) -> None:
        """Take one quote; one that is older than the last says nothing about now, nor does one without a
        price."""
        mid, last = quote.mid, self.quote
        if not (math.isfinite(mid) and mid > 0) or (last is not None and quote.at_ns < last.at_ns):
            return
        if last is None or quote.at_ns - last.at_ns > SILENCE_NS:
            self.since_ns, self._bar = quote.at_ns, None
        if last is None or mid != last.mid:
            self.moved_ns = quote.at_ns
        self.quote = quote
        self._window.add(quote.at_ns // NS_PER_S * NS_PER_S, mid)
        self._minute(quote.at_ns, mid)

    def extremes(self, now_ns: int, minutes: Mapping[int, Bar]) -> Extremes | None:
        """Return the extremes of the drift window: what was heard, and the whole minutes that reach into it.

        It is whole where quotes come now and each minute before they began is among `minutes`.
        """
        if self.quote is None:
            return None
        start_ns = now_ns - DRIFT_WINDOW_NS
        heard = self._window.of(now_ns)
        told = [] if heard is None else [heard]
        told += [(bar.low, bar.high) for bar in minutes.values() if bar.close_ns > start_ns]
        opens = range(start_ns // MINUTE_NS * MINUTE_NS, self.since_ns, MINUTE_NS)
        is_whole = now_ns - self.quote.at_ns <= SILENCE_NS and all(at_ns in minutes for at_ns in opens)
        if not told:
            return None
        return Extremes(
            low=min(low for low, _ in told), high=max(high for _, high in told), is_whole=is_whole
        )

    def _minute(self, at_ns: int, mid: float) -> None:
        open_ns, bar = at_ns // MINUTE_NS * MINUTE_NS, self._bar
        if bar is not None and bar.open_ns == open_ns:
            low, high = min(bar.low, mid), max(bar.high, mid)
        else:
            if bar is not None and self.since_ns <= bar.open_ns:
                self.minutes[bar.open_ns] = bar
                while len(self.minutes) > MINUTES_KEPT:
                    del self.minutes[next(iter(self.minutes))]
            low = high = mid
        self._bar = Bar(
            symbol=self.symbol,
            open_ns=open_ns,
            close_ns=open_ns + MINUTE_NS,
            open=mid if bar is None or bar.open_ns != open_ns else bar.open,
            high=high,
            low=low,
            close=mid,
            volume=0.0,
        )


class Days(Record):
    """What complete days say: average true range in price units, the 90th percentile of absolute daily log
    returns (a fraction), and over how many returns. None where there are too few days in a row."""

    atr: Decimal | None
    p90_volatility: Decimal | None
    count: int


def days_of(bars: Sequence[Bar], now_ns: int) -> Days | None:
    """Judge complete UTC days, oldest first; None where the newest ended too long ago.

    Only neighbours count: over a day that is missing there is neither a return nor a range. The average true
    range is Wilder's range, averaged without weights over 14 days (as `MarketMemory`).
    """
    sound = [bar for bar in bars if math.isfinite(bar.high) and bar.high >= bar.low > 0 and bar.close > 0]
    if not sound or now_ns - sound[-1].close_ns > MAX_DAY_AGE_NS:
        return None
    pairs = [pair for pair in itertools.pairwise(sound) if pair[1].open_ns == pair[0].close_ns]
    returns = [abs(math.log(after.close / before.close)) for before, after in pairs]
    newest = [(b, a) for b, a in pairs if a.close_ns > sound[-1].close_ns - ATR_BARS * DAY_NS]
    ranges = [max(a.high, b.close) - min(a.low, b.close) for b, a in newest]
    return Days(
        atr=_exact(math.fsum(ranges) / ATR_BARS) if len(ranges) == ATR_BARS else None,
        p90_volatility=p90(returns) if len(returns) >= MIN_OBSERVATIONS else None,
        count=len(returns),
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
