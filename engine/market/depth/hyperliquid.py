"""Hyperliquid `l2Book` recordings ("<recv ns> <json>" lines): every message is the whole visible book."""

from __future__ import annotations

import msgspec

from engine.market.depth.feed import Continuity, DepthFeed, OneSymbol, Rows, lines_of, refuse
from native.depth import DepthKind
from seams.clock import NS_PER_MS


class _Level(msgspec.Struct):
    px: str
    sz: str


class _Book(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[tuple[_Level, ...], tuple[_Level, ...]]


class _Trade(msgspec.Struct):
    coin: str
    side: str
    px: str
    sz: str
    time: int


class _Line(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw()


_LINE = msgspec.json.Decoder(_Line)
_BOOK = msgspec.json.Decoder(_Book)
_TRADES = msgspec.json.Decoder(tuple[_Trade, ...])
SIDES = {"B": 1, "A": -1}


def read_log(data: bytes, symbol: str = "") -> DepthFeed:
    """Read one coin's snapshots and trades. Raises `BadFeed` with the number of the line."""
    rows, one = Rows(), OneSymbol(symbol)
    skipped = number = last_recv_ns = last_time_ms = 0
    for number, line in lines_of(data):
        stamp, _, body = line.partition(b" ")
        try:
            recv_ns, message = int(stamp), _LINE.decode(body)
            if recv_ns < last_recv_ns:
                refuse("out_of_order", number, f"received at {recv_ns}, the one before at {last_recv_ns}")
            last_recv_ns = recv_ns
            if message.channel == "l2Book":
                book = _BOOK.decode(message.data)
                if not one.takes(book.coin, number):
                    skipped += 1
                    continue
                if book.time < last_time_ms:
                    refuse("out_of_order", number, f"book of {book.time} ms after one of {last_time_ms} ms")
                last_time_ms = book.time
                _add_book(rows, recv_ns, book, number)
            elif message.channel == "trades":
                _add_trades(rows, one, recv_ns, _TRADES.decode(message.data), number)
            else:
                skipped += 1
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            refuse("bad_message", number, f"{type(error).__name__}: {error}")
    counts = {"messages": number + 1, "skipped": skipped}
    return rows.feed("hyperliquid", one.name, rows.scale(), Continuity(), **counts)


def _add_book(rows: Rows, recv_ns: int, book: _Book, message: int) -> None:
    exchange_ns = book.time * NS_PER_MS
    for side, levels in zip((1, -1), book.levels, strict=True):
        rows.add(recv_ns, exchange_ns, DepthKind.CLEAR_SIDE, side, "0", "0", message)
        for level in levels:
            rows.add(recv_ns, exchange_ns, DepthKind.SNAPSHOT, side, level.px, level.sz, message)
    rows.end()


def _add_trades(rows: Rows, one: OneSymbol, recv_ns: int, trades: tuple[_Trade, ...], message: int) -> None:
    for trade in trades:
        if one.takes(trade.coin, message):
            exchange_ns, side = trade.time * NS_PER_MS, SIDES[trade.side]
            rows.add(recv_ns, exchange_ns, DepthKind.TRADE, side, trade.px, trade.sz, message)
    rows.end()
