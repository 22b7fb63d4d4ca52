"""Hyperliquid's JSON and our vocabulary: markets, orders, fills, positions.

Whatever is missing or of another kind raises `ValueError`: what cannot be read is never guessed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from seams.clock import NS_PER_MS
from venues.answers import Booked
from venues.hyperliquid.capabilities import MIN_NOTIONAL_USD, NAME
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.outcomes import listed
from venues.hyperliquid.precision import MarketKind, asset_of, lot_of, tick_at
from venues.json_fields import Json as Json
from venues.json_fields import amount as amount
from venues.json_fields import number as number
from venues.json_fields import price_named
from venues.json_fields import rows as rows
from venues.json_fields import table as table
from venues.json_fields import text as text
from venues.types import (
    Accepted,
    AccountSnapshot,
    Cancelled,
    CashEvent,
    Fill,
    Forced,
    Instrument,
    OrderEvent,
    OrderStatus,
    Quote,
    Record,
    Rejected,
    Side,
    VenueOrder,
    VenuePosition,
)

SIDES = {"B": Side.BUY, "A": Side.SELL}
SUFFIX = "-PERP"
LIVE = frozenset({"open", "triggered"})
ENDED = frozenset({"canceled", "scheduledCancel", "internalCancel"})


class Market(Record):
    """One perpetual as the venue lists it."""

    coin: str
    asset: int
    sz_decimals: int
    max_leverage: int
    is_delisted: bool
    tiers: tuple[tuple[Decimal, int], ...] = ()
    """From which notional (USD, ascending) which maximum leverage holds; empty where it was not told."""

    def maintenance_rate(self, notional_usd: Decimal) -> Decimal | None:
        """Return maintenance margin as a fraction of notional: half of the initial margin at the tier's
        maximum leverage (venues.md 3.12). The venue's deduction for lower tiers is left out: it only
        lowers."""
        reached = [leverage for lower, leverage in self.tiers if lower <= notional_usd]
        return 1 / Decimal(2 * reached[-1]) if reached else None

    @property
    def symbol(self) -> str:
        return f"{self.coin}{SUFFIX}"

    def instrument(self, mark: Decimal, maker_bps: Decimal, taker_bps: Decimal) -> Instrument:
        """Return it as an instrument; its tick is the one at this mark (it grows with the price)."""
        return Instrument(
            symbol=self.symbol,
            venue=NAME,
            tick=tick_at(mark, self.sz_decimals, MarketKind.PERP),
            lot=lot_of(self.sz_decimals),
            min_notional_usd=MIN_NOTIONAL_USD,
            maker_fee_bps=maker_bps,
            taker_fee_bps=taker_bps,
        )


def markets(meta: Any) -> dict[str, Market]:
    """Read `meta`: coin -> market, in the venue's order."""
    found, tables = {}, dict(map(_margin_table, table(meta).get("marginTables", [])))
    for index, each in enumerate(rows(table(meta)["universe"])):
        coin, leverage = text(each, "name"), number(each, "maxLeverage")
        found[coin] = Market(
            coin=coin,
            asset=asset_of(MarketKind.PERP, index),
            sz_decimals=number(each, "szDecimals"),
            max_leverage=leverage,
            is_delisted=bool(each.get("isDelisted", False)),
            tiers=_tiers(each.get("marginTableId"), leverage, tables),
        )
    return found


Tiers = tuple[tuple[Decimal, int], ...]


def _margin_table(said: Any) -> tuple[int, Tiers]:
    """Read one margin table. Raises `ValueError` for one whose tiers are not in order."""
    if not isinstance(said, list) or len(said) != 2 or not isinstance(said[0], int):
        raise ValueError("a margin table of another form")
    tiers = [
        (amount(each, "lowerBound"), number(each, "maxLeverage"))
        for each in rows(table(said[1])["marginTiers"])
    ]
    if tiers != sorted(tiers, key=lambda tier: tier[0]) or any(leverage < 1 for _, leverage in tiers):
        raise ValueError(f"margin table {said[0]} is not in order")
    return said[0], tuple(tiers)


def _tiers(table_id: object, max_leverage: int, tables: dict[int, Tiers]) -> Tiers:
    """Return a market's tiers. Without a table, or with one that is named by its leverage and not listed,
    there is one tier; a table that is nowhere told leaves the rate unknown."""
    if isinstance(table_id, int) and table_id in tables:
        return tables[table_id]
    is_single = table_id is None or table_id == max_leverage
    return ((Decimal(0), max_leverage),) if is_single and max_leverage >= 1 else ()


def symbol_of(coin: str) -> str:
    """Return our name for a coin; a spot pair keeps the venue's, which no session trades."""
    return coin if coin.startswith("@") or "/" in coin else f"{coin}{SUFFIX}"


def status_of(status: str, remaining: Decimal, size: Decimal) -> OrderStatus:
    """Return what a status of the venue proves; it is open-ended, so that new words are read by their end.

    Raises `ValueError` for a word that says nothing we know.
    """
    if status in LIVE:
        return OrderStatus.OPEN if remaining == size else OrderStatus.PARTIAL
    if status == "filled":
        return OrderStatus.FILLED if remaining == 0 else OrderStatus.CANCELLED
    if status == "rejected" or status.endswith("Rejected"):
        return OrderStatus.REJECTED
    if status in ENDED or status.endswith("Canceled"):
        return OrderStatus.CANCELLED
    raise ValueError(f"an order status nobody knows: {status[:40]!r}")


def venue_order(order: Json, status: str, cloids: Cloids) -> VenueOrder:
    """Read an order of `orderStatus` or an open-orders list."""
    size, remaining = amount(order, "origSz"), amount(order, "sz")
    oid = number(order, "oid")
    return VenueOrder(
        client_order_id=cloids.name_of(order.get("cloid"), oid),
        venue_order_id=str(oid),
        symbol=symbol_of(text(order, "coin")),
        side=SIDES[text(order, "side")],
        quantity=size,
        filled=size - remaining,
        status=status_of(status, remaining, size),
        limit_price=price_named(order.get("limitPx")),
        ended="" if status in LIVE or status == "filled" else status,
    )


def place_of(order: object) -> tuple[str, int]:
    """Return coin and number of an order. Raises `ValueError`."""
    said = table(order)
    return text(said, "coin"), number(said, "oid")


def order_event(update: Json, cloids: Cloids) -> OrderEvent | None:
    """Read one element of `orderUpdates`; None where fills say it better."""
    order, status = table(update["order"]), text(update, "status")
    found = venue_order(order, status, cloids)
    name, at_ns = found.client_order_id, number(update, "statusTimestamp") * NS_PER_MS
    if found.status is OrderStatus.REJECTED:
        code, said = listed(status)
        return Rejected(client_order_id=name, code=code, message=said, at_ns=at_ns)
    if found.status is OrderStatus.CANCELLED:
        return Cancelled(client_order_id=name, reason=status, at_ns=at_ns, filled=found.filled)
    if found.status is OrderStatus.FILLED:
        return None
    return Accepted(client_order_id=name, venue_order_id=found.venue_order_id, at_ns=at_ns)


FORCED = {"Auto-Deleveraging": Forced.DELEVERAGING, "Settlement": Forced.SETTLEMENT}


def _forced(said: Json, user: str) -> Forced:
    """Return why an execution happened without an order of ours; a liquidation may be the other side's."""
    taken = said.get("liquidation")
    if isinstance(taken, dict) and str(taken.get("liquidatedUser", "")).lower() == user.lower():
        return Forced.LIQUIDATION
    return FORCED.get(str(said.get("dir", "")), Forced.NOT)


def fill(said: Json, cloids: Cloids, user: str) -> Fill:
    """Read one execution of `user`; `tid` alone is not unique, so that order, trade and time name it."""
    oid, time_ms = number(said, "oid"), number(said, "time")
    price, fee = amount(said, "px"), amount(said, "fee") * _fee_unit(said)
    return Fill(
        fill_id=_fill_id(said),
        client_order_id=cloids.name_of(said.get("cloid"), oid),
        symbol=symbol_of(text(said, "coin")),
        side=SIDES[text(said, "side")],
        quantity=amount(said, "sz"),
        price=price,
        fee=fee,
        is_maker=not said["crossed"],
        at_ns=time_ms * NS_PER_MS,
        forced=_forced(said, user),
    )


def booked(said: Json) -> Booked:
    """Read what the venue booked with one execution; a fill names a builder's fee only where there is one."""
    return Booked(
        fill_id=_fill_id(said),
        closed_pnl=amount(said, "closedPnl"),
        builder_fee=amount(said, "builderFee") * _fee_unit(said) if "builderFee" in said else Decimal(0),
        at_ns=number(said, "time") * NS_PER_MS,
    )


def _fill_id(said: Json) -> str:
    return f"{number(said, 'oid')}:{number(said, 'tid')}:{number(said, 'time')}"


def _fee_unit(said: Json) -> Decimal:
    """Return what one unit of a fee is in USD: a spot purchase pays in what it buys."""
    return Decimal(1) if said.get("feeToken", "USDC") == "USDC" else amount(said, "px")


def funding(said: Json) -> CashEvent:
    """Read one element of `userFunding`; one coin is paid once an hour."""
    delta, at_ms = table(said["delta"]), number(said, "time")
    coin = text(delta, "coin")
    return CashEvent(
        event_id=f"funding:{coin}:{at_ms}",
        kind="funding",
        symbol=symbol_of(coin),
        amount_usd=amount(delta, "usdc"),
        at_ns=at_ms * NS_PER_MS,
    )


def quote(said: Json) -> Quote | None:
    """Read a `bbo` push; None where one side of the book is empty."""
    bid, ask = said["bbo"]
    if bid is None or ask is None:
        return None
    return Quote(
        symbol=symbol_of(text(said, "coin")),
        at_ns=number(said, "time") * NS_PER_MS,
        bid=float(amount(table(bid), "px")),
        ask=float(amount(table(ask), "px")),
    )


def account(said: Any, account_id: str) -> AccountSnapshot:
    """Read `clearinghouseState`: cash is the account's value less what is open."""
    state = table(said)
    positions, open_usd = [], Decimal(0)
    for each in rows(state["assetPositions"]):
        position = table(each["position"])
        size = amount(position, "szi")
        open_usd += amount(position, "unrealizedPnl")
        positions.append(
            VenuePosition(
                symbol=symbol_of(text(position, "coin")),
                quantity=size,
                entry_price=amount(position, "entryPx"),
                mark_price=amount(position, "positionValue") / abs(size),
            )
        )
    equity = amount(table(state["marginSummary"]), "accountValue")
    return AccountSnapshot(
        account_id=account_id,
        cash_usd=equity - open_usd,
        equity_usd=equity,
        positions=tuple(positions),
        at_ns=number(state, "time") * NS_PER_MS,
    )
