"""Kraken spot book recordings, websocket v1 and v2, with the CRC32 that the venue sends with updates.

Lines may be `{"recv": s, "msg": [...]}`, `s: [...]` (v1) or the v2 message itself. The book keeps its
subscribed depth: after each update the levels beyond it go. A level may come several times in one
update; the last counts. The checksum is over the ten best levels at the pair's full precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from engine.market.depth.feed import Continuity, DepthFeed, OneSymbol, Rows, Scale, lines_of, refuse
from engine.market.depth.kraken_wire import message_of, precision
from native.depth import DepthKind
from seams.clock import NS_PER_S

DEPTHS = (10, 25, 100, 500, 1000)
Level = tuple[str, str]


class _Update(NamedTuple):
    """One message about one pair, of either version."""

    symbol: str
    is_snapshot: bool
    asks: Sequence[Level]
    bids: Sequence[Level]
    checksum: int | None
    depth: int | None
    exchange_ns: int


def read_log(data: bytes, symbol: str = "") -> DepthFeed:
    """Read one pair's book. Raises `BadFeed` with the number of the line."""
    rows, one, checksums = Rows(), OneSymbol(symbol), dict[int, int]()
    skipped, number, recv_ns, depth, pair = 0, 0, 0, None, None
    for number, line in lines_of(data):
        try:
            recv_ns, message = message_of(line, recv_ns)
            pair = precision(message, one.name) or pair
            found = [each for each in _updates(message, recv_ns) if one.takes(each.symbol, number)]
        except (ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
            refuse("bad_message", number, f"{type(error).__name__}: {error}")
        skipped += not found
        for update in found:
            if update.is_snapshot:
                widest = max(len(update.asks), len(update.bids))
                depth = update.depth or next((each for each in DEPTHS if each >= widest), widest)
            elif depth is None:
                refuse("no_snapshot", number, "an update came before the first snapshot")
            _add(rows, recv_ns, update, depth, number)
            if update.checksum is not None:
                checksums[len(rows.columns) - 1] = update.checksum
    scale = Scale(price_decimals=pair[0], size_decimals=pair[1]) if pair else _full_scale(rows)
    counts = {"messages": number + 1, "skipped": skipped, "checksums": checksums}
    return rows.feed("kraken", one.name, scale, Continuity(), **counts)


def _add(rows: Rows, recv_ns: int, update: _Update, depth: int, message: int) -> None:
    kind = DepthKind.SNAPSHOT if update.is_snapshot else DepthKind.SET
    for side, levels in ((-1, update.asks), (1, update.bids)):
        if update.is_snapshot:
            rows.add(recv_ns, update.exchange_ns, DepthKind.CLEAR_SIDE, side, "0", "0", message)
        for price, size in levels:
            rows.add(recv_ns, update.exchange_ns, kind, side, price, size, message)
    for side in (-1, 1):
        rows.truncate(recv_ns, update.exchange_ns, side, depth, message)
    rows.end()


def _full_scale(rows: Rows) -> Scale:
    """Return the digits as they were sent: here trailing zeros count, they are the pair's precision."""
    return Scale(
        price_decimals=max((len(row[2].partition(".")[2]) for row in rows.columns), default=0),
        size_decimals=max((len(row[3].partition(".")[2]) for row in rows.columns), default=0),
    )


def _updates(message: Any, recv_ns: int) -> Iterator[_Update]:
    if isinstance(message, list) and len(message) >= 4 and str(message[-2]).startswith("book"):
        yield _from_v1(message, recv_ns)
    elif isinstance(message, dict) and message.get("channel") == "book":
        is_snapshot = {"snapshot": True, "update": False}[message["type"]]
        for each in message["data"]:
            yield _from_v2(each, is_snapshot, recv_ns)


def _from_v1(message: Sequence[Any], recv_ns: int) -> _Update:
    *_, channel, symbol = message
    sides: dict[str, list[Level]] = {"a": [], "b": []}
    is_snapshot, checksum, stamp = False, None, Decimal(0)
    for part in message[1:-2]:
        is_snapshot = is_snapshot or "as" in part or "bs" in part
        checksum = int(part["c"]) if "c" in part else checksum
        for name in ("a", "b"):
            levels = part.get(f"{name}s" if is_snapshot else name, ())
            sides[name] += [(level[0], level[1]) for level in levels]
            stamp = max([stamp, *(Decimal(level[2]) for level in levels)])
    depth = int(channel.partition("-")[2] or 10)
    exchange_ns = int(stamp * NS_PER_S) or recv_ns
    return _Update(symbol, is_snapshot, sides["a"], sides["b"], checksum, depth, exchange_ns)


def _from_v2(data: Mapping[str, Any], is_snapshot: bool, recv_ns: int) -> _Update:
    asks, bids = (
        [(f"{Decimal(level['price']):f}", f"{Decimal(level['qty']):f}") for level in data[side]]
        for side in ("asks", "bids")
    )
    exchange_ns = recv_ns
    if "timestamp" in data:
        exchange_ns = round(datetime.fromisoformat(data["timestamp"]).timestamp() * 1e6) * 1_000
    return _Update(data["symbol"], is_snapshot, asks, bids, int(data["checksum"]), None, exchange_ns)
