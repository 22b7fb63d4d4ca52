"""Orders at the loopback Hyperliquid: judged in the venue's order, matched by price and time, booked.

Texts and statuses are the venue's (venues.md 3.7 to 3.9). What happens is told to an `Audience`; a push
may therefore leave before the answer to the request that caused it, as at the real venue.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from venues.hyperliquid.precision import is_price, is_size, lot_of, price_down
from venues.sandbox.book import Book, Resting
from venues.sandbox.hyperliquid import margin
from venues.sandbox.hyperliquid.accounts import ZERO, Registry, User
from venues.sandbox.hyperliquid.executions import HOUSE, Audience, Executions
from venues.sandbox.hyperliquid.listing import BY_ASSET, BY_COIN, LISTINGS, Listing
from venues.sandbox.hyperliquid.orders import OPEN, Order, Trigger, wire_float
from venues.sandbox.hyperliquid.wires import OrderWire

MIN_NOTIONAL = Decimal(10)
BAND = (Decimal("0.2"), Decimal(5))
"""A price must lie above the first and at most at the second multiple of the mark (measured on spot)."""
MARKET_SLIPPAGE = Decimal("0.1")
NEVER_PLACED = "Order was never placed, already canceled, or filled."
Status = dict[str, Any] | str


class Refusal(Exception):
    """An order the venue does not take: its text, and the status it is listed under ("" for none)."""

    def __init__(self, text: str, status: str = "") -> None:
        super().__init__(text)
        self.text, self.status = text, status


class Trading:
    """All books and orders of the exchange."""

    def __init__(self, registry: Registry, now_ms: Callable[[], int], audience: Audience) -> None:
        self.registry, self.now_ms, self.audience = registry, now_ms, audience
        self.executions = Executions(registry, now_ms, audience)
        self.books = {each.coin: Book() for each in LISTINGS}
        self.marks: dict[str, Decimal] = {}
        self.orders: dict[int, Order] = {}
        self.waiting: dict[int, Order] = {}
        """Orders that wait for their trigger."""
        self.suffix_assets = False
        """Let refusals end in ` asset=N`, as the venue often does."""
        self.post_only_period = False
        self.halted: set[str] = set()
        self.refuses: Callable[[Order], bool] = lambda order: False
        """Tells whether the account lacks the margin for an order, whatever its books say."""
        self.part_of: Callable[[Decimal, Decimal], Decimal] = lambda size, lot: size
        """How much of a size (in whole lots) a taker gets at one level; after 0 it gets no more."""
        self._oid = 1_000_000

    # --- requests ----------------------------------------------------------------------------------

    def place(
        self, user: User, given: OrderWire, parent: Order | None = None, *, tied: bool = False
    ) -> Status:
        """Take one order, or say why not. `parent`: it waits for that one; `tied`: to the position."""
        listing = BY_ASSET.get(given.a)
        if listing is None:
            return {"error": f"Order has invalid asset. asset={given.a}"}
        try:
            order = self._read(user, listing, given)
        except Refusal as refusal:
            return self._error(refusal.text, listing)
        order.is_position_tpsl = tied
        try:
            self._judge(user, listing, order)
        except Refusal as refusal:
            if refusal.status:
                self._enter(user, order, refusal.status)
            return self._error(refusal.text, listing)
        return self._start(user, listing, order, parent)

    def cancel(self, user: User, oid: int, status: str = "canceled") -> Status:
        """Cancel an order of this account."""
        order = user.live.get(oid)
        if order is None:
            return {"error": NEVER_PLACED}
        self.end(order, status)
        return "success"

    def by_cloid(self, user: User, cloid: str) -> Order | None:
        """Return the newest order with this cloid."""
        cloid = cloid.lower()
        return next((o for o in reversed(user.orders.values()) if o.cloid == cloid), None)

    def modify(self, user: User, oid: int | str, given: OrderWire, *, always: bool) -> Status:
        """Replace an order: the old one goes first, and the new one has to pass on its own."""
        old = user.orders.get(oid) if isinstance(oid, int) else self.by_cloid(user, oid)
        if old is not None and old.is_live:
            self.end(old, "canceled")
        elif not always:
            return {"error": "Cannot modify canceled or filled order"}
        if given.t.limit is not None and given.t.limit.tif == "Gtc" and not always:
            given.t.limit.tif = "Alo"
        return self.place(user, given)

    # --- judging -----------------------------------------------------------------------------------

    def _read(self, user: User, listing: Listing, given: OrderWire) -> Order:
        """Make an order of what was asked. Raises `Refusal` (it leaves no trace)."""
        price, size = Decimal(given.p), Decimal(given.s)
        if size == 0:
            raise Refusal("Order has zero size.")
        if not is_size(size, listing.sz_decimals):
            raise Refusal("Order has invalid size.")
        if price <= 0:
            raise Refusal("Order has invalid price.")
        trigger = None
        if given.t.trigger is not None:
            at = Decimal(given.t.trigger.triggerPx)
            if at <= 0:
                raise Refusal("Invalid TP/SL price.")
            trigger = Trigger(at, given.t.trigger.isMarket, given.t.trigger.tpsl == "tp")
        self._oid += 1
        return Order(
            oid=self._oid,
            owner=user.address,
            coin=listing.coin,
            asset=listing.asset,
            is_buy=given.b,
            price=price,
            size=size,
            tif="Gtc" if given.t.limit is None else given.t.limit.tif,
            reduce_only=given.r,
            cloid=None if given.c is None else given.c.lower(),
            placed_ms=self.now_ms(),
            trigger=trigger,
        )

    def _judge(self, user: User, listing: Listing, order: Order) -> None:
        """Refuse what the venue refuses, in its order. Raises `Refusal`."""
        kind = listing.kind
        if not is_price(order.price, listing.sz_decimals, kind):
            raise Refusal("Price must be divisible by tick size.", "tickRejected")
        mark = self.marks.get(order.coin)
        if mark is None or listing.is_delisted or order.coin in self.halted:
            raise Refusal("Trading is halted for this asset.")
        if not order.reduce_only and order.size * order.price < MIN_NOTIONAL:
            text = "$10." if listing.is_perp else "10 USDC."
            raise Refusal(f"Order must have minimum value of {text}", "minTradeNtlRejected")
        if order.trigger is None and not BAND[0] * mark < order.price <= BAND[1] * mark:
            raise Refusal(
                "Order price cannot be more than 80% away from the reference price", "oracleRejected"
            )
        if self.post_only_period and order.tif != "Alo":
            raise Refusal("Only post-only orders allowed immediately after network upgrade")
        if order.reduce_only:
            if listing.is_perp and order.trigger is None and not user.reducible(order.coin, order.is_buy):
                raise Refusal("Reduce only order would increase position.", "reduceOnlyRejected")
        else:
            self._judge_funds(user, listing, order)
        if (
            order.trigger is None
            and order.tif == "Alo"
            and self.books[order.coin].crosses(order.is_buy, order.price)
        ):
            book = self.books[order.coin]
            bbo = f"{book.best_price(True)}@{book.best_price(False)}"
            raise Refusal(
                f"Post only order would have immediately matched, bbo was {bbo}.", "badAloPxRejected"
            )

    def _judge_funds(self, user: User, listing: Listing, order: Order) -> None:
        if self.refuses(order):
            raise Refusal("Insufficient margin to place order.", "perpMarginRejected")
        if listing.is_perp:
            needs = margin.needed_with(user, listing, order.is_buy, order.size, order.price, self.marks)
            if needs > user.cross_value(self.marks):
                raise Refusal("Insufficient margin to place order.", "perpMarginRejected")
            return
        token, needs = (0, order.size * order.price) if order.is_buy else (listing.base, order.size)
        if needs > user.spot.get(token, ZERO) - self.spot_hold(user, token):
            raise Refusal("Order has insufficient spot balance to trade", "insufficientSpotBalanceRejected")

    def spot_hold(self, user: User, token: int) -> Decimal:
        """Return how much of a token resting orders hold."""
        hold = ZERO
        for order in user.live.values():
            listing = BY_ASSET[order.asset]
            if listing.is_perp:
                continue
            if order.is_buy and token == listing.quote:
                hold += order.remaining * order.price
            elif not order.is_buy and token == listing.base:
                hold += order.remaining
        return hold

    def _error(self, text: str, listing: Listing) -> Status:
        return {"error": f"{text} asset={listing.asset}" if self.suffix_assets else text}

    # --- life of an order ----------------------------------------------------------------------------

    def _enter(self, user: User, order: Order, status: str) -> None:
        order.become(order.placed_ms, status, order.size)
        user.orders[order.oid] = self.orders[order.oid] = order
        if order.is_live:
            user.live[order.oid] = order
        self.audience.on_order(order)

    def _start(self, user: User, listing: Listing, order: Order, parent: Order | None) -> Status:
        """Let a judged order wait for its trigger, or meet the book."""
        if order.trigger is not None:
            self._enter(user, order, OPEN)
            if parent is not None:
                order.parent = parent.oid
                parent.children.append(order.oid)
                if parent.is_live:
                    return "waitingForFill"
            self.waiting[order.oid] = order
            return "waitingForTrigger" if order.is_position_tpsl or parent else self._resting(order)
        filled, paid = self._match_new(user, listing, order)
        if order.status == "filled" or (filled and order.tif != "Gtc"):
            said = {"totalSz": wire_float(filled), "avgPx": _average(paid, filled), "oid": order.oid}
            return {"filled": said | ({} if order.cloid is None else {"cloid": order.cloid})}
        if order.tif in ("Ioc", "FrontendMarket"):
            return self._error("Order could not immediately match against any resting orders.", listing)
        return self._resting(order)

    def _resting(self, order: Order) -> Status:
        said: dict[str, Any] = {"oid": order.oid}
        return {"resting": said | ({} if order.cloid is None else {"cloid": order.cloid})}

    def _match_new(self, user: User, listing: Listing, order: Order) -> tuple[Decimal, Decimal]:
        """Execute what can be executed and rest or end the remainder; return (size, cost) executed."""
        takes_only = order.tif in ("Ioc", "FrontendMarket")
        user.orders[order.oid] = self.orders[order.oid] = order
        order.become(order.placed_ms, OPEN, order.size)
        filled, paid = self.take(user, listing, order)
        if order.remaining == 0:
            return filled, paid
        if takes_only:
            self._settle(order, "filled" if filled else "iocCancelRejected")
        elif order.reduce_only and not user.reducible(order.coin, order.is_buy):
            self._settle(order, "reduceOnlyCanceled")
        else:
            user.live[order.oid] = order
            resting = Resting(order.oid, order.owner, order.is_buy, order.price, order.remaining)
            self.books[order.coin].rest(resting)
            self.audience.on_order(order)
        return filled, paid

    def take(self, user: User, listing: Listing, order: Order) -> tuple[Decimal, Decimal]:
        """Let an order meet what faces it, best price and oldest first; return (size, cost) executed."""
        book, filled, paid = self.books[order.coin], ZERO, ZERO
        while order.remaining > 0 and (maker := book.facing(order.is_buy, order.price)) is not None:
            if maker.owner == order.owner:
                self.end(self.orders[maker.order_id], "selfTradeCanceled")
                continue
            size = min(order.remaining, self._offered(maker))
            if order.reduce_only and listing.is_perp:
                size = min(size, user.reducible(order.coin, order.is_buy))
                if size == 0:
                    break
            if size == 0:
                self.end(self.orders[maker.order_id], "reduceOnlyCanceled")
                continue
            size = self.part_of(size, lot_of(listing.sz_decimals))
            if size == 0:
                break
            self._trade(listing, maker, order, size)
            filled, paid = filled + size, paid + size * maker.price
        return filled, paid

    def _offered(self, maker: Resting) -> Decimal:
        """Return how much a resting order may give now: a reduce-only one never more than its position."""
        order = self.orders.get(maker.order_id)
        if order is None or not order.reduce_only or not BY_ASSET[order.asset].is_perp:
            return maker.remaining
        return min(maker.remaining, self.registry.users[maker.owner].reducible(order.coin, order.is_buy))

    def hit(self, listing: Listing, is_buy: bool, limit: Decimal, size: Decimal) -> Decimal:
        """Let the house take up to `size` of what accounts have resting within a limit; return how much."""
        book, left = self.books[listing.coin], size
        while left > 0 and (maker := book.facing(is_buy, limit)) is not None:
            assert maker.owner != HOUSE
            amount = min(left, self._offered(maker))
            if amount == 0:
                self.end(self.orders[maker.order_id], "reduceOnlyCanceled")
                continue
            self._trade(listing, maker, None, amount, taker_is_buy=is_buy)
            left -= amount
        return size - left

    def _trade(
        self,
        listing: Listing,
        maker: Resting,
        taker: Order | None,
        size: Decimal,
        *,
        taker_is_buy: bool = False,
    ) -> None:
        """Execute `size` at the maker's price and book both sides."""
        assert size > 0 and size % lot_of(listing.sz_decimals) == 0
        is_buy, price = (taker.is_buy if taker is not None else taker_is_buy), maker.price
        resting = self.orders.get(maker.order_id)
        self.books[listing.coin].reduce(maker.order_id, size)
        sides = [(taker, True), (resting, False)]
        for order, is_taker in sides:
            if order is not None:
                self.executions.book(listing, order, size, price, is_taker=is_taker)
        name = HOUSE if taker is None else taker.owner
        buyer, seller = (name, maker.owner) if is_buy else (maker.owner, name)
        self.executions.tell(listing, price, size, buyer=buyer, seller=seller, is_buy=is_buy)
        for order, _ in sides:
            if order is not None and order.remaining == 0:
                self._release(order)

    def force(
        self, user: User, coin: str, size: Decimal, price: Decimal | None, note: dict[str, Any]
    ) -> None:
        """Close some of a position for its account: against the book, or at `price` to the exchange itself.

        `note` is added to the fills (who was liquidated, or what else happened).
        """
        listing, szi, mark = BY_COIN[coin], user.positions[coin].szi, self.marks[coin]
        assert ZERO < size <= abs(szi)
        is_buy = szi < 0
        worst = price_down(
            mark * (1 + MARKET_SLIPPAGE if is_buy else 1 - MARKET_SLIPPAGE), listing.sz_decimals, listing.kind
        )
        assert worst is not None
        self._oid += 1
        order = Order(
            oid=self._oid,
            owner=user.address,
            coin=coin,
            asset=listing.asset,
            is_buy=is_buy,
            price=worst,
            size=size,
            tif="Ioc",
            reduce_only=True,
            cloid=None,
            placed_ms=self.now_ms(),
            note=note,
        )
        user.orders[order.oid] = self.orders[order.oid] = order
        order.become(order.placed_ms, OPEN, size)
        if price is None:
            self.take(user, listing, order)
        if order.remaining > 0:
            self.executions.book(
                listing, order, order.remaining, mark if price is None else price, is_taker=True
            )

    def end(self, order: Order, status: str) -> None:
        """End a live order with whatever it has executed."""
        assert order.is_live
        self.books[order.coin].remove(order.oid)
        self.waiting.pop(order.oid, None)
        self._settle(order, status)

    def _settle(self, order: Order, status: str) -> None:
        self.registry.users[order.owner].live.pop(order.oid, None)
        order.become(self.now_ms(), status)
        self.audience.on_order(order)
        if status not in ("canceled", "filled", "iocCancelRejected", "scheduledCancel"):
            said = {"nonUserCancel": [{"coin": order.coin, "oid": order.oid}]}
            self.audience.on_event(order.owner, said)
        self._release(order)

    def _release(self, order: Order) -> None:
        """An order has ended: its children begin to wait, or share its fate; its sibling goes."""
        for oid in order.children:
            child = self.orders[oid]
            if child.is_live and order.status == "filled":
                self.waiting[oid] = child
            elif child.is_live:
                self.end(child, "canceled")
        if order.parent is not None and order.status == "filled":
            for oid in self.orders[order.parent].children:
                if oid != order.oid and self.orders[oid].is_live:
                    self.end(self.orders[oid], "siblingFilledCanceled")


def _average(paid: Decimal, filled: Decimal) -> str:
    return wire_float((paid / filled).quantize(Decimal("1e-8")))
