"""Candles of the stream on their way to the store: each waits until it is closed and its grace has passed.

Where the stream breaks, what waits is forgotten: its last change may be among what was not heard. The
back-fill asks for it.
"""

from __future__ import annotations

from engine.feed.candles import is_closed
from venues.public import Candle
from venues.types import Bar

MOST = 10_000
Key = tuple[str, str, int]


class ClosingBars:
    """The candles of one venue that may still change."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Bar] = {}
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, candle: Candle) -> None:
        """Take a candle as it stands now."""
        bar = candle.bar
        self._waiting[candle.interval, bar.symbol, bar.open_ns] = bar
        while len(self._waiting) > MOST:
            del self._waiting[next(iter(self._waiting))]
            self.forgotten += 1

    def broke(self) -> None:
        """The stream broke: nothing that waits is known to be whole."""
        self.forgotten += len(self._waiting)
        self._waiting.clear()

    def due(self, now_ns: int) -> dict[tuple[str, str], list[Bar]]:
        """Return (interval, symbol) -> what is closed now, oldest first, and forget it."""
        found: dict[tuple[str, str], list[Bar]] = {}
        for key in [key for key, bar in self._waiting.items() if is_closed(bar, now_ns)]:
            found.setdefault(key[:2], []).append(self._waiting.pop(key))
        return {key: sorted(bars, key=lambda bar: bar.open_ns) for key, bars in found.items()}

    def back(self, interval: str, bars: list[Bar]) -> None:
        """Take back what could not be stored."""
        for bar in bars:
            self._waiting.setdefault((interval, bar.symbol, bar.open_ns), bar)
