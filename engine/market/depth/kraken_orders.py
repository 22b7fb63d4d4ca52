"""Kraken's `level3` channel (websocket v2): every resting order, with the CRC32 over the ten best levels.

Orders of a level come in their priority; a snapshot starts the book anew. `add` joins the end of its level,
`modify` keeps its place at the same price and not larger, `delete` leaves whole. After each message the book
keeps the subscribed depth: when a level comes into sight again, the venue sends all of its orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from engine.market.depth.feed import DepthFeed, OneSymbol, Scale, lines_of, refuse, units
from engine.market.depth.kraken_wire import Pair, message_of, precision
from native.depth import MAX_SIZE, ORDER_DTYPE, DepthFlag, OrderAction

DEPTHS = (10, 100, 1000)
ACTIONS = {"add": OrderAction.ADD, "modify": OrderAction.MODIFY, "delete": OrderAction.CANCEL}
SIDES = (("asks", -1), ("bids", 1))
Row = tuple[int, int, int, str, str, int, int, int]
"""(received, happened, order id, price, size, action, side, message)"""


def read_log(data: bytes, symbol: str = "") -> DepthFeed:
    """Read one pair's orders. Raises `BadFeed` with the number of the line."""
    reader, one = _Reader(), OneSymbol(symbol)
    pair: Pair | None = None
    skipped, number, recv_ns = 0, 0, 0
    for number, line in lines_of(data):
        try:
            recv_ns, message = message_of(line, recv_ns)
            pair = precision(message, one.name) or pair
            is_ours = isinstance(message, dict) and message.get("channel") == "level3"
            found = [each for each in message["data"] if one.takes(each["symbol"], number)] if is_ours else []
            for each in found:
                reader.add(message["type"], each, recv_ns, number)
            reader.asked = _depth_asked(message) or reader.asked
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            refuse("bad_message", number, f"{type(error).__name__}: {error}")
        skipped += not found
    return reader.feed(one.name, pair, messages=number + 1, skipped=skipped)


class _Reader:
    """Collects events; names of orders become numbers in the order in which they appear."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.checksums: dict[int, int] = {}
        self.numbers: dict[str, int] = {}
        self.asked: int | None = None
        """The depth that the venue acknowledged; without it the least one that holds the snapshot."""
        self.depth: int | None = None

    def add(self, kind: str, data: Mapping[str, Any], recv_ns: int, message: int) -> None:
        """Take one pair's part of a message. Raises `BadFeed` for updates before a snapshot, KeyError."""
        is_snapshot = {"snapshot": True, "update": False}[kind]
        if is_snapshot:
            widest = max(len({order["limit_price"] for order in data[name]}) for name, _ in SIDES)
            self.depth = self.asked or next((each for each in DEPTHS if each >= widest), widest)
            self.rows.append((recv_ns, recv_ns, 0, "0", "0", OrderAction.CLEAR, 0, message))
        elif self.depth is None:
            refuse("no_snapshot", message, "an update came before the first snapshot")
        for name, side in SIDES:
            for order in data[name]:
                action = OrderAction.ADD if is_snapshot else ACTIONS[order["event"]]
                self.rows.append(self._row(order, action, side, recv_ns, message))
        for _, side in SIDES:
            row = (recv_ns, recv_ns, 0, "0", str(self.depth), OrderAction.TRUNCATE, side, message)
            self.rows.append(row)
        self.checksums[len(self.rows) - 1] = int(data["checksum"])

    def _row(
        self, order: Mapping[str, Any], action: OrderAction, side: int, recv_ns: int, message: int
    ) -> Row:
        happened_ns = _nanoseconds(order["timestamp"]) if "timestamp" in order else recv_ns
        number = self.numbers.setdefault(order["order_id"], len(self.numbers) + 1)
        price, size = (f"{Decimal(order[name]):f}" for name in ("limit_price", "order_qty"))
        return recv_ns, happened_ns, number, price, size, action, side, message

    def feed(self, symbol: str, pair: Pair | None, *, messages: int, skipped: int) -> DepthFeed:
        """Return the recording as columns. Raises `BadFeed` where it has no event."""
        if not self.rows:
            refuse("empty_file", 0, "no message of the level3 channel")
        scale = Scale(price_decimals=pair[0], size_decimals=pair[1]) if pair else self._scale()
        events = np.zeros(len(self.rows), ORDER_DTYPE)
        ts, happened, ids, prices, _, actions, sides, numbers = zip(*self.rows, strict=True)
        events["ts_ns"], events["order_id"], events["action"], events["side"] = ts, ids, actions, sides
        events["message"] = numbers
        events["tick"] = [
            units(text, scale.price_decimals, at) for text, at in zip(prices, numbers, strict=True)
        ]
        events["size"] = [self._size(row, scale) for row in self.rows]
        events["flags"][list(self.checksums)] = int(DepthFlag.LAST)
        return DepthFeed(
            source="kraken",
            symbol=symbol,
            scale=scale,
            events=events,
            exchange_ns=np.array(happened, np.int64),
            messages=messages,
            skipped=skipped,
            gaps=(),
            gap_count=0,
            checksums=self.checksums,
        )

    def _scale(self) -> Scale:
        """Return the digits as they were sent; a recording with the `instrument` channel need not guess."""
        prices = max(len(row[3].partition(".")[2]) for row in self.rows)
        sizes = max(len(row[4].partition(".")[2]) for row in self.rows)
        return Scale(price_decimals=prices, size_decimals=sizes)

    @staticmethod
    def _size(row: Row, scale: Scale) -> int:
        if row[5] == OrderAction.CANCEL:
            return MAX_SIZE
        if row[5] == OrderAction.TRUNCATE:
            return int(row[4])
        return units(row[4], scale.size_decimals, row[7])


def _depth_asked(message: Any) -> int | None:
    """Return the depth in the answer to a subscription; None in every other message."""
    if not isinstance(message, dict) or message.get("method") != "subscribe":
        return None
    result = message.get("result") or {}
    return result.get("depth") if result.get("channel") == "level3" else None


def _nanoseconds(text: str) -> int:
    """Return nanoseconds since 1970 of an ISO time with up to nine decimals. Raises ValueError."""
    whole, _, part = text.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(
        part[:9].ljust(9, "0") or 0
    )
