"""The market around the accounts: the house quotes a seeded price, prints trades, and fires triggers.

The house has no account and no end of money. When the price moves through a resting order, the house
takes from it as much as one quote carries, so that fills come in parts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from seams.clock import NS_PER_MS
from seams.rng import Rng
from venues.hyperliquid.precision import lot_of, price_down, price_within, size_down
from venues.sandbox.book import Resting
from venues.sandbox.hyperliquid.accounts import ZERO
from venues.sandbox.hyperliquid.candles import Candles
from venues.sandbox.hyperliquid.executions import HOUSE
from venues.sandbox.hyperliquid.listing import BY_COIN, Listing
from venues.sandbox.hyperliquid.orders import Order, fires_above, wire_float
from venues.sandbox.hyperliquid.trading import MARKET_SLIPPAGE, Trading
from venues.types import Quote

LEVELS = 5
LEVEL_NOTIONAL = Decimal(25_000)
"""About what one level of the house is worth, in USD."""


class House:
    """Keeps a few levels on both sides of every quoted market."""

    def __init__(self, trading: Trading, candles: Candles, seed: int) -> None:
        self._trading, self._candles, self._rng = trading, candles, Rng(seed)
        self._oid, self._ticks = 0, 0
        self._mine: dict[str, list[int]] = {}
        self.previous: dict[str, Decimal] = {}
        """The mark before the present one: what a deleveraging is closed at."""
        self.day_open: dict[str, Decimal] = {}
        self.day_volume: dict[str, Decimal] = {}

    def quote(self, event: Quote) -> None:
        """Take a new best bid and offer: leave, take what is in the way, quote anew, fire triggers."""
        listing = BY_COIN[event.symbol]
        kind = listing.kind
        mid = Decimal(repr(event.bid)) + Decimal(repr(event.ask))
        bid = price_within(Decimal(repr(event.bid)), listing.sz_decimals, kind, is_buy=True)
        ask = price_within(Decimal(repr(event.ask)), listing.sz_decimals, kind, is_buy=False)
        mark = price_down(mid / 2, listing.sz_decimals, kind)
        assert bid is not None and ask is not None and mark is not None and bid < ask
        self._leave(listing.coin)
        self._ticks += 1
        chance = self._rng.stream("house", listing.coin, self._ticks)
        self.previous[listing.coin] = self._trading.marks.get(listing.coin, mark)
        self._trading.marks[listing.coin] = mark
        self.day_open.setdefault(listing.coin, mark)
        size = self._size(listing, mark, chance.uniform(0.5, 1.5))
        for is_buy, price in ((True, bid), (False, ask)):
            self._trading.hit(listing, is_buy, price, size)
        self._fill_levels(listing, bid, ask, size)
        traded = self._size(listing, mark, chance.uniform(0.01, 0.2))
        rises = mark >= self.previous[listing.coin]
        self._trading.executions.tell(
            listing, ask if rises else bid, traded, buyer=HOUSE, seller=HOUSE, is_buy=rises
        )
        self._candles.trade(listing.coin, event.at_ns // NS_PER_MS, float(mark), float(traded))
        self.day_volume[listing.coin] = self.day_volume.get(listing.coin, ZERO) + traded * mark
        self._fire(listing, mark)

    def _size(self, listing: Listing, mark: Decimal, factor: float) -> Decimal:
        notional = LEVEL_NOTIONAL * Decimal(round(factor, 4))
        return size_down(notional / mark, listing.sz_decimals) or lot_of(listing.sz_decimals)

    def _leave(self, coin: str) -> None:
        for oid in self._mine.pop(coin, ()):
            self._trading.books[coin].remove(oid)

    def _fill_levels(self, listing: Listing, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Rest `LEVELS` orders a side, each a spread further out; never across an account's order."""
        book, mine = self._trading.books[listing.coin], []
        step = ask - bid
        for depth in range(LEVELS):
            for is_buy, best in ((True, bid), (False, ask)):
                raw = best - step * depth if is_buy else best + step * depth
                if raw <= 0:
                    continue
                price = price_within(raw, listing.sz_decimals, listing.kind, is_buy=is_buy)
                if price is None or book.crosses(is_buy, price):
                    continue
                self._oid -= 1
                book.rest(Resting(self._oid, HOUSE, is_buy, price, size * (1 + depth)))
                mine.append(self._oid)
        self._mine[listing.coin] = mine

    def _fire(self, listing: Listing, mark: Decimal) -> None:
        """Let the triggers of a market that its mark has reached become orders, oldest first."""
        for order in list(self._trading.waiting.values()):
            trigger = order.trigger
            assert trigger is not None
            if order.coin != listing.coin or not order.is_live:
                continue
            is_reached = (
                mark >= trigger.price if fires_above(order.is_buy, trigger) else mark <= trigger.price
            )
            if is_reached:
                self._trigger(listing, order, mark)

    def _trigger(self, listing: Listing, order: Order, mark: Decimal) -> None:
        trading, trigger = self._trading, order.trigger
        assert trigger is not None
        del trading.waiting[order.oid]
        user = trading.registry.users[order.owner]
        if order.reduce_only and not user.reducible(order.coin, order.is_buy):
            trading.end(order, "reduceOnlyCanceled")
            return
        order.become(trading.now_ms(), "triggered")
        trading.audience.on_order(order)
        if trigger.is_market:
            worst = mark * (1 + MARKET_SLIPPAGE if order.is_buy else 1 - MARKET_SLIPPAGE)
            price = price_down(worst, listing.sz_decimals, listing.kind)
            assert price is not None
            order.price = price
        filled, _ = trading.take(user, listing, order)
        if order.remaining == 0:
            return
        if trigger.is_market:
            trading.end(order, "filled" if filled else "marketOrderNoLiquidityRejected")
        else:
            trading.books[order.coin].rest(
                Resting(order.oid, order.owner, order.is_buy, order.price, order.remaining)
            )

    def contexts(
        self, listings: list[Listing], oracles: dict[str, Decimal], rates: dict[str, Decimal]
    ) -> list[dict[str, Any]]:
        """Return the asset contexts in the order of their universe; nulls for markets without quotes."""
        return [self._context(each, oracles, rates) for each in listings]

    def _context(
        self, listing: Listing, oracles: dict[str, Decimal], rates: dict[str, Decimal]
    ) -> dict[str, Any]:
        mark, book = self._trading.marks.get(listing.coin), self._trading.books[listing.coin]
        bid, ask = book.best_price(True), book.best_price(False)
        is_quoted = bid is not None and ask is not None
        shown = {
            "prevDayPx": wire_float(self.day_open.get(listing.coin, ZERO)),
            "dayNtlVlm": wire_float(self.day_volume.get(listing.coin, ZERO)),
            "markPx": wire_float(mark or ZERO),
            "midPx": wire_float((bid + ask) / 2) if bid is not None and ask is not None else None,
        }
        if not listing.is_perp:
            return shown | {"circulatingSupply": "1000000.0", "coin": listing.coin}
        return shown | {
            "funding": wire_float(rates.get(listing.coin, ZERO)),
            "openInterest": wire_float(self._open_interest(listing.coin)),
            "premium": "0.0" if is_quoted else None,
            "oraclePx": wire_float(oracles.get(listing.coin, mark or ZERO)),
            "impactPxs": [wire_float(bid), wire_float(ask)] if bid is not None and ask is not None else None,
            "dayBaseVlm": wire_float(ZERO),
        }

    def _open_interest(self, coin: str) -> Decimal:
        users = self._trading.registry.users.values()
        return sum((max(ZERO, u.positions[coin].szi) for u in users if coin in u.positions), ZERO)
