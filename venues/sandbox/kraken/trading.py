"""The loopback Kraken's matching engine: orders in, executions out, balances that add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from seams.clock import Clock
from seams.rng import Rng
from venues.sandbox.book import Book, Resting
from venues.sandbox.kraken import limits
from venues.sandbox.kraken.books import (
    ENDED,
    ZERO,
    Account,
    KrakenError,
    NewOrder,
    Order,
    Print,
    Status,
    Trade,
)
from venues.sandbox.kraken.limits import Budgets, Tier, points_by_age
from venues.sandbox.kraken.listing import (
    MAKER_PERCENT,
    PAIRS,
    TAKER_PERCENT,
    Pair,
    fee_percent,
    spec_of,
)
from venues.sandbox.kraken.reading import demand_cost
from venues.sandbox.kraken.states import SYSTEMS, demand_open, demand_up
from venues.sandbox.street import STREET, Match, Street, cost_of, take
from venues.types import Quote, Side

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PRINTS_KEPT = 1_000
FEE_QUANTUM = Decimal("1e-5")
BASE_FEE_QUANTUM = Decimal("1e-10")
USER, DEAD_MAN, SELF_TRADE = "User requested", "Cancel all after timer", "Self trade prevention"
UNFILLED, WOULD_CROSS = "Insufficient liquidity", "Post only order"


class Hearer:
    """Somebody who is told what happens; every call is made after the books have changed."""

    def on_order(self, order: Order, what: str) -> None:
        """`what`: pending_new, new, filled, canceled, expired, amended, triggered."""

    def on_trade(self, order: Order, trade: Trade) -> None:
        """One execution of one account."""

    def on_print(self, seen: Print) -> None:
        """One public trade."""

    def on_book(self, pair: Pair) -> None:
        """A book may have changed."""

    def on_balance(self, account: Account, asset: str, amount: Decimal, trade: Trade) -> None:
        """A balance has moved by this much."""

    def on_status(self) -> None:
        """The state of the system has changed."""


class Trading:
    """All markets and all accounts."""

    def __init__(self, clock: Clock, accounts: Sequence[Account], tier: Tier, seed: int) -> None:
        self._clock = clock
        self.accounts = {account.name: account for account in accounts}
        self.budgets = Budgets(tier)
        self.books = {pair_id: Book() for pair_id in PAIRS}
        self._streets = {pair.symbol: Street(spec_of(pair), seed) for pair in PAIRS.values()}
        self.orders: dict[str, Order] = {}
        self._open: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self._placed = self._traded = 0
        self.prints: dict[str, list[Print]] = {pair_id: [] for pair_id in PAIRS}
        self.last: dict[str, Decimal] = {}
        self.system = "online"
        self.pair_status = dict.fromkeys(PAIRS, "online")
        self.cancel_pause_ns = 0
        """How long a cancel stays pending; 0: it is done at once."""
        self._cancels: dict[str, int] = {}
        self.part_of: Callable[[Decimal, Decimal], Decimal] = lambda quantity, lot: quantity
        self.hearers: list[Hearer] = []
        self._chance = Rng(seed).stream("kraken ids")

    # --- what accounts ask for -------------------------------------------------------------------

    def place(self, account: Account, asked: NewOrder) -> Order | None:
        """Take one order, or only judge it where it asks for no more. Raises `KrakenError`."""
        now_ns, pair = self._clock.now_ns(), asked.pair
        if not asked.is_validate_only:
            self.budgets.act(account.name, pair.id, 1, now_ns)
        demand_open(asked, self.system, self.pair_status[asked.pair.id])
        mine = self.open_orders(account)
        if asked.cl_ord_id and any(order.asked.cl_ord_id == asked.cl_ord_id for order in mine):
            raise KrakenError("EOrder:cl_ord_id already in use")
        if sum(order.asked.pair is pair for order in mine) >= self.budgets.tier.open_orders_per_pair:
            raise KrakenError("EOrder:Orders limit exceeded")
        self._judge_worth(account, asked)
        if asked.is_validate_only:
            return None
        self._placed += 1
        order = Order(
            number=self._placed,
            txid=self._name("O"),
            account=account.name,
            asked=asked,
            open_ns=now_ns,
            volume=asked.volume,
            price=asked.price,
            changed_ns=now_ns,
        )
        self.orders[order.txid] = self._open[order.number] = order
        self._tell_order(order, "pending_new")
        order.status = Status.OPEN
        self._tell_order(order, "new")
        if not asked.is_stop:
            self._execute(order)
        return order

    def cancel(self, order: Order, reason: str = USER) -> bool:
        """End an order; False where that is still pending. Raises `KrakenError` where it has ended."""
        demand_up(self.system)
        if order.status in ENDED:
            raise KrakenError("EOrder:Unknown order")
        now_ns = self._clock.now_ns()
        points = points_by_age(limits.CANCEL_BY_AGE, now_ns - order.open_ns)
        self.budgets.act(order.account, order.asked.pair.id, points, now_ns, may_refuse=False)
        if self.cancel_pause_ns:
            self._cancels.setdefault(order.txid, now_ns + self.cancel_pause_ns)
            return False
        self._end(order, Status.CANCELED, reason)
        return True

    def amend(self, order: Order, volume: Decimal, price: Decimal, *, is_post_only: bool) -> str:
        """Change volume and limit in place. Less volume at the same price keeps the place in the queue.

        Returns the amendment's id. Raises `KrakenError`, and nothing has changed.
        """
        demand_open(order.asked, self.system, self.pair_status[order.asked.pair.id])
        now_ns, pair, account = self._clock.now_ns(), order.asked.pair, self.accounts[order.account]
        points = 1 + points_by_age(limits.AMEND_BY_AGE, now_ns - order.open_ns)
        self.budgets.act(order.account, pair.id, points, now_ns)
        if order.status in ENDED:
            raise KrakenError("EOrder:Unknown order")
        if volume <= order.filled:
            raise KrakenError("EOrder:Invalid order quantity")
        if is_post_only and self.books[pair.id].crosses(order.asked.side is Side.BUY, price):
            raise KrakenError("EOrder:Post only order")
        freed = self._hold_of(order)
        needed = self._need(order.asked, volume - order.filled, price)
        if needed > self.available(account, self._held_asset(order.asked)) + freed:
            raise KrakenError("EOrder:Insufficient funds")
        number, is_less = order.number, volume <= order.volume and price == order.price
        book = self.books[pair.id]
        if is_less and number in book and volume < order.volume:
            book.reduce(number, order.volume - volume)
        elif not is_less:
            book.remove(number)
        order.volume, order.price, order.changed_ns, order.is_amended = volume, price, now_ns, True
        self._tell_order(order, "amended")
        if not is_less and not (order.asked.is_stop and not order.is_triggered):
            self._execute(order)
        self._tell_book(pair)
        return self._name("T")

    def open_orders(self, account: Account) -> list[Order]:
        """Return an account's working orders, oldest first."""
        return [order for order in self._open.values() if order.account == account.name]

    def available(self, account: Account, asset: str) -> Decimal:
        """Return what an account may still commit of one asset."""
        return account.balances.get(asset, ZERO) - self.held(account, asset)

    def held(self, account: Account, asset: str) -> Decimal:
        """Return what an account's working orders hold of one asset."""
        holding = [order for order in self.open_orders(account) if self._held_asset(order.asked) == asset]
        return sum((self._hold_of(order) for order in holding), ZERO)

    # --- what happens by itself --------------------------------------------------------------------

    def on_quote(self, quote: Quote, pair: Pair) -> None:
        """Move the street to a quote, let it trade, and fire what this triggers."""
        book, street = self.books[pair.id], self._streets[pair.symbol]
        if self.system == "maintenance" or self.pair_status[pair.id] != "online":
            return
        for match in street.lay(book, quote):
            self._settle_resting(pair, match)
        wish = street.trade()
        if wish is not None:
            for match in take(book, wish[0], wish[1], None):
                self._print(pair, match.is_buy, match.price, match.quantity, is_market=True)
                if match.owner != STREET:
                    self._settle_resting(pair, match, is_printed=True)
        self._fire(pair)
        self._tell_book(pair)

    def advance(self) -> None:
        """Let time pass: expiries, pending cancels, dead man's timers."""
        now_ns = self._clock.now_ns()
        if self.system == "maintenance":
            return
        for txid, due_ns in list(self._cancels.items()):
            if now_ns >= due_ns:
                del self._cancels[txid]
                if self.orders[txid].status not in ENDED:
                    self._end(self.orders[txid], Status.CANCELED, USER)
        for order in list(self._open.values()):
            if order.asked.expire_ns and now_ns >= order.asked.expire_ns:
                self._end(order, Status.EXPIRED, "Order expired")
        for account in self.accounts.values():
            if account.cancel_all_ns and now_ns >= account.cancel_all_ns:
                account.cancel_all_ns = 0  # it fires once and stays disarmed
                for order in self.open_orders(account):
                    self._end(order, Status.CANCELED, DEAD_MAN)

    def set_system(self, status: str) -> None:
        """Put the whole venue into one of `SYSTEMS`, and tell everybody. Raises `ValueError`."""
        if status not in SYSTEMS:
            raise ValueError(f"{status!r} is none of {', '.join(SYSTEMS)}")
        self.system = status
        for hearer in self.hearers:
            hearer.on_status()

    # --- judging -----------------------------------------------------------------------------------

    def _judge_worth(self, account: Account, asked: NewOrder) -> None:
        """Refuse what is too small, what would cross though it must not, and what is not covered."""
        book, is_buy = self.books[asked.pair.id], asked.side is Side.BUY
        limit = asked.price or None
        price = asked.price or asked.trigger or book.best_price(not is_buy) or ZERO
        demand_cost(asked.volume, price, asked.pair)
        if asked.is_post_only and book.crosses(is_buy, asked.price):
            raise KrakenError("EOrder:Post only order")
        if asked.ordertype == "market":
            done, cost = cost_of(book, is_buy, asked.volume, limit)
            if done == 0:
                raise KrakenError("EOrder:Insufficient funds" if is_buy else "EOrder:Invalid price")
            needed = cost * (1 + self._percent(account, is_maker=False) / 100) if is_buy else asked.volume
        else:
            needed = self._need(asked, asked.volume, price)
        if needed > self.available(account, self._held_asset(asked)):
            raise KrakenError("EOrder:Insufficient funds")

    def _held_asset(self, asked: NewOrder) -> str:
        return asked.pair.quote if asked.side is Side.BUY else asked.pair.base

    def _need(self, asked: NewOrder, volume: Decimal, price: Decimal) -> Decimal:
        """Return what an order of this size holds: base of a sale, cost and the highest fee of a purchase."""
        if asked.side is Side.SELL:
            return volume
        return volume * price * (1 + fee_percent(TAKER_PERCENT, ZERO) / 100)

    def _hold_of(self, order: Order) -> Decimal:
        return self._need(order.asked, order.left, order.price or order.asked.trigger)

    def _percent(self, account: Account, *, is_maker: bool) -> Decimal:
        return fee_percent(MAKER_PERCENT if is_maker else TAKER_PERCENT, account.volume_usd)

    # --- matching ----------------------------------------------------------------------------------

    def _execute(self, order: Order) -> None:
        """Match an order that is new, amended or triggered; let its rest wait, or end it."""
        asked, book = order.asked, self.books[order.asked.pair.id]
        is_buy, limit = asked.side is Side.BUY, order.price if asked.is_limit else None
        if asked.timeinforce == "FOK" and cost_of(book, is_buy, order.left, limit)[0] < order.left:
            self._end(order, Status.CANCELED, UNFILLED)
            return
        while order.left > 0 and (resting := book.facing(is_buy, limit)) is not None:
            if resting.owner == order.account:
                self._end(order, Status.CANCELED, SELF_TRADE)
                self._tell_book(asked.pair)
                return
            if not (done := self.part_of(min(order.left, resting.remaining), asked.pair.lot)):
                break
            match = Match(resting.order_id, resting.owner, is_buy, resting.price, done)
            book.reduce(resting.order_id, done)
            self._print(asked.pair, is_buy, match.price, done, is_market=not asked.is_limit)
            self._settle(order, match.price, done, is_maker=False)
            if match.owner != STREET:
                self._settle_resting(asked.pair, match, is_printed=True)
        if order.left > 0:
            if asked.is_limit and asked.timeinforce in ("GTC", "GTD"):
                book.rest(Resting(order.number, order.account, is_buy, order.price, order.left))
            else:
                self._end(order, Status.CANCELED, UNFILLED)
        self._tell_book(asked.pair)

    def _settle_resting(self, pair: Pair, match: Match, *, is_printed: bool = False) -> None:
        if not is_printed:
            self._print(pair, match.is_buy, match.price, match.quantity, is_market=False)
        self._settle(self._open[match.order_id], match.price, match.quantity, is_maker=True)

    def _settle(self, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool) -> None:
        """Book one execution: balances, order, trade; then tell."""
        account, asked, now_ns = self.accounts[order.account], order.asked, self._clock.now_ns()
        pair, is_buy = asked.pair, asked.side is Side.BUY
        cost, rate = price * quantity, self._percent(account, is_maker=is_maker) / 100
        fee_asset = pair.base if asked.fee_in_base else pair.quote
        fee = (quantity * rate).quantize(BASE_FEE_QUANTUM, ROUND_HALF_EVEN)
        if not asked.fee_in_base:
            fee = (cost * rate).quantize(FEE_QUANTUM, ROUND_HALF_EVEN)
        moves = {pair.base: quantity if is_buy else -quantity, pair.quote: -cost if is_buy else cost}
        moves[fee_asset] -= fee
        for asset, amount in moves.items():
            account.balances[asset] = account.balances.get(asset, ZERO) + amount
        account.volume_usd += cost
        self._traded += 1
        trade = Trade(
            trade_id=self._name("T"),
            number=self._traded,
            txid=order.txid,
            account=account.name,
            pair=pair,
            side=asked.side,
            ordertype=asked.ordertype,
            price=price,
            quantity=quantity,
            cost=cost,
            fee=fee,
            fee_asset=fee_asset,
            is_maker=is_maker,
            at_ns=now_ns,
        )
        self.trades.append(trade)
        order.filled, order.cost, order.fee = order.filled + quantity, order.cost + cost, order.fee + fee
        order.trades.append(trade.trade_id)
        order.changed_ns = now_ns
        for hearer in self.hearers:
            hearer.on_trade(order, trade)
            for asset, amount in moves.items():
                hearer.on_balance(account, asset, amount, trade)
        if order.left == 0:
            self._end(order, Status.CLOSED, "")

    def _end(self, order: Order, status: Status, reason: str) -> None:
        assert status in ENDED and order.status not in ENDED
        self.books[order.asked.pair.id].remove(order.number)
        del self._open[order.number]
        order.status, order.reason, order.close_ns = status, reason, self._clock.now_ns()
        order.changed_ns = order.close_ns
        self._tell_order(order, "filled" if status is Status.CLOSED else str(status))
        self._tell_book(order.asked.pair)

    def _fire(self, pair: Pair) -> None:
        """Turn stops whose price the last trade has reached into orders that execute."""
        last = self.last.get(pair.id)
        for order in [each for each in self._open.values() if each.asked.pair is pair]:
            asked = order.asked
            if last is None or not asked.is_stop or order.is_triggered:
                continue
            waits_for_fall = asked.ordertype.startswith("stop-loss") == (asked.side is Side.SELL)
            if last <= asked.trigger if waits_for_fall else last >= asked.trigger:
                order.is_triggered = True
                self._tell_order(order, "triggered")
                self._execute(order)

    def _print(self, pair: Pair, is_buy: bool, price: Decimal, quantity: Decimal, *, is_market: bool) -> None:
        kept = self.prints[pair.id]
        number = kept[-1].number + 1 if kept else 1
        seen = Print(
            number, pair, Side.BUY if is_buy else Side.SELL, price, quantity, is_market, self._clock.now_ns()
        )
        kept.append(seen)
        del kept[:-PRINTS_KEPT]
        self.last[pair.id] = price
        for hearer in self.hearers:
            hearer.on_print(seen)

    def _tell_order(self, order: Order, what: str) -> None:
        for hearer in self.hearers:
            hearer.on_order(order, what)

    def _tell_book(self, pair: Pair) -> None:
        for hearer in self.hearers:
            hearer.on_book(pair)

    def _name(self, letter: str) -> str:
        """Return an id of the venue's form, such as `OQCLML-BW3P3-BUCMWZ`."""
        drawn = "".join(self._chance.choice(ALPHABET) for _ in range(16))
        return f"{letter}{drawn[:5]}-{drawn[5:10]}-{drawn[10:]}"
