"""A Kraken book kept from its stream, proved by the venue's checksum after every update."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from decimal import Decimal

from venues.kraken.translate import amount, table
from venues.public import Level

LEVELS_SUMMED = 10


class BookBroken(Exception):
    """The book is not the venue's: drop it and subscribe anew."""


class KrakenBook:
    """One pair's best levels: snapshot first, then updates in order. Quantity 0 removes a level."""

    def __init__(self, price_decimals: int, lot_decimals: int, depth: int) -> None:
        self._decimals, self._depth = (price_decimals, lot_decimals), depth
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def take(self, kind: str, said: Mapping[str, object]) -> None:
        """Take one message's data. Raises `BookBroken` where the checksum, or the book, is wrong."""
        if kind == "snapshot":
            self.bids, self.asks = {}, {}
        self.change(_levels(said.get("bids")), _levels(said.get("asks")))
        self.prove(int(str(said["checksum"])))

    def change(
        self, bids: Iterable[tuple[Decimal, Decimal]], asks: Iterable[tuple[Decimal, Decimal]]
    ) -> None:
        """Set levels in the order given, then keep no more than the depth of each side."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        for side, is_bid in ((self.bids, True), (self.asks, False)):
            for price in sorted(side, reverse=is_bid)[self._depth :]:
                del side[price]

    def prove(self, wanted: int) -> None:
        """Compare with the venue's checksum. Raises `BookBroken`."""
        found = self.checksum()
        if found != wanted:
            raise BookBroken(f"checksum {found}, the venue says {wanted}")
        if self.bids and self.asks and max(self.bids) >= min(self.asks):
            raise BookBroken("the book is crossed")

    def checksum(self) -> int:
        """Return the CRC32 of the ten best asks, then bids: padded, without dot and leading zeros."""
        asks = sorted(self.asks.items())[:LEVELS_SUMMED]
        bids = sorted(self.bids.items(), reverse=True)[:LEVELS_SUMMED]
        return book_crc32([*asks, *bids], *self._decimals)

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return bids and asks, best first."""
        bids = tuple((float(price), float(self.bids[price])) for price in sorted(self.bids, reverse=True))
        asks = tuple((float(price), float(self.asks[price])) for price in sorted(self.asks))
        return bids, asks

    def best(self) -> tuple[Decimal, Decimal] | None:
        """Return best bid and ask; None where a side is empty."""
        return (max(self.bids), min(self.asks)) if self.bids and self.asks else None


def book_crc32(levels: Iterable[tuple[Decimal, Decimal]], price_decimals: int, lot_decimals: int) -> int:
    """Return the checksum over these levels, in this order."""
    text = ""
    for price, quantity in levels:
        text += f"{price:.{price_decimals}f}".replace(".", "").lstrip("0")
        text += f"{quantity:.{lot_decimals}f}".replace(".", "").lstrip("0")
    return zlib.crc32(text.encode("ascii"))


def _levels(said: object) -> list[tuple[Decimal, Decimal]]:
    if not isinstance(said, list):
        return []
    return [(amount(table(level)["price"]), amount(table(level)["qty"])) for level in said]
