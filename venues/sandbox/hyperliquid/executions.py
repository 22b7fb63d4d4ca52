"""Executions at the loopback Hyperliquid: both sides of a trade booked, and told as the venue tells them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from venues.hyperliquid.precision import MarketKind
from venues.sandbox.hyperliquid.accounts import ZERO, Registry, User, usd
from venues.sandbox.hyperliquid.listing import LISTINGS, Listing
from venues.sandbox.hyperliquid.orders import OPEN, Order, wire_float

FEES_BPS = {
    (MarketKind.PERP, True): Decimal("4.5"),
    (MarketKind.PERP, False): Decimal("1.5"),
    (MarketKind.SPOT, True): Decimal(7),
    (MarketKind.SPOT, False): Decimal(4),
}
"""(market, is taker) -> fee of the base tier, in basis points."""
HOUSE = "house"
HOUSE_ADDRESS = "0x" + "f" * 40
TRADES_KEPT = 500
TOKEN_QUANTUM = Decimal("1e-8")


class Audience(Protocol):
    """Who is told what happens."""

    def on_order(self, order: Order) -> None: ...

    def on_fill(self, address: str, fill: dict[str, Any]) -> None: ...

    def on_trade(self, coin: str, trade: dict[str, Any]) -> None: ...

    def on_event(self, address: str, event: dict[str, Any]) -> None: ...


class Executions:
    """Books what matched; knows no book."""

    def __init__(self, registry: Registry, now_ms: Callable[[], int], audience: Audience) -> None:
        self._registry, self._now_ms, self._audience = registry, now_ms, audience
        self._tid = 0
        self.trades: dict[str, list[dict[str, Any]]] = {each.coin: [] for each in LISTINGS}
        """The newest trades of each coin, oldest first."""

    def tell(
        self, listing: Listing, price: Decimal, size: Decimal, *, buyer: str, seller: str, is_buy: bool
    ) -> None:
        """Tell the market of a trade; `is_buy` says which side took."""
        self._tid += 1
        trade = {
            "coin": listing.coin,
            "side": "B" if is_buy else "A",
            "px": wire_float(price),
            "sz": wire_float(size),
            "hash": f"0x{self._tid:064x}",
            "time": self._now_ms(),
            "tid": self._tid,
            "users": [HOUSE_ADDRESS if name == HOUSE else name for name in (buyer, seller)],
        }
        kept = self.trades[listing.coin]
        kept.append(trade)
        del kept[:-TRADES_KEPT]
        self._audience.on_trade(listing.coin, trade)

    def book(self, listing: Listing, order: Order, size: Decimal, price: Decimal, *, is_taker: bool) -> None:
        """Book an account's side of an execution, and say so."""
        user, now_ms = self._registry.users[order.owner], self._now_ms()
        rate = FEES_BPS[listing.kind, is_taker] / 10_000
        if listing.is_perp:
            moved = user.move(listing, order.is_buy, size, price)
            fee, token = usd(size * price * rate), "USDC"
            user.cash -= fee
            start, pnl, direction = moved.start, moved.closed_pnl, moved.direction
        else:
            start, pnl = user.spot.get(listing.base, ZERO), ZERO
            fee, token = _move_spot(user, listing, order.is_buy, size, price, rate)
            direction = "Buy" if order.is_buy else "Sell"
        user.volume += size * price
        fill: dict[str, Any] = {
            "coin": order.coin,
            "px": wire_float(price),
            "sz": wire_float(size),
            "side": order.side,
            "time": now_ms,
            "startPosition": wire_float(start),
            "dir": direction,
            "closedPnl": wire_float(pnl),
            "hash": f"0x{self._tid + 1:064x}",
            "oid": order.oid,
            "crossed": is_taker,
            "fee": wire_float(fee),
            "tid": self._tid + 1,
            "feeToken": token,
            "twapId": None,
        }
        if order.cloid is not None:
            fill["cloid"] = order.cloid
        user.fills.append(fill | order.note)
        left = order.remaining - size
        order.become(now_ms, "filled" if left == 0 else OPEN, left)
        if left == 0:
            user.live.pop(order.oid, None)
        self._audience.on_fill(order.owner, fill | order.note)
        self._audience.on_order(order)


def _move_spot(
    user: User, listing: Listing, is_buy: bool, size: Decimal, price: Decimal, rate: Decimal
) -> tuple[Decimal, str]:
    """Exchange tokens; a buyer pays the fee in what is bought, a seller in the quote."""
    sign = 1 if is_buy else -1
    fee = ((size if is_buy else size * price) * rate).quantize(TOKEN_QUANTUM)
    user.spot[listing.base] = user.spot.get(listing.base, ZERO) + sign * size
    user.spot[listing.quote] = user.spot.get(listing.quote, ZERO) - sign * size * price
    user.spot[listing.base if is_buy else listing.quote] -= fee
    return fee, listing.base_name if is_buy else "USDC"
