"""The books in plain Python: dictionaries and `max`, slow and plain to read; tests compare with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from native.depth import DepthFlag, DepthKind, OrderAction

Row = Sequence[int]
LAST = int(DepthFlag.LAST)


class PlainL2:
    """Price levels as two dictionaries; rows are `DEPTH_DTYPE` tuples."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.traded_lots = self.crossed_messages = 0
        self.records: list[tuple[int, int, int]] = []

    def apply(self, rows: Iterable[Row]) -> None:
        for ts_ns, tick, lot, kind, side, flags, _, _ in rows:
            self._change(kind, side, tick, lot)
            if flags & LAST and self.bids and self.asks:
                self._record(ts_ns, flags)

    def _record(self, ts_ns: int, flags: int) -> None:
        best = (max(self.bids), min(self.asks))
        if not self.records or self.records[-1][1:] != best:
            self.records.append((ts_ns, *best))
            self.crossed_messages += best[0] >= best[1] and not flags & DepthFlag.MAY_CROSS

    def _change(self, kind: int, side: int, tick: int, lot: int) -> None:
        levels = self.bids if side > 0 else self.asks
        if kind in (DepthKind.SET, DepthKind.SNAPSHOT):
            if lot:
                levels[tick] = lot
            else:
                levels.pop(tick, None)
        elif kind == DepthKind.TRADE:
            self.traded_lots += lot
        elif kind == DepthKind.CLEAR_THROUGH:
            for each in [each for each in levels if (each - tick) * side >= 0]:
                del levels[each]
        elif kind == DepthKind.CLEAR_SIDE:
            levels.clear()
        elif kind == DepthKind.TRUNCATE:
            for each in sorted(levels, key=lambda price: -price * side)[lot:]:
                del levels[each]

    def state_hash(self) -> str:
        lines = [f"b,{tick},{self.bids[tick]}\n" for tick in sorted(self.bids, reverse=True)]
        lines += [f"a,{tick},{self.asks[tick]}\n" for tick in sorted(self.asks)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class PlainOrder(NamedTuple):
    """One resting order; a level's dictionary keeps them in the order of their priority."""

    order_id: int
    size: int


class PlainL3:
    """Orders by id and, for each level, in time priority; rows are `ORDER_DTYPE` tuples."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[int, int]] = {}
        self.levels: dict[tuple[int, int], dict[int, int]] = {}
        self.unknown = 0
        self.records: list[tuple[int, ...]] = []

    def apply(self, rows: Iterable[Row]) -> None:
        for ts_ns, order_id, tick, size, action, side, flags, _, _ in rows:
            self._change(action, order_id, side, tick, size)
            if flags & LAST:
                self._record(ts_ns)

    def _change(self, action: int, order_id: int, side: int, tick: int, size: int) -> None:
        place = self.places.get(order_id)
        if action == OrderAction.ADD:
            self._leave(order_id)
            self._join(order_id, side, tick, size)
        elif action == OrderAction.CANCEL:
            if place is None:
                self.unknown += 1
            elif self.levels[place][order_id] > size:
                self.levels[place][order_id] -= size
            else:
                self._leave(order_id)
        elif action == OrderAction.MODIFY:
            if place == (side, tick) and size <= self.levels[place][order_id] and size:
                self.levels[place][order_id] = size
            else:
                self._leave(order_id)
                self._join(order_id, side, tick, size)
        elif action == OrderAction.CLEAR:
            self.places.clear()
            self.levels.clear()
        elif action == OrderAction.TRUNCATE:
            ticks = sorted((each[1] for each in self.levels if each[0] == side), reverse=side > 0)
            for order_id in [order_id for each in ticks[size:] for order_id in self.levels[side, each]]:
                self._leave(order_id)

    def _join(self, order_id: int, side: int, tick: int, size: int) -> None:
        if size:
            self.places[order_id] = (side, tick)
            self.levels.setdefault((side, tick), {})[order_id] = size

    def _leave(self, order_id: int) -> None:
        place = self.places.pop(order_id, None)
        if place is not None:
            del self.levels[place][order_id]
            if not self.levels[place]:
                del self.levels[place]

    def top(self) -> tuple[int, ...] | None:
        bids = [tick for side, tick in self.levels if side > 0]
        asks = [tick for side, tick in self.levels if side < 0]
        if not bids or not asks:
            return None
        found: list[int] = []
        for place in ((1, max(bids)), (-1, min(asks))):
            level = self.levels[place]
            found += [place[1], sum(level.values()), len(level)]
        return tuple(found)

    def _record(self, ts_ns: int) -> None:
        top = self.top()
        if top is not None and (not self.records or self.records[-1][1:] != top):
            self.records.append((ts_ns, *top))

    def queue(self, side: int, tick: int) -> list[PlainOrder]:
        """Return the orders of a level, first in priority first."""
        return [PlainOrder(order_id, size) for order_id, size in self.levels.get((side, tick), {}).items()]
