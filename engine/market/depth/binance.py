"""Binance depth: raw websocket logs ("<recv ns> <json>" lines) and the depth CSV files of its data site.

Continuity, from the venue's "How to manage a local order book": futures messages name the last id of
the one before (`pu`), spot messages start at the one after it (`U` = last `u` + 1). The first message
after a snapshot must reach around its `lastUpdateId`; older ones are skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from engine.market.depth.feed import Continuity, DepthFeed, Rows, csv_rows, lines_of, refuse
from native.depth import DepthKind
from seams.clock import NS_PER_MS

Level = tuple[str, str]
MAX_EARLY = 10_000
"""Updates kept until the snapshot comes; at 100 ms between them, a quarter of an hour."""


class _Depth(msgspec.Struct):
    """depthUpdate or trade, of spot or futures; single letters are the venue's."""

    e: str
    s: str = ""
    E: int = 0
    T: int | None = None
    U: int = 0
    u: int = 0
    pu: int | None = None
    b: object = ()
    a: object = ()
    p: str = ""
    q: str = ""
    m: bool = False


class _Kind(msgspec.Struct):
    e: str = ""


class _Line(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    lastUpdateId: int | None = None
    E: int = 0
    T: int = 0
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


_LINE = msgspec.json.Decoder(_Line)
_KIND = msgspec.json.Decoder(_Kind)
_DEPTH = msgspec.json.Decoder(_Depth)
_LEVELS = tuple[Level, ...]


class _Log:
    """Where the reading of a log stands."""

    def __init__(self, *, as_recorded: bool) -> None:
        self.rows, self.gaps = Rows(), Continuity()
        self.as_recorded, self.symbol = as_recorded, ""
        self.snapshot_id: int | None = None
        self.last_id: int | None = None
        self.skipped = self.messages = self.last_recv_ns = 0
        self.early: deque[_Depth] = deque(maxlen=MAX_EARLY)

    def levels(self, recv_ns: int, exchange_ns: int, kind: int, levels: Sequence[Level], side: int) -> None:
        for price, size in levels:
            self.rows.add(recv_ns, exchange_ns, kind, side, price, size, self.messages)

    def snapshot(self, recv_ns: int, line: _Line, last_id: int) -> None:
        """A REST snapshot replaces what lies in its reach; early updates that follow it apply now."""
        if self.last_id is not None and last_id <= self.last_id and not self.as_recorded:
            self.skipped += 1  # older than what the updates have told since
            return
        exchange_ns = (line.T or line.E) * NS_PER_MS or recv_ns
        for side, levels in ((1, line.bids), (-1, line.asks)):
            if levels:
                self.rows.add(
                    recv_ns, exchange_ns, DepthKind.CLEAR_THROUGH, side, levels[-1][0], "0", self.messages
                )
                self.levels(recv_ns, exchange_ns, DepthKind.SNAPSHOT, levels, side)
        self.rows.end()
        self.snapshot_id, self.last_id = last_id, None
        while self.early and not self.as_recorded:
            self.update(recv_ns, self.early.popleft())

    def update(self, recv_ns: int, depth: _Depth) -> None:
        if self.snapshot_id is None and not self.as_recorded:
            self.early.append(depth)
            return
        if not self.follows(depth) and not self.as_recorded:
            self.skipped += 1
            return
        exchange_ns = (depth.T or depth.E) * NS_PER_MS
        for side, levels in ((1, depth.b), (-1, depth.a)):
            self.levels(recv_ns, exchange_ns, DepthKind.SET, msgspec.convert(levels, _LEVELS), side)
        self.rows.end()

    def follows(self, depth: _Depth) -> bool:
        """Judge the ids of an update; False when it must not be applied."""
        base, is_spot = self.snapshot_id, depth.pu is None
        if self.last_id is None:
            if base is None or depth.u < base + is_spot:
                return False
            if base + is_spot < depth.U and depth.pu != base:
                self.gaps.gap(self.messages, f"snapshot {base}, next update starts at {depth.U}")
        elif depth.pu is not None and depth.pu != self.last_id:
            self.gaps.gap(self.messages, f"last id {self.last_id}, this one follows {depth.pu}")
        elif depth.pu is None and self.last_id + 1 != depth.U:
            self.gaps.gap(self.messages, f"last id {self.last_id}, this one starts at {depth.U}")
        self.last_id = depth.u
        return True

    def trade(self, recv_ns: int, trade: _Depth) -> None:
        side = -1 if trade.m else 1  # the buyer made the market: the seller was the aggressor
        exchange_ns = (trade.T or trade.E) * NS_PER_MS
        self.rows.add(recv_ns, exchange_ns, DepthKind.TRADE, side, trade.p, trade.q, self.messages)
        self.rows.end()


def read_log(data: bytes, *, as_recorded: bool = False) -> DepthFeed:
    """Read a raw log. With `as_recorded` updates outside of the id rules are applied too (gaps still named).

    Raises `BadFeed` with the number of the line.
    """
    log = _Log(as_recorded=as_recorded)
    for number, line in lines_of(data):
        log.messages = number
        try:
            _take(log, line)
        except (msgspec.MsgspecError, ValueError) as error:
            refuse("bad_message", number, f"{error}")
    if log.snapshot_id is None and not as_recorded:
        refuse("no_snapshot", log.messages, "the log has no snapshot with a lastUpdateId")
    return _feed(log)


def _take(log: _Log, line: bytes) -> None:
    recv_ns, body = int(line[:19]), line[20:]
    if recv_ns < log.last_recv_ns:
        refuse("out_of_order", log.messages, f"received at {recv_ns}, the one before at {log.last_recv_ns}")
    log.last_recv_ns = recv_ns
    parsed = _LINE.decode(body)
    if not bytes(parsed.data):
        if parsed.lastUpdateId is None:
            log.skipped += 1
        else:
            log.snapshot(recv_ns, parsed, parsed.lastUpdateId)
        return
    kind = _KIND.decode(parsed.data).e
    if kind not in ("depthUpdate", "trade"):
        log.skipped += 1
        return
    message = _DEPTH.decode(parsed.data)
    log.symbol = message.s
    (log.update if kind == "depthUpdate" else log.trade)(recv_ns, message)


def _feed(log: _Log) -> DepthFeed:
    counts = {"messages": log.messages + 1, "skipped": log.skipped}
    return log.rows.feed("binance", log.symbol, log.rows.scale(), log.gaps, **counts)


CSV_COLUMNS = (
    "symbol",
    "timestamp",
    "first_update_id",
    "last_update_id",
    "side",
    "update_type",
    "price",
    "qty",
    "pu",
)


def read_csv(data: bytes) -> DepthFeed:
    """Read a depth CSV: `snap` and `set` rows, a message for each last_update_id. Raises `BadFeed`."""
    rows = csv_rows(data)
    header = tuple(next(rows, ()))
    if header != CSV_COLUMNS:
        refuse("unreadable_file", 0, f"the columns are {','.join(header)}, not {','.join(CSV_COLUMNS)}")
    log = _Log(as_recorded=True)
    log.messages, before = -1, None
    for number, cells in enumerate(rows):
        try:
            row = dict(zip(CSV_COLUMNS, cells, strict=True))
            key = (row["last_update_id"], row["update_type"])
            if key != before:
                log.rows.end()
                log.messages += 1
                _continue_csv(log, row)
            _csv_row(log, row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            refuse("bad_message", max(0, log.messages), f"row {number + 1}: {error}")
        before = key
    log.rows.end()
    return _feed(log)


def _continue_csv(log: _Log, row: dict[str, str]) -> None:
    ts_ns = int(row["timestamp"]) * NS_PER_MS
    if ts_ns < log.last_recv_ns:
        refuse("out_of_order", log.messages, f"timestamp {row['timestamp']} is before the one above")
    log.last_recv_ns = ts_ns
    first, last, before = (int(row[name]) for name in ("first_update_id", "last_update_id", "pu"))
    if row["update_type"] == "snap":
        log.snapshot_id, log.last_id = last, None
        for side in (1, -1):
            log.rows.add(ts_ns, ts_ns, DepthKind.CLEAR_SIDE, side, "0", "0", log.messages)
    else:
        if log.snapshot_id is None:
            log.gaps.gap(log.messages, "there is no snapshot before the first update")
            log.snapshot_id = first
        log.follows(_Depth(e="depthUpdate", U=first, u=last, pu=before if before >= 0 else None))


def _csv_row(log: _Log, row: dict[str, str]) -> None:
    kind = {"snap": DepthKind.SNAPSHOT, "set": DepthKind.SET}[row["update_type"]]
    side = {"b": 1, "a": -1}[row["side"]]
    log.symbol = row["symbol"]
    ts_ns = int(row["timestamp"]) * NS_PER_MS
    log.rows.add(ts_ns, ts_ns, kind, side, row["price"], row["qty"], log.messages)
