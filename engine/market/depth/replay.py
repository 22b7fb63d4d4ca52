"""A recording through a native book: counted, verified and timed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from engine.market.depth import binance, databento, hyperliquid, kraken, kraken_orders, tardis
from engine.market.depth.feed import MAX_NAMED, BadFeed, DepthFeed, DepthProblem, Scale, unpacked
from native.book import Book
from native.book_l2 import L2Book
from native.book_l3 import L3Book
from native.depth import DepthKind, OrderAction
from seams.clock import Clock
from venues.types import Record


def _read_binance(data: bytes, symbol: str) -> DepthFeed:
    is_csv = data[:6] == b"symbol"
    feed = binance.read_csv(data) if is_csv else binance.read_log(data)
    return _only(feed, symbol)


def _read_databento(data: bytes, symbol: str) -> DepthFeed:
    return _only(databento.read_mbo(data), symbol)


def _read_kraken(data: bytes, symbol: str) -> DepthFeed:
    """The channel of the recording decides: `book` has levels, `level3` orders."""
    content = unpacked(data)
    read = kraken_orders.read_log if b'"level3"' in content[:CHANNEL_BYTES] else kraken.read_log
    return read(content, symbol)


def _only(feed: DepthFeed, symbol: str) -> DepthFeed:
    if symbol and symbol != feed.symbol:
        text = f"the recording is of {feed.symbol}, not {symbol}"
        raise BadFeed(DepthProblem(code="empty_file", message=0, text=text))
    return feed


FORMATS: dict[str, Callable[[bytes, str], DepthFeed]] = {
    "binance": _read_binance,
    "databento": _read_databento,
    "hyperliquid": hyperliquid.read_log,
    "kraken": _read_kraken,
    "tardis": tardis.read_csv,
}


CHANNEL_BYTES = 1 << 16
"""A recording of a channel names it within so many bytes, acknowledgements and statuses before it."""


class BookLevel(Record):
    """One level in the source's own units; `orders` is 0 where they are not known."""

    price: float
    size: float
    orders: int = 0


class BookReplay(Record):
    """What a replay found. `is_sound`: no checksum failed and no message is missing.

    After a failed checksum the book is dropped, as the venue asks; `stale_messages` counts those that
    came until the next snapshot. `events_per_s` times the book alone, without reading the file.
    """

    source: str
    symbol: str
    scale: Scale
    is_by_order: bool
    is_sound: bool
    messages: int
    skipped_messages: int
    events: int
    levels: int
    crossed_messages: int
    checksums_held: int
    checksums_failed: int
    stale_messages: int
    gap_count: int
    problems: tuple[DepthProblem, ...]
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    state_sha256: str
    replay_s: float
    events_per_s: float


class _Verified:
    """A book that is compared with the venue's checksums as it goes."""

    def __init__(self, feed: DepthFeed, book: Book) -> None:
        self.feed, self.book = feed, book
        self.held = self.failed = self.stale = 0
        self.problems: list[DepthProblem] = []
        self.is_dropped = False

    def run(self) -> None:
        events, at = self.feed.events, 0
        for end, wanted in self.feed.checksums.items():
            self._message(events[at : end + 1], wanted)
            at = end + 1
        if not self.is_dropped:
            self.book.apply(events[at:])

    def _message(self, events: Any, wanted: int) -> None:
        if self.is_dropped:
            if not self._starts_anew(events):
                self.stale += 1
                return
            self.is_dropped = False
        self.book.apply(events)
        found = zlib.crc32(self.book.checksum_input())
        if found == wanted:
            self.held += 1
            return
        self.failed += 1
        self.is_dropped = True
        self.book.clear()
        if len(self.problems) < MAX_NAMED:
            text = f"the venue says {wanted}, the book gives {found}; dropped until the next snapshot"
            message = int(events["message"][-1])
            self.problems.append(DepthProblem(code="checksum_mismatch", message=message, text=text))

    def _starts_anew(self, events: Any) -> bool:
        if self.feed.is_by_order:
            return bool((events["action"] == OrderAction.CLEAR).any())
        return bool((events["kind"] == DepthKind.SNAPSHOT).any())


def read_feed(data: bytes, source: str, symbol: str = "") -> DepthFeed:
    """Read a recording of one of `FORMATS`. Raises `BadFeed`, and ValueError for an unknown format."""
    if source not in FORMATS:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}; got {source[:20]!r}")
    return FORMATS[source](data, symbol)


def replay_book(feed: DepthFeed, clock: Clock, depth: int = 5) -> BookReplay:
    """Move a fresh book through a recording; `depth` levels a side are shown at the end.

    Raises `native.depth.BookFault` with the message's number for an event no book takes.
    """
    book: Book = L3Book() if feed.is_by_order else L2Book()
    verified = _Verified(feed, book) if feed.checksums else None
    began = clock.monotonic_ns()
    if verified is None:
        book.apply(feed.events)
    else:
        verified.run()
    spent_s = (clock.monotonic_ns() - began) / 1e9
    bids, asks = book.snapshot(depth)
    failed = verified.failed if verified else 0
    return BookReplay(
        source=feed.source,
        symbol=feed.symbol,
        scale=feed.scale,
        is_by_order=feed.is_by_order,
        is_sound=not failed and not feed.gap_count,
        messages=feed.messages,
        skipped_messages=feed.skipped,
        events=len(feed.events),
        levels=sum(len(side) for side in book.snapshot()),
        crossed_messages=book.crossed_messages,
        checksums_held=verified.held if verified else 0,
        checksums_failed=failed,
        stale_messages=verified.stale if verified else 0,
        gap_count=feed.gap_count,
        problems=(*feed.gaps, *(verified.problems if verified else ())),
        bids=_shown(bids.tolist(), feed.scale),
        asks=_shown(asks.tolist(), feed.scale),
        state_sha256=book.state_hash(),
        replay_s=spent_s,
        events_per_s=len(feed.events) / spent_s if spent_s > 0 else 0.0,
    )


def _shown(rows: list[list[int]], scale: Scale) -> tuple[BookLevel, ...]:
    return tuple(
        BookLevel(price=scale.price(tick), size=scale.size(lot), orders=rest[0] if rest else 0)
        for tick, lot, *rest in rows
    )
