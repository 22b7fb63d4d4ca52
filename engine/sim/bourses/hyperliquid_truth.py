"""The loopback Hyperliquid's own books, read without its API: what invariants are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.sim.bourses.habits import Entry, by_hand
from seams.clock import NS_PER_MS, Clock
from venues.contract import Refused
from venues.hyperliquid.actions import order_wire
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.precision import MarketKind, price_within
from venues.sandbox.hyperliquid.accounts import User
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
from venues.sandbox.hyperliquid.listing import BY_ASSET, BY_COIN
from venues.sandbox.hyperliquid.orders import Order
from venues.sandbox.hyperliquid.wires import OrderWire
from venues.types import (
    AccountSnapshot,
    Fill,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    VenuePosition,
)

SYMBOLS = ("BTC", "ETH")
HAND_LOTS = {"BTC": (Decimal("0.001"), Decimal(1)), "ETH": (Decimal("0.01"), Decimal("0.1"))}
"""Coin -> lot and tick of whoever trades by hand: above the venue's minimum value."""
SLIPPAGE = Decimal("0.05")
ZERO = Decimal(0)


class HyperliquidTruth:
    """One account. `names` tells the engine's orders by their client ids, once its mark is known."""

    def __init__(self, double: HyperliquidExchange, user: User, clock: Clock) -> None:
        self._double, self._user, self._clock = double, user, clock
        self.names = Cloids("nobody")
        self.instruments = tuple(
            by_hand("hyperliquid", f"{coin}-PERP", lot, tick) for coin, (lot, tick) in HAND_LOTS.items()
        )

    @property
    def journal(self) -> dict[str, Entry]:
        """Every order by its name; of several with one client id the one that lives, else the newest."""
        found: dict[str, Entry] = {}
        for order in self._user.orders.values():
            name = self.name_of(order)
            if name not in found or order.is_live or found[name].status is OrderStatus.REJECTED:
                found[name] = self._entry(order)
        return found

    def working(self) -> Sequence[Entry]:
        return [self._entry(order) for order in self._user.live.values()]

    def all_fills(self) -> Sequence[Fill]:
        return [self._fill(each) for each in self._user.fills]

    def mark(self, symbol: str) -> Decimal:
        return self._double.trading.marks.get(symbol.removesuffix("-PERP"), ZERO)

    async def account(self) -> AccountSnapshot:
        marks = self._double.trading.marks
        positions = tuple(
            VenuePosition(
                symbol=f"{coin}-PERP", quantity=held.szi, entry_price=held.entry, mark_price=marks[coin]
            )
            for coin, held in self._user.positions.items()
        )
        return AccountSnapshot(
            account_id=self._user.address,
            cash_usd=self._user.cash,
            equity_usd=self._user.account_value(marks),
            positions=positions,
            at_ns=self._clock.now_ns(),
        )

    async def submit(self, request: OrderRequest) -> None:
        listing = BY_COIN[request.symbol.removesuffix("-PERP")]
        is_buy, price = request.side is Side.BUY, request.limit_price
        if request.order_type is OrderType.MARKET:
            price = self.mark(request.symbol) * (1 + request.side.sign * SLIPPAGE)
        on_grid = price_within(price, listing.sz_decimals, MarketKind.PERP, is_buy=is_buy)
        assert on_grid is not None
        wire = order_wire(
            listing.asset,
            is_buy=is_buy,
            price=on_grid,
            size=request.quantity,
            tif=request.time_in_force,
            reduce_only=request.reduce_only,
        )
        said = self._double.trading.place(self._user, msgspec.convert(wire, OrderWire))
        if isinstance(said, dict) and "error" in said:
            raise Refused("refused", str(said["error"]))

    def move_cash(self, amount_usd: Decimal) -> None:
        self._user.cash += amount_usd

    def move_position(self, symbol: str, quantity: Decimal) -> None:
        listing = BY_COIN[symbol.removesuffix("-PERP")]
        self._user.move(listing, quantity > 0, abs(quantity), self.mark(symbol))

    def pay_funding(self, coin: str, rate: float) -> None:
        """Pay (or take) funding on what is held, between two hours."""
        position = self._user.positions.get(coin)
        if position is None:
            return
        amount = (-position.szi * self._double.trading.marks[coin] * Decimal(repr(rate))).quantize(
            Decimal("1e-6")
        )
        at_ms = self._clock.now_ns() // NS_PER_MS
        self._double.upkeep.pay(self._user, coin, amount, Decimal(repr(rate)), at_ms)

    def name_of(self, order: Order) -> str:
        """Return the engine's name of an order, or the venue's number where it is not the engine's."""
        return self.names.name_of(order.cloid, order.oid)

    def _entry(self, order: Order) -> Entry:
        request = OrderRequest(
            client_order_id=self.name_of(order),
            symbol=f"{order.coin}-PERP",
            side=Side.BUY if order.is_buy else Side.SELL,
            quantity=order.size,
            order_type=OrderType.LIMIT,
            limit_price=order.price,
            time_in_force=_TIFS[order.tif],
            reduce_only=order.reduce_only,
            mark_price=ZERO,
        )
        return Entry(request=request, filled=order.size - order.remaining, status=_status(order))

    def _fill(self, said: dict[str, Any]) -> Fill:
        return Fill(
            fill_id=f"{said['oid']}:{said['tid']}:{said['time']}",
            client_order_id=self.names.name_of(said.get("cloid"), said["oid"]),
            symbol=f"{said['coin']}-PERP",
            side=Side.BUY if said["side"] == "B" else Side.SELL,
            quantity=Decimal(said["sz"]),
            price=Decimal(said["px"]),
            fee=Decimal(said["fee"]),
            is_maker=not said["crossed"],
            at_ns=said["time"] * NS_PER_MS,
        )


_TIFS = {"Gtc": TimeInForce.GTC, "Ioc": TimeInForce.IOC, "Alo": TimeInForce.POST_ONLY}


def _status(order: Order) -> OrderStatus:
    if order.is_live:
        return OrderStatus.OPEN if order.remaining == order.size else OrderStatus.PARTIAL
    if order.status == "filled":
        return OrderStatus.FILLED if order.remaining == 0 else OrderStatus.CANCELLED
    return OrderStatus.REJECTED if order.status.endswith("Rejected") else OrderStatus.CANCELLED


def read_order(wire: dict[str, Any], names: Cloids) -> OrderRequest:
    """Read an order as it was signed; its limit stands for the price that it was sized at."""
    price = Decimal(wire["p"])
    return OrderRequest(
        client_order_id=names.name_of(wire["c"], 0),
        symbol=f"{BY_ASSET[wire['a']].coin}-PERP",
        side=Side.BUY if wire["b"] else Side.SELL,
        quantity=Decimal(wire["s"]),
        order_type=OrderType.LIMIT,
        limit_price=price,
        time_in_force=_TIFS[wire["t"]["limit"]["tif"]],
        reduce_only=wire["r"],
        mark_price=price,
    )
