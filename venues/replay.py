"""Recorded bars as a feed: each bar's open, then the bar at its close, at a chosen pace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seams.clock import NS_PER_S, Clock
from venues.types import Bar, BarOpen, FeedEnd, MarketEvent


class BarSeries(Protocol):
    """Columns of equal length; `engine.market.catalogue.BarColumns` is one."""

    @property
    def ts_ns(self) -> NDArray[np.int64]: ...

    @property
    def open(self) -> NDArray[np.float64]: ...

    @property
    def high(self) -> NDArray[np.float64]: ...

    @property
    def low(self) -> NDArray[np.float64]: ...

    @property
    def close(self) -> NDArray[np.float64]: ...

    @property
    def volume(self) -> NDArray[np.float64]: ...


class ReplayFeed:
    """One symbol's recorded bars in order, stamped with their own times.

    `speed` is market seconds per clock second; 0 runs as fast as the loop allows, with one turn for
    other tasks before each open and each close, so that a decision made at a close can reach the
    venue before the next open.
    """

    def __init__(self, symbol: str, columns: BarSeries, clock: Clock, speed: float, bar_ns: int) -> None:
        assert speed >= 0 and bar_ns > 0
        self.symbol, self._columns, self._clock = symbol, columns, clock
        self._speed, self._bar_ns = speed, bar_ns
        self._next = 0
        self._is_stopped = False

    @property
    def name(self) -> str:
        return f"replay:{self.symbol}"

    def stop(self) -> None:
        """End the feed before the next event."""
        self._is_stopped = True

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Yield `BarOpen`, `Bar` per row, then `FeedEnd`; called again, it goes on after the last close."""
        self._is_stopped = False
        if self._next < len(self._columns.ts_ns):
            base_ns, started_ns = int(self._columns.ts_ns[self._next]), self._clock.monotonic_ns()
            for row in range(self._next, len(self._columns.ts_ns)):
                bar = self._bar(row)
                await self._wait_until(bar.open_ns - base_ns, started_ns)
                if self._has_stopped():
                    break
                yield BarOpen(symbol=self.symbol, open_ns=bar.open_ns, price=bar.open)
                await self._wait_until(bar.close_ns - base_ns, started_ns)
                if self._has_stopped():
                    break
                self._next = row + 1
                yield bar
        yield FeedEnd(reason="stopped" if self._is_stopped else "end_of_data")

    def _has_stopped(self) -> bool:
        return self._is_stopped

    async def _wait_until(self, due_market_ns: int, started_ns: int) -> None:
        wait_s = 0.0
        if self._speed > 0:
            passed_ns = self._clock.monotonic_ns() - started_ns
            wait_s = max(0.0, (due_market_ns / self._speed - passed_ns) / NS_PER_S)
        await self._clock.sleep(wait_s)

    def _bar(self, row: int) -> Bar:
        columns, open_ns = self._columns, int(self._columns.ts_ns[row])
        return Bar(
            symbol=self.symbol,
            open_ns=open_ns,
            close_ns=open_ns + self._bar_ns,
            open=float(columns.open[row]),
            high=float(columns.high[row]),
            low=float(columns.low[row]),
            close=float(columns.close[row]),
            volume=float(columns.volume[row]),
        )
