"""The template venue's matching: one quote for each market, orders that take it or wait for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from venues.sandbox.account import Account
from venues.types import Fill, Instrument, Quote, Side

LEVERAGE = 10
ZERO = Decimal(0)
Tell = Callable[[str, dict[str, Any]], None]


class Denied(Exception):
    """A refusal: its code and its words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


@dataclass(slots=True)
class Order:
    """One order and what has become of it."""

    id: str
    venue_id: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    lives: str
    reduce_only: bool
    filled: Decimal = ZERO
    status: str = "open"

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_live(self) -> bool:
        return self.status == "open"

    def said(self) -> dict[str, Any]:
        """Return it as the venue tells it."""
        return {
            "id": self.id,
            "venue_id": self.venue_id,
            "symbol": self.symbol,
            "side": str(self.side),
            "quantity": f"{self.quantity:f}",
            "price": f"{self.price:f}",
            "filled": f"{self.filled:f}",
            "status": self.status,
        }


@dataclass(slots=True)
class Matching:
    """All orders of all accounts. `tell` hears (account, message) of everything that happens."""

    instruments: dict[str, Instrument]
    accounts: dict[str, Account]
    now_ms: Callable[[], int]
    tell: Tell
    depth: Decimal | None = None
    """How much one order may take at once; None: all of it."""
    halted: set[str] = field(default_factory=set)
    orders: dict[str, Order] = field(default_factory=dict)
    fills: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)

    def place(self, order: Order) -> None:
        """Take one order: it executes, waits, or ends. Raises `Denied`, and nothing has happened."""
        self._judge(order)
        self.orders[order.id] = order
        said = {"what": "accepted", "id": order.id, "venue_id": order.venue_id, "at_ms": self.now_ms()}
        self.tell(order.account, said)
        if self._crosses(order):
            possible = order.left if self.depth is None else min(order.left, self.depth)
            self._execute(order, possible, self._touch(order), is_maker=False)
        if order.is_live and (order.lives == "ioc" or (order.reduce_only and not self._reducible(order))):
            self.end(order, "unfilled")

    def end(self, order: Order, why: str) -> None:
        """End a working order with what it has."""
        order.status = "cancelled"
        said = {"what": "ended", "id": order.id, "why": why, "filled": f"{order.filled:f}"}
        self.tell(order.account, said | {"at_ms": self.now_ms()})

    def working(self, account: str) -> list[Order]:
        return [each for each in self.orders.values() if each.account == account and each.is_live]

    def on_quote(self, quote: Quote) -> None:
        """Move a market; what waits in the way is filled at its own price."""
        self.quotes[quote.symbol] = quote
        for order in list(self.orders.values()):
            if order.is_live and order.symbol == quote.symbol and self._crosses(order):
                self._execute(order, order.left, order.price, is_maker=True)

    def hit(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Let somebody trade against what waits at a price."""
        for order in list(self.orders.values()):
            if order.is_live and (order.symbol, order.side, order.price) == (symbol, side, price):
                self._execute(order, min(order.left, quantity), price, is_maker=True)

    def marks(self) -> dict[str, float]:
        return {symbol: quote.mid for symbol, quote in self.quotes.items()}

    def _judge(self, order: Order) -> None:
        found = self.instruments.get(order.symbol)
        if found is None or order.symbol not in self.quotes:
            raise Denied("unknown_symbol", order.symbol)
        if order.symbol in self.halted:
            raise Denied("market_closed", f"{order.symbol} is halted")
        if order.id in self.orders:
            raise Denied("duplicate_id", f"{order.id} names an order already")
        if order.quantity <= 0 or order.quantity % found.lot or order.price <= 0 or order.price % found.tick:
            raise Denied("off_grid", "quantity or price is not on the grid")
        if order.lives == "post_only" and self._crosses(order):
            raise Denied("would_take", "a post-only order would have traded")
        if order.reduce_only:
            if not self._reducible(order):
                raise Denied("nothing_to_reduce", "there is no position to reduce")
            return
        book = self.accounts[order.account]
        held = sum((abs(h.quantity) * h.entry_price for h in book.holdings.values()), ZERO)
        if held + order.quantity * order.price > LEVERAGE * book.cash_usd:
            raise Denied("insufficient_margin", f"above {LEVERAGE} times the cash")

    def _reducible(self, order: Order) -> Decimal:
        return self.accounts[order.account].reducible(order.symbol, order.side)

    def _touch(self, order: Order) -> Decimal:
        quote = self.quotes[order.symbol]
        return Decimal(repr(quote.ask if order.side is Side.BUY else quote.bid))

    def _crosses(self, order: Order) -> bool:
        return (order.price - self._touch(order)) * order.side.sign >= 0

    def _execute(self, order: Order, quantity: Decimal, price: Decimal, *, is_maker: bool) -> None:
        if order.reduce_only:
            quantity = min(quantity, self._reducible(order))
        if quantity <= 0:
            return
        found = self.instruments[order.symbol]
        fee = quantity * price * (found.maker_fee_bps if is_maker else found.taker_fee_bps) / 10_000
        trades = self.fills.setdefault(order.account, [])
        fill = Fill(
            fill_id=f"{order.account}-{len(trades) + 1}",
            client_order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=fee,
            is_maker=is_maker,
            at_ns=0,
        )
        self.accounts[order.account].apply(fill)
        order.filled += quantity
        if not order.left:
            order.status = "filled"
        said = {
            "what": "filled",
            "trade": fill.fill_id,
            "id": order.id,
            "symbol": order.symbol,
            "side": str(order.side),
            "quantity": f"{quantity:f}",
            "price": f"{price:f}",
            "fee": f"{fee:f}",
            "maker": is_maker,
            "at_ms": self.now_ms(),
        }
        trades.append(said)
        self.tell(order.account, said)
