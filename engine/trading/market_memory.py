"""What a session remembers of each symbol's market: spread, stillness, window, true range, daily moves."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from engine.trading.extremes import Extremes
from safety.facts import MarketFacts
from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Bar, BarOpen, Quote

DRIFT_WINDOW_NS = 300 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
ATR_BARS = 14
VOLATILITY_DAYS = 90
MIN_OBSERVATIONS = 30
GAP_WINDOW_BARS = 20
PERCENTILE = 0.9


class MarketMemory:
    """One symbol. Times are the session's own; `has_live_health` is False for a replay of bars, whose
    stillness and gaps are those of the record."""

    def __init__(self, has_live_health: bool) -> None:
        self._has_live_health = has_live_health
        self._quote: Quote | None = None
        self._price = 0.0
        self._moved_ns = 0
        self._window = Extremes(DRIFT_WINDOW_NS)
        self._ranges: deque[float] = deque(maxlen=ATR_BARS)
        self._holes: deque[int] = deque(maxlen=GAP_WINDOW_BARS)
        self._last_bar: Bar | None = None
        self._day, self._day_close = -1, 0.0
        self._closes: deque[float] = deque(maxlen=VOLATILITY_DAYS + 1)
        self._past: tuple[Decimal | None, int | None] | None = None
        """The 90th percentile and its days, made when asked for; None once a day has ended."""

    def take(self, event: Quote | Bar | BarOpen) -> None:
        """Learn from one event of this symbol."""
        if isinstance(event, Quote):
            self._quote = event
            self._mark(event.mid, event.at_ns)
        elif isinstance(event, BarOpen):
            self._mark(event.price, event.open_ns)
        else:
            self._mark(event.close, event.close_ns)
            self._bar(event)

    def prime(self, bars: Sequence[Bar]) -> None:
        """Learn ranges and days from the bars before the start; they move no mark."""
        for bar in bars:
            self._bar(bar)

    def facts(self, now_ns: int) -> MarketFacts:
        """Return what is known now; None where it is not."""
        low, high = self._window.of(now_ns) or (None, None)
        if self._past is None:
            self._past = self._look_back()
        volatility, days = self._past
        is_live = self._has_live_health and self._moved_ns > 0
        return MarketFacts(
            bid=None if self._quote is None else _exact(self._quote.bid),
            ask=None if self._quote is None else _exact(self._quote.ask),
            unchanged_ms=max(0, now_ns - self._moved_ns) // NS_PER_MS if is_live else None,
            gap_bars=sum(self._holes) if is_live else None,
            window_low=None if low is None else _exact(low),
            window_high=None if high is None else _exact(high),
            atr=_exact(math.fsum(self._ranges) / ATR_BARS) if len(self._ranges) == ATR_BARS else None,
            p90_volatility=volatility,
            volatility_days=days,
        )

    def daily_returns(self) -> list[float]:
        """Return the absolute log returns of the latest complete UTC days, at most 90."""
        closes = list(self._closes)
        return [abs(math.log(after / before)) for before, after in itertools.pairwise(closes)]

    def _look_back(self) -> tuple[Decimal | None, int | None]:
        returns = self.daily_returns()
        return (p90(returns), len(returns)) if len(returns) >= MIN_OBSERVATIONS else (None, None)

    def _mark(self, price: float, at_ns: int) -> None:
        if price != self._price:
            self._price, self._moved_ns = price, at_ns
        self._window.add(at_ns, price)

    def _bar(self, bar: Bar) -> None:
        last, length_ns = self._last_bar, max(1, bar.close_ns - bar.open_ns)
        if last is not None:
            self._ranges.append(max(bar.high, last.close) - min(bar.low, last.close))
            self._holes.append(max(0, bar.open_ns - last.close_ns) // length_ns)
        day = (bar.close_ns - 1) // DAY_NS
        if day != self._day:
            if self._day >= 0:
                self._closes.append(self._day_close)
                self._past = None
            self._day = day
        self._day_close, self._last_bar = bar.close, bar


def p90(values: Sequence[float]) -> Decimal:
    """Return the 90th percentile, linear between ranks; `values` holds at least one."""
    ordered = sorted(values)
    place = PERCENTILE * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return _exact(round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 10))


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
