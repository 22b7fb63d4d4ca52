"""One way to market data, stored or live: candles of the past and a stream, with the same `Bar` (QX-04)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from engine.market.catalogue import BarColumns, load
from engine.market.hub import MarketHub, MarketListener
from seams.disk import Disk
from venues.types import Bar, FeedEnd, MarketEvent

MAX_WAITING_BARS = 10_000


class DataSource(Protocol):
    """Where strategies and studies get bars from."""

    def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Return the closed bars that open in `start_ns <= t < end_ns`, oldest first."""
        ...

    def subscribe(self) -> AsyncIterator[Bar]:
        """Yield each closed bar as it comes, until the feed ends."""
        ...


class SubscriberTooSlow(RuntimeError):
    """A subscriber left more than `MAX_WAITING_BARS` bars untaken; none is dropped silently."""


class CatalogueSource:
    """Past from the catalogue of one venue, present from a hub."""

    def __init__(self, home: Path, venue: str, hub: MarketHub, disk: Disk | None = None) -> None:
        self._home, self._venue, self._hub, self._disk = home, venue, hub, disk
        self._loaded: dict[tuple[str, str], BarColumns] = {}

    def candles(self, symbol: str, interval: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """See `DataSource`. Raises `UnknownSet` or `BadData`."""
        assert start_ns <= end_ns
        key = (symbol, interval)
        if key not in self._loaded:
            self._loaded[key] = load(self._home, self._venue, symbol, interval, self._disk)
        return self._loaded[key].bars(symbol, start_ns, end_ns)

    def subscribe(self) -> AsyncIterator[Bar]:
        """See `DataSource`; counts from the call on. Raises `SubscriberTooSlow` in the stream."""
        queue: asyncio.Queue[Bar | FeedEnd] = asyncio.Queue()

        def listen(event: MarketEvent) -> None:
            if isinstance(event, Bar | FeedEnd) and queue.qsize() <= MAX_WAITING_BARS:
                queue.put_nowait(event)

        self._hub.add_listener(listen)
        return _drain(queue, self._hub, listen)


async def _drain(
    queue: asyncio.Queue[Bar | FeedEnd], hub: MarketHub, listen: MarketListener
) -> AsyncIterator[Bar]:
    try:
        while True:
            if queue.qsize() > MAX_WAITING_BARS:
                raise SubscriberTooSlow(f"more than {MAX_WAITING_BARS} bars waiting")
            event = await queue.get()
            if isinstance(event, FeedEnd):
                return
            yield event
    finally:
        hub.remove_listener(listen)
