"""A price-time order book with owners: what rests, what meets what, what a level shows. No clock, no I/O.

The loopback exchanges share it. It knows prices, sizes and queues; margin, reduce-only and self-trade
rules belong to the venue that owns the book.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Resting:
    """One order in the book; `order_id` is unique in it."""

    order_id: int
    owner: str
    is_buy: bool
    price: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    """One price: what rests there in all, and in how many orders."""

    price: Decimal
    size: Decimal
    orders: int


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self._queues: dict[bool, dict[Decimal, dict[int, Resting]]] = {True: {}, False: {}}
        self._prices: dict[bool, list[Decimal]] = {True: [], False: []}
        self._orders: dict[int, Resting] = {}

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._orders

    def rest(self, order: Resting) -> None:
        """Queue an order behind all others at its price. It must not cross."""
        assert order.remaining > 0 and order.order_id not in self._orders
        assert not self.crosses(order.is_buy, order.price), "an order that crosses is matched first"
        queue = self._queues[order.is_buy].get(order.price)
        if queue is None:
            queue = self._queues[order.is_buy][order.price] = {}
            insort(self._prices[order.is_buy], order.price)
        queue[order.order_id] = order
        self._orders[order.order_id] = order

    def remove(self, order_id: int) -> Resting | None:
        """Take an order out; None where it does not rest here."""
        order = self._orders.pop(order_id, None)
        if order is None:
            return None
        queue = self._queues[order.is_buy][order.price]
        del queue[order_id]
        if not queue:
            del self._queues[order.is_buy][order.price]
            prices = self._prices[order.is_buy]
            del prices[bisect_left(prices, order.price)]
        return order

    def reduce(self, order_id: int, size: Decimal) -> None:
        """Let a resting order lose `size`, keeping its place; one with nothing left goes."""
        order = self._orders[order_id]
        assert ZERO < size <= order.remaining
        order.remaining -= size
        if order.remaining == 0:
            self.remove(order_id)

    def best(self, is_buy: bool) -> Resting | None:
        """Return the first order at the best price of a side."""
        price = self.best_price(is_buy)
        return None if price is None else next(iter(self._queues[is_buy][price].values()))

    def best_price(self, is_buy: bool) -> Decimal | None:
        """Return the highest bid, or the lowest ask."""
        prices = self._prices[is_buy]
        return None if not prices else prices[-1 if is_buy else 0]

    def crosses(self, is_buy: bool, price: Decimal) -> bool:
        """Tell whether an order at this price would meet the other side."""
        other = self.best_price(not is_buy)
        return other is not None and (price >= other if is_buy else price <= other)

    def facing(self, is_buy: bool, limit: Decimal | None) -> Resting | None:
        """Return the order that an order of this side meets first within its limit (None: at any price)."""
        price = self.best_price(not is_buy)
        if price is None or (limit is not None and not self.crosses(is_buy, limit)):
            return None
        return self.best(not is_buy)

    def levels(self, is_buy: bool, depth: int) -> list[Level]:
        """Return up to `depth` levels of a side, the best first."""
        prices = self._prices[is_buy]
        chosen = prices[: -depth - 1 : -1] if is_buy else prices[:depth]
        found = []
        for price in chosen:
            queue = self._queues[is_buy][price]
            size = sum((order.remaining for order in queue.values()), ZERO)
            found.append(Level(price, size, len(queue)))
        return found
