"""The street: liquidity and trades of nobody in particular around a moving quote, from one seed.

It lays its orders into the same book as the accounts', so that those rest in front of and behind
others, and fill in parts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from seams.rng import Rng
from venues.sandbox.book import Book, Resting
from venues.sandbox.scenarios import SymbolSpec
from venues.types import Quote

STREET = ""
"""The owner of what nobody here owns."""
LEVELS = 25
KEEPS = 0.7
"""The chance that a level's quantity stays as it was from one quote to the next."""
TRADES = 0.5
"""The chance that somebody of the street trades at a quote."""
ZERO = Decimal(0)


class Match(NamedTuple):
    """One execution against a resting order, at that order's price; `is_buy` is the taker's side."""

    order_id: int
    owner: str
    is_buy: bool
    price: Decimal
    quantity: Decimal


def take(book: Book, is_buy: bool, quantity: Decimal, limit: Decimal | None) -> list[Match]:
    """Execute up to `quantity` against the other side, best price and oldest order first."""
    assert quantity >= 0
    matches: list[Match] = []
    while quantity > 0 and (resting := book.facing(is_buy, limit)) is not None:
        done = min(quantity, resting.remaining)
        matches.append(Match(resting.order_id, resting.owner, is_buy, resting.price, done))
        quantity -= done
        book.reduce(resting.order_id, done)
    return matches


def cost_of(book: Book, is_buy: bool, quantity: Decimal, limit: Decimal | None) -> tuple[Decimal, Decimal]:
    """Return how much of `quantity` would execute at once, and at what cost. Nothing is changed."""
    done = cost = ZERO
    for level in book.levels(not is_buy, 1_000_000):
        is_beyond = limit is not None and (level.price > limit if is_buy else level.price < limit)
        if is_beyond or done == quantity:
            break
        part = min(level.size, quantity - done)
        done, cost = done + part, cost + part * level.price
    return done, cost


class Street:
    """One symbol's liquidity. The same seed and the same quotes give the same books."""

    def __init__(self, spec: SymbolSpec, seed: int) -> None:
        self._spec = spec
        self._chance = Rng(seed).stream("street", spec.symbol)
        self._laid: dict[tuple[bool, Decimal], int] = {}
        self._count = 0
        self._typical = spec.bar_volume / 40.0

    def lay(self, book: Book, quote: Quote) -> list[Match]:
        """Move the street's orders to a quote; return what executed against accounts on the way."""
        tick = self._spec.tick
        bid, ask = _on(tick, quote.bid), _on(tick, quote.ask)
        wanted = [(True, bid - i * tick) for i in range(LEVELS) if bid > i * tick]
        wanted += [(False, ask + i * tick) for i in range(LEVELS)]
        keeps = {level for level in wanted if self._chance.random() < KEEPS}
        for level in [each for each in self._laid if each not in keeps]:
            book.remove(self._laid.pop(level))
        matches: list[Match] = []
        for is_buy, price in wanted:
            if self._laid.get((is_buy, price), 0) not in book:
                matches += self._rest(book, is_buy, price)
        return matches

    def trade(self) -> tuple[bool, Decimal] | None:
        """Return a market order of the street (is it a buy, how much), or None."""
        if self._chance.random() >= TRADES:
            return None
        return self._chance.random() < 0.5, self._quantity()

    def _rest(self, book: Book, is_buy: bool, price: Decimal) -> list[Match]:
        """Place one order of the street: it takes what it crosses, the rest of it waits."""
        quantity = self._quantity()
        matches = take(book, is_buy, quantity, price)
        left = quantity - sum((match.quantity for match in matches), ZERO)
        if left > 0:
            self._count -= 1  # ids below zero are the street's
            book.rest(Resting(self._count, STREET, is_buy, price, left))
            self._laid[is_buy, price] = self._count
        return [match for match in matches if match.owner != STREET]

    def _quantity(self) -> Decimal:
        lot = self._spec.lot
        drawn = Decimal(repr(round(self._typical * self._chance.lognormvariate(0.0, 0.8), 6)))
        return max(lot, drawn // lot * lot)


def _on(tick: Decimal, price: float) -> Decimal:
    return (Decimal(repr(price)) / tick).quantize(Decimal(1)) * tick
