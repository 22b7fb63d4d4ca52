"""Worst-case exposure: positions plus every order that is, or may be, alive, on each side (C4, I7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Protocol

from native.rules import is_major
from safety.facts import OrderFact, PositionFact
from safety.intent import ExecutionIntent
from venues.types import Side

ZERO = Decimal(0)
_SYMBOLS_KEPT = 1024


class Carried(Protocol):
    """What is held and what may still trade: an `AccountFacts`, or a `Carrying`."""

    @property
    def positions(self) -> tuple[PositionFact, ...] | None: ...

    @property
    def orders(self) -> tuple[OrderFact, ...] | None: ...

    @property
    def mark_price(self) -> Decimal | None: ...


class Carrying(NamedTuple):
    """Positions and orders alone, where nothing else of an account is asked for."""

    positions: tuple[PositionFact, ...] | None
    orders: tuple[OrderFact, ...] | None
    mark_price: Decimal | None = None


class _Book(NamedTuple):
    position: Decimal
    buys: Decimal
    sells: Decimal
    price: Decimal


def _finite(value: Decimal | None) -> Decimal:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("a figure of the account is not known")
    return value


def _collected(facts: Carried, intent: ExecutionIntent | None) -> dict[str, _Book]:
    """Collect, per symbol, the position, all quantity that may still trade, and the dearest price.

    Reduce-only orders cannot open, so they are left out. Raises `ValueError` where a figure is missing.
    """
    if facts.positions is None or facts.orders is None:
        raise ValueError("positions or orders are not known")
    books: dict[str, _Book] = {}
    empty = _Book(ZERO, ZERO, ZERO, ZERO)
    for position in facts.positions:
        book = books.get(position.symbol, empty)
        books[position.symbol] = book._replace(
            position=book.position + _finite(position.quantity),
            price=max(book.price, _priced(position.mark_price)) if position.quantity else book.price,
        )
    for order in facts.orders:
        if _finite(order.remaining) < 0:
            raise ValueError("an order has a negative rest")
        if not order.reduce_only:
            books[order.symbol] = _with_order(
                books.get(order.symbol, empty), order.side, order.remaining, _priced(order.price)
            )
    if intent is not None:
        price = max(_priced(intent.limit_price), _priced(facts.mark_price))
        books[intent.symbol] = _with_order(
            books.get(intent.symbol, empty), Side(intent.side), _priced(intent.quantity), price
        )
    return books


class _Newest:
    """The books of the account that was asked about last, without an intent and with one: a dozen rules of
    one judgement ask for the same. Facts and intents never change, so the same objects have the same books.
    """

    def __init__(self) -> None:
        self._facts: Carried | None = None
        self._books: dict[int, tuple[ExecutionIntent | None, Mapping[str, _Book]]] = {}
        self._gross: dict[int, Decimal] = {}

    def books(self, facts: Carried, intent: ExecutionIntent | None) -> Mapping[str, _Book]:
        """Return the books. Raises `ValueError` as `_collected` does."""
        if facts is not self._facts:
            self._facts, self._books, self._gross = facts, {}, {}
        found = self._books.get(id(intent))
        if found is None:
            found = self._books[id(intent)] = (intent, _collected(facts, intent))
        assert found[0] is intent, "what is kept has its intent kept, so its place is not given away"
        return found[1]

    def gross(self, facts: Carried, intent: ExecutionIntent | None) -> Decimal:
        """Return the worst-case sum of all books. Raises `ValueError` as `_collected` does."""
        books = self.books(facts, intent)
        if id(intent) not in self._gross:
            self._gross[id(intent)] = _sum(books)
        return self._gross[id(intent)]


_NEWEST = _Newest()


def _priced(value: Decimal | None) -> Decimal:
    price = _finite(value)
    if price <= 0:
        raise ValueError("not above zero")
    return price


def _with_order(book: _Book, side: Side, quantity: Decimal, price: Decimal) -> _Book:
    dearest = max(book.price, price)
    if side is Side.BUY:
        return book._replace(buys=book.buys + quantity, price=dearest)
    return book._replace(sells=book.sells + quantity, price=dearest)


def _worst(book: _Book) -> Decimal:
    """The larger absolute position, whether all buys or all sells fill (or neither)."""
    return max(abs(book.position), abs(book.position + book.buys), abs(book.position - book.sells))


def _sum(books: Mapping[str, _Book]) -> Decimal:
    return sum([_worst(book) * book.price for book in books.values()], ZERO)


def gross_exposure(facts: Carried, intent: ExecutionIntent | None) -> Decimal:
    """Return the worst-case sum over symbols of |position| * price, in USD, with the intent if given."""
    return _NEWEST.gross(facts, intent)


def symbol_exposure(facts: Carried, intent: ExecutionIntent | None, symbol: str) -> Decimal:
    """Return the worst-case |position| * price of one symbol, in USD."""
    book = _NEWEST.books(facts, intent).get(symbol)
    return ZERO if book is None else _worst(book) * book.price


class Sides(NamedTuple):
    """What may be held long, and what short, in USD; both are positive."""

    longs: Decimal
    shorts: Decimal


def alt_exposure(facts: Carried, intent: ExecutionIntent | None, majors: tuple[str, ...]) -> Sides:
    """Return all altcoins at their worst on each side: whether all buys fill, or all sells.

    As the kernel counts them: every symbol whose base is not among `majors`. Raises `ValueError` where a
    figure of the account is missing.
    """
    longs = shorts = ZERO
    for symbol, book in _NEWEST.books(facts, intent).items():
        if is_alt(symbol, majors):
            longs += max(ZERO, book.position + book.buys) * book.price
            shorts += max(ZERO, book.sells - book.position) * book.price
    return Sides(longs, shorts)


@lru_cache(maxsize=_SYMBOLS_KEPT)
def is_alt(symbol: str, majors: tuple[str, ...]) -> bool:
    return not is_major(symbol, majors)


def worst_positions(facts: Carried, intent: ExecutionIntent | None) -> tuple[str, ...]:
    """Return the symbols that may hold a position, sorted."""
    return tuple(sorted(symbol for symbol, book in _NEWEST.books(facts, intent).items() if _worst(book) > 0))


def closing_quantity(facts: Carried, intent: ExecutionIntent) -> Decimal:
    """Return how much of the position this side may still close, other closing orders taken off.

    Every live or unknown order on the closing side counts, reduce-only or not. Raises `ValueError`
    where positions or orders are not known.
    """
    if facts.positions is None or facts.orders is None:
        raise ValueError("positions or orders are not known")
    held = sum((_finite(p.quantity) for p in facts.positions if p.symbol == intent.symbol), ZERO)
    side = Side(intent.side)
    closing = -held * side.sign
    others = sum(
        (_finite(o.remaining) for o in facts.orders if o.symbol == intent.symbol and o.side is side), ZERO
    )
    return max(ZERO, closing - others)


def strategy_exposure(facts: Carried, intent: ExecutionIntent | None, strategy_id: str) -> Decimal:
    """Return the worst-case gross exposure of one strategy, in USD.

    Positions and orders that name no strategy count for every one: nobody else answers for them.
    """
    if facts.positions is None or facts.orders is None:
        raise ValueError("positions or orders are not known")
    mine = ("", strategy_id)
    positions = tuple([p for p in facts.positions if p.strategy_id in mine])
    orders = tuple([o for o in facts.orders if o.strategy_id in mine])
    if len(positions) == len(facts.positions) and len(orders) == len(facts.orders):
        return gross_exposure(facts, intent)  # it answers for everything: the same books
    return _sum(_collected(Carrying(positions, orders, facts.mark_price), intent))


def portfolio_risk_usd(facts: Carried, intent: ExecutionIntent | None) -> Decimal:
    """Return what would be lost if every position and entry order met its stop, in USD (AQ-10).

    Portfolio heat = sum of quantity * distance to the stop. What has no stop counts with its whole value.
    """
    if facts.positions is None or facts.orders is None:
        raise ValueError("positions or orders are not known")
    total = ZERO
    for position in facts.positions:
        if position.quantity:
            quantity = _finite(position.quantity)
            total += _at_stake(quantity, _priced(position.mark_price), position.stop_price)
    for order in facts.orders:
        if not order.reduce_only and order.remaining:
            signed = _finite(order.remaining) * order.side.sign
            total += _at_stake(signed, _priced(order.price), order.stop_price)
    return total if intent is None else total + trade_risk_usd(intent)


def trade_risk_usd(intent: ExecutionIntent) -> Decimal:
    """Return what one order loses between its limit and its stop, in USD. Raises `ValueError`."""
    signed = _priced(intent.quantity) * Side(intent.side).sign
    return _at_stake(signed, _priced(intent.limit_price), _priced(intent.stop_loss))


def _at_stake(signed: Decimal, price: Decimal, stop: Decimal | None) -> Decimal:
    if stop is None:
        return abs(signed) * price
    return max(ZERO, signed * (price - _priced(stop)))


def position_after(facts: Carried, intent: ExecutionIntent) -> Decimal:
    """Return the signed position if the intent and every entry order on its side fill."""
    if facts.positions is None or facts.orders is None:
        raise ValueError("positions or orders are not known")
    side = Side(intent.side)
    held = sum((_finite(p.quantity) for p in facts.positions if p.symbol == intent.symbol), ZERO)
    same = (o for o in facts.orders if o.symbol == intent.symbol and o.side is side and not o.reduce_only)
    return held + side.sign * (sum((_finite(o.remaining) for o in same), ZERO) + _priced(intent.quantity))
