"""The quoting simulation in plain Python: one heap of things to come, books as dictionaries."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from native.depth import DepthKind
from native.quotes import QueueModel, QuoteResult, QuoteRules

Row = Sequence[int]
Quoter = Callable[[int, int, int], tuple[int | None, int | None]]
Handlers = dict[int, Callable[..., None]]
FEED_HERE, ANSWER, FEED_THERE, REQUEST = range(4)
"""Kinds of things to come, in the order in which they happen at one time."""


class CursorBook:
    """Levels and a best price of either side; a newer price passes over what it overtakes, and keeps it."""

    def __init__(self) -> None:
        self.levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.best: dict[int, int | None] = {1: None, -1: None}

    def next(self, side: int, beyond: int) -> int | None:
        """Return the best tick of a side that is worse than `beyond`."""
        worse = [tick for tick in self.levels[side] if (beyond - tick) * side > 0]
        return max(worse, key=lambda tick: tick * side, default=None)

    def reaches(self, side: int, tick: int) -> bool:
        """Tell whether the side's best price is at `tick` or beyond it."""
        best = self.best[side]
        return best is not None and (best - tick) * side >= 0

    def apply(self, kind: int, side: int, tick: int, lot: int) -> None:
        levels, best = self.levels[side], self.best[side]
        if kind in (DepthKind.SET, DepthKind.SNAPSHOT):
            if lot:
                levels[tick] = lot
                if best is None or (tick - best) * side > 0:
                    self.best[side] = tick
                    if self.reaches(-side, tick):
                        self.best[-side] = self.next(-side, tick)
            elif levels.pop(tick, 0) and tick == best:
                self.best[side] = self.next(side, tick)
        elif kind in (DepthKind.CLEAR_SIDE, DepthKind.CLEAR_THROUGH, DepthKind.TRUNCATE):
            ranked = sorted(levels, key=lambda each: -each * side)
            if kind == DepthKind.CLEAR_THROUGH:
                gone = [each for each in ranked if (each - tick) * side >= 0]
            else:
                gone = ranked if kind == DepthKind.CLEAR_SIDE else ranked[lot:]
            for each in gone:
                del levels[each]
            if kind == DepthKind.CLEAR_THROUGH:
                self.best[side] = max(levels, key=lambda each: each * side, default=None)
            elif best not in levels:
                self.best[side] = None


class PlainPlace:
    """Lots ahead of us in a queue whose orders we cannot see (formulas in `queue.pxd`)."""

    def __init__(self, rules: QuoteRules, lots: int) -> None:
        self.rules, self.ahead, self.traded = rules, float(lots), 0.0

    def trade(self, lots: int) -> bool:
        self.ahead -= lots
        self.traded += lots
        return self.ahead <= -0.5

    def update(self, old: int, new: int) -> None:
        gone, self.traded = old - new - self.traded, 0.0
        if self.rules.queue_model is not QueueModel.CONSERVATIVE and gone > 0:
            behind = old - self.ahead
            back, front = self._weight(behind), self._weight(self.ahead)
            share = back / (back + front) if back + front > 0 else 1.0
            self.ahead = self.ahead - (1.0 - share) * gone + min(0.0, behind - share * gone)
        self.ahead = min(self.ahead, float(new))

    def _weight(self, lots: float) -> float:
        if lots <= 0:
            return 0.0
        is_power = self.rules.queue_model is QueueModel.POWER
        return float(lots**self.rules.queue_power) if is_power else math.log(1.0 + lots)


@dataclass
class OwnOrder:
    """An order as we know it: pending, live or ended; and whether a request of ours is under way."""

    order: int
    tick: int
    state: str = "pending"
    is_waiting: bool = True


class PlainQuotes:
    """The whole simulation; `fills` are (exchange time, tick, side, time joined, lots ahead then)."""

    def __init__(self, local: Sequence[Row], exchange: Sequence[Row], rules: QuoteRules) -> None:
        self.rules = rules
        self.here, self.there = CursorBook(), CursorBook()
        self.feeds: dict[int, Iterator[Row]] = {FEED_HERE: iter(local), FEED_THERE: iter(exchange)}
        self.rows_left = len(local) + len(exchange)
        self.start = min(local[0][0], exchange[0][0])
        self.heap: list[tuple[int, int, int, tuple[object, ...]]] = []
        self.sent = {ANSWER: 0, REQUEST: 0}
        self.count = self.steps = self.submits = self.cancels = self.expired = self.orders = 0
        self.ours: dict[int, OwnOrder] = {}
        self.resting: dict[int, tuple[int, int, PlainPlace, int, int]] = {}
        self.fills: list[tuple[int, ...]] = []
        self.position, self.balance, self.fees, self.mid = 0, 0.0, 0.0, 0.0
        for feed in self.feeds:
            self._pull(feed)

    def _push(self, ts: int, kind: int, payload: tuple[object, ...]) -> None:
        self.count += 1
        heapq.heappush(self.heap, (ts, kind, self.count, payload))

    def _pull(self, feed: int) -> None:
        row = next(self.feeds[feed], None)
        if row is not None:
            self._push(row[0], feed, tuple(row))

    def _send(self, wire: int, ts: int, *payload: object) -> None:
        self.sent[wire] = max(self.sent[wire], ts)  # nothing overtakes on a wire
        self._push(self.sent[wire], wire, payload)

    def run(self, quoter: Quoter | None = None) -> QuoteResult:
        handlers: Handlers = {
            FEED_HERE: self._see,
            ANSWER: self._learn,
            FEED_THERE: self._happen,
            REQUEST: self._arrive,
        }
        now = self.start
        while self._advance(now + self.rules.interval_ns, handlers):
            now += self.rules.interval_ns
            self._step(now, quoter or self.skewed)
        held = self.position * self.rules.lot_size * self.mid * self.rules.tick_size
        return QuoteResult(
            steps=self.steps, submits=self.submits, cancels=self.cancels, expired=self.expired,
            fills=len(self.fills), position_lots=self.position, balance=self.balance, fees=self.fees,
            equity=self.balance - self.fees + held,
        )  # fmt: skip

    def _advance(self, target: int, handlers: Handlers) -> bool:
        while self.heap and self.heap[0][0] <= target:
            ts, kind, _, payload = heapq.heappop(self.heap)
            if kind in self.feeds:
                self.rows_left -= 1
                self._pull(kind)
            handlers[kind](ts, *payload)
        return bool(self.heap)

    def _see(self, ts: int, _: int, tick: int, lot: int, kind: int, side: int, *rest: int) -> None:
        self.here.apply(kind, side, tick, lot)

    def _happen(self, ts: int, _: int, tick: int, lot: int, kind: int, side: int, *rest: int) -> None:
        """The market moves at the exchange."""
        before, other = self.there.best[side], self.resting.get(-side)
        if kind == DepthKind.TRADE:
            if other and ((tick - other[1]) * side > 0 or (tick == other[1] and other[2].trade(lot))):
                self._fill(ts, -side)
            return
        is_set = kind in (DepthKind.SET, DepthKind.SNAPSHOT)
        own = self.resting.get(side)
        if is_set and own and own[1] == tick:
            own[2].update(self.there.levels[side].get(tick, 0), lot)
        self.there.apply(kind, side, tick, lot)
        after = self.there.best[side]
        is_better = after is not None and (before is None or (after - before) * side > 0)
        if is_set and is_better and other and self.there.reaches(side, other[1]):
            self._fill(ts, -side)

    def _fill(self, ts: int, side: int) -> None:
        order, tick, _, joined, ahead = self.resting.pop(side)
        self.fills.append((ts, tick, side, joined, ahead))
        self._send(ANSWER, ts + self.rules.response_latency_ns, order, "filled", tick, side)

    def _arrive(self, ts: int, order: int, kind: str, tick: int, side: int) -> None:
        """Our request reaches the exchange."""
        if kind == "new" and self.there.reaches(-side, tick):
            answer = "expired"
        elif kind == "new":
            lots = self.there.levels[side].get(tick, 0)
            self.resting[side], answer = (order, tick, PlainPlace(self.rules, lots), ts, lots), "new"
        elif side in self.resting and self.resting[side][0] == order:
            del self.resting[side]
            answer = "cancelled"
        else:
            answer = "rejected"
        self._send(ANSWER, ts + self.rules.response_latency_ns, order, answer, tick, side)

    def _learn(self, ts: int, order: int, kind: str, tick: int, side: int) -> None:
        """An answer reaches us."""
        if kind == "filled":
            self.position += self.rules.order_lots * side
            notional = tick * self.rules.tick_size * (self.rules.order_lots * self.rules.lot_size)
            self.balance -= notional * side
            self.fees += notional * (self.rules.fee_bps / 1e4)
        self.expired += kind == "expired"
        own = self.ours.get(side)
        if own and own.order == order:
            own.is_waiting = False
            if kind != "rejected":
                own.state = "live" if kind == "new" else "ended"

    def skewed(self, best_bid: int, best_ask: int, position: int) -> tuple[int | None, int | None]:
        """Quote as `QuoteRules` describes."""
        rules, units = self.rules, position // self.rules.order_lots
        middle = (best_bid + best_ask) / 2 - rules.skew_ticks * units
        bid = min(best_bid, math.floor(middle - rules.half_spread_ticks))
        ask = max(best_ask, math.ceil(middle + rules.half_spread_ticks))
        return (bid if units < rules.max_units else None, ask if units > -rules.max_units else None)

    def _step(self, now: int, quoter: Quoter) -> None:
        self.steps += 1
        self.ours = {side: own for side, own in self.ours.items() if own.state != "ended"}
        bid, ask = self.here.best[1], self.here.best[-1]
        if bid is None or ask is None or not self.rows_left:
            return
        self.mid = (bid + ask) / 2
        wanted = dict(zip((1, -1), quoter(bid, ask, self.position), strict=True))
        at = now + self.rules.order_latency_ns
        had = sorted(self.ours, reverse=True)
        for side in had:
            own = self.ours[side]
            if own.state == "live" and not own.is_waiting and own.tick != wanted[side]:
                own.is_waiting = True
                self.cancels += 1
                self._send(REQUEST, at, own.order, "cancel", own.tick, side)
        for side, tick in wanted.items():
            if side not in had and tick is not None:
                self.orders += 1
                self.submits += 1
                self.ours[side] = OwnOrder(self.orders, tick)
                self._send(REQUEST, at, self.orders, "new", tick, side)
