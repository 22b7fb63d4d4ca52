"""The loopback Kraken's own books, read without its API: what invariants are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import parse_qsl

from engine.sim.bourses.habits import Entry, by_hand
from seams.clock import Clock
from venues.contract import Refused
from venues.kraken.names import Names
from venues.kraken.translate import FOREIGN
from venues.sandbox.kraken.books import Account, KrakenError, NewOrder, Order, Status
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.sandbox.kraken.listing import BY_NAME, PAIRS
from venues.types import (
    AccountSnapshot,
    Fill,
    MarketEvent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    TimeInForce,
    VenuePosition,
)

HAND_LOTS = {
    "XXBTZUSD": ("BTC-USD", Decimal("0.001"), Decimal("0.1")),
    "XETHZUSD": ("ETH-USD", Decimal("0.01"), Decimal("0.01")),
}
"""Pair -> our symbol, and lot and tick of whoever trades by hand: above the venue's minimum value."""
PAIR_OF = {symbol: PAIRS[pair_id] for pair_id, (symbol, _, _) in HAND_LOTS.items()}
ZERO = Decimal(0)


class KrakenTruth:
    """One account. The engine's orders are told by the mark of its desk, once that is known."""

    def __init__(self, double: KrakenExchange, account: Account, clock: Clock) -> None:
        self._double, self._account, self._clock = double, account, clock
        self._names = Names("nobody")
        self._quoted: dict[str, Decimal] = {}
        self.instruments = tuple(
            by_hand("kraken", symbol, lot, tick) for symbol, lot, tick in HAND_LOTS.values()
        )

    def learn(self, mark: str) -> None:
        """Hear by which mark the engine's orders are told."""
        self._names.use(mark)

    def ours(self, wire: str) -> str:
        """Return the engine's name of an order from its client id."""
        said = str(self._names.read("", {"cl_ord_id": wire})["cl_ord_id"])
        return wire if said.startswith(FOREIGN) else said

    def name_of(self, order: Order) -> str:
        return self.ours(order.asked.cl_ord_id) if order.asked.cl_ord_id else FOREIGN + order.txid

    @property
    def journal(self) -> dict[str, Entry]:
        return {self.name_of(order): self._entry(order) for order in self._double.trading.orders.values()}

    def working(self) -> Sequence[Entry]:
        return [self._entry(order) for order in self._double.trading.open_orders(self._account)]

    def all_fills(self) -> Sequence[Fill]:
        orders = self._double.trading.orders
        return [
            Fill(
                fill_id=trade.trade_id,
                client_order_id=self.name_of(orders[trade.txid]),
                symbol=HAND_LOTS[trade.pair.id][0],
                side=trade.side,
                quantity=trade.quantity,
                price=trade.price,
                fee=trade.fee,
                is_maker=trade.is_maker,
                at_ns=trade.at_ns,
            )
            for trade in self._double.trading.trades
        ]

    def heard(self, event: MarketEvent) -> None:
        """Hear a price as the exchange does."""
        if isinstance(event, Quote):
            self._quoted[event.symbol] = Decimal(repr(event.mid))

    def mark(self, symbol: str) -> Decimal:
        """Return the middle of the book; of the last quote where somebody has just taken a whole side."""
        pair = PAIR_OF[symbol]
        book = self._double.trading.books[pair.id]
        bid, ask = book.best_price(True), book.best_price(False)
        return self._quoted.get(pair.symbol, ZERO) if bid is None or ask is None else (bid + ask) / 2

    async def account(self) -> AccountSnapshot:
        owned = self._account.balances
        positions = tuple(
            VenuePosition(
                symbol=symbol,
                quantity=owned[pair.base],
                entry_price=self.mark(symbol),
                mark_price=self.mark(symbol),
            )
            for symbol, pair in PAIR_OF.items()
            if owned.get(pair.base)
        )
        return AccountSnapshot(
            account_id=self._account.name,
            cash_usd=owned["ZUSD"],
            equity_usd=owned["ZUSD"] + sum((each.quantity * each.mark_price for each in positions), ZERO),
            positions=positions,
            at_ns=self._clock.now_ns(),
        )

    async def submit(self, request: OrderRequest) -> None:
        is_limit = request.order_type is OrderType.LIMIT
        asked = NewOrder(
            pair=PAIR_OF[request.symbol],
            side=request.side,
            ordertype="limit" if is_limit else "market",
            volume=request.quantity,
            price=request.limit_price if is_limit else ZERO,
        )
        try:
            self._double.trading.place(self._account, asked)
        except KrakenError as error:
            raise Refused("refused", str(error)) from error

    def move_cash(self, amount_usd: Decimal) -> None:
        self._account.balances["ZUSD"] += amount_usd
        self._double.sockets.on_transfer(self._account, "ZUSD", amount_usd)

    def move_position(self, symbol: str, quantity: Decimal) -> None:
        """Coins come, or go as far as there are any: nobody owes coins on spot."""
        base, owned = PAIR_OF[symbol].base, self._account.balances
        before = owned.get(base, ZERO)
        owned[base] = max(ZERO, before + quantity)
        self._double.sockets.on_transfer(self._account, base, owned[base] - before)

    def _entry(self, order: Order) -> Entry:
        asked = order.asked
        request = OrderRequest(
            client_order_id=self.name_of(order),
            symbol=HAND_LOTS[asked.pair.id][0],
            side=asked.side,
            quantity=order.volume,
            order_type=OrderType.LIMIT if asked.is_limit else OrderType.MARKET,
            limit_price=order.price,
            time_in_force=TimeInForce.GTC,
            reduce_only=asked.side is Side.SELL,
            mark_price=ZERO,
        )
        return Entry(request=request, filled=order.filled, status=_status(order))

    def read_order(self, form: bytes) -> tuple[OrderRequest, int]:
        """Read an order as it was signed, with its nonce; its limit stands for the price it was sized at."""
        fields = dict(parse_qsl(form.decode()))
        symbol = HAND_LOTS[BY_NAME[fields["pair"]].id][0]
        price = Decimal(fields["price"]) if "price" in fields else self.mark(symbol)
        request = OrderRequest(
            client_order_id=self.ours(fields["cl_ord_id"]),
            symbol=symbol,
            side=Side(fields["type"]),
            quantity=Decimal(fields["volume"]),
            order_type=OrderType(fields["ordertype"]),
            limit_price=price,
            time_in_force=TimeInForce.IOC,
            reduce_only=fields["type"] == "sell",
            mark_price=price,
        )
        return request, int(fields["nonce"])


def _status(order: Order) -> OrderStatus:
    if order.status is Status.CLOSED:
        return OrderStatus.FILLED
    if order.status in (Status.CANCELED, Status.EXPIRED):
        return OrderStatus.CANCELLED
    return OrderStatus.PARTIAL if order.filled else OrderStatus.OPEN
