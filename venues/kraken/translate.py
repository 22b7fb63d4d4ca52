"""Kraken's wire and our vocabulary, one into the other. No I/O.

Everything the venue says is parsed here and nowhere else. What cannot be read raises `ValueError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from seams.clock import NS_PER_S, utc_ns
from venues.json_fields import Json as Json
from venues.json_fields import price_named
from venues.json_fields import table as table
from venues.kraken.precision import Rules
from venues.types import (
    EXPIRED,
    Accepted,
    Cancelled,
    Fill,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    VenueOrder,
)

NAMES = {"XBT": "BTC", "XDG": "DOGE"}
"""What the venue's older names are called everywhere else."""
STATUSES = {
    "pending": OrderStatus.OPEN,
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    EXPIRED: OrderStatus.CANCELLED,
}
FOREIGN = "kraken:"
"""Stands before the venue's id of an order that carries none of ours."""


def amount(value: object) -> Decimal:
    """Read one amount. Raises `ValueError`."""
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not an amount: {value!r}") from None
    if not read.is_finite():
        raise ValueError(f"not an amount: {value!r}")
    return read


def rules_of(pair_id: str, said: Json) -> Rules:
    """Read one entry of `AssetPairs`; fields that old answers lack are derived. Raises `ValueError`."""
    base, _, quote = str(said.get("wsname") or said["altname"]).partition("/")
    price_decimals, lot_decimals = int(str(said["pair_decimals"])), int(str(said["lot_decimals"]))
    base, quote = NAMES.get(base, base), NAMES.get(quote, quote)
    return Rules(
        symbol=f"{base}-{quote}",
        pair_id=pair_id,
        altname=str(said["altname"]),
        wsname=f"{base}/{quote}",
        base=str(said["base"]),
        quote=str(said["quote"]),
        tick=amount(said.get("tick_size", Decimal(1).scaleb(-price_decimals))),
        lot=Decimal(1).scaleb(-lot_decimals),
        price_decimals=price_decimals,
        lot_decimals=lot_decimals,
        ordermin=amount(said.get("ordermin", 0)),
        costmin=amount(said.get("costmin", 0)),
        maker_percent=_first_fee(said.get("fees_maker") or said.get("fees")),
        taker_percent=_first_fee(said.get("fees")),
        status=str(said.get("status", "online")),
    )


def order_fields(request: OrderRequest, rules: Rules, valid_until_ns: int) -> dict[str, str]:
    """Return the fields of `AddOrder`. A market order with a price bound goes out as limit IOC.

    Spot knows no reduce-only: a sale can only sell what is held, and the fee is always taken in quote, so
    that what was bought can be sold again to the last lot.
    """
    volume, price = rules.volume(request.quantity), rules.price(request.limit_price, request.side)
    is_market = request.order_type is OrderType.MARKET and price <= 0
    fields = {
        "pair": rules.altname,
        "type": str(request.side),
        "ordertype": "market" if is_market else "limit",
        "volume": f"{volume:f}",
        "oflags": "fciq",
        "cl_ord_id": request.client_order_id,
    }
    if not is_market:
        fields["price"] = f"{price:f}"
        is_ioc = request.order_type is OrderType.MARKET or request.time_in_force is TimeInForce.IOC
        fields["timeinforce"] = "IOC" if is_ioc else "GTC"
        if request.time_in_force is TimeInForce.POST_ONLY:
            fields["oflags"] = "post,fciq"
    if valid_until_ns:
        fields["deadline"] = rfc3339(valid_until_ns)
    return fields


def rfc3339(at_ns: int) -> str:
    """Return a time in UTC with milliseconds, rounded down."""
    stamp = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{at_ns % NS_PER_S // 1_000_000:03d}Z"


def name_of(txid: str, said: Json) -> str:
    """Return an order's client id, or the venue's own as a foreign one."""
    return str(said.get("cl_ord_id") or FOREIGN + txid)


def venue_order(txid: str, said: Json, symbols: Mapping[str, str]) -> VenueOrder:
    """Read one order of a list; `symbols` maps every pair name to ours. Raises `ValueError`."""
    described = table(said["descr"])
    filled, status = amount(said["vol_exec"]), STATUSES.get(str(said["status"]))
    if status is None:
        raise ValueError(f"an order with status {said['status']!r}")
    if status is OrderStatus.OPEN and filled:
        status = OrderStatus.PARTIAL
    pair = str(described["pair"])
    return VenueOrder(
        client_order_id=name_of(txid, said),
        venue_order_id=txid,
        symbol=symbols.get(pair, pair),
        side=Side(str(described["type"])),
        quantity=amount(said["vol"]),
        filled=filled,
        status=status,
        limit_price=price_named(described.get(_limit_field(str(described.get("ordertype"))))),
        ended=_ended(str(said["status"]), said) if status is OrderStatus.CANCELLED else "",
    )


def _ended(word: str, said: Json) -> str:
    """Return why an order is gone: one that ran out of time is told from one that somebody cancelled."""
    reason = str(said.get("reason") or "")
    return ": ".join(filter(None, (word, reason))) if word == EXPIRED else reason or word


def _limit_field(kind: str) -> str:
    """Return the field of an order's description with its limit; `price` of a stop is what sets it off."""
    if kind in ("limit", "iceberg"):
        return "price"
    return "price2" if kind.endswith("-limit") else ""


def fill_of(trade_id: str, said: Json, name: str, symbols: Mapping[str, str]) -> Fill:
    """Read one trade of the history, executed for the order with this name. Raises `ValueError`."""
    pair = str(said["pair"])
    return Fill(
        fill_id=trade_id,
        client_order_id=name,
        symbol=symbols.get(pair, pair),
        side=Side(str(said["type"])),
        quantity=amount(said["vol"]),
        price=amount(said["price"]),
        fee=amount(said["fee"]),
        is_maker=said.get("maker") is True,
        at_ns=int(amount(said["time"]) * NS_PER_S),
    )


def execution_event(said: Json, symbols: Mapping[str, str]) -> OrderEvent | None:
    """Read one entry of the `executions` channel; None where it says nothing that we keep.

    A trade's price and fee are exact here; its id is the same as in the history. Raises `ValueError`.
    """
    kind, txid = str(said["exec_type"]), str(said["order_id"])
    name, at_ns = name_of(txid, said), utc_ns(str(said["timestamp"]))
    if kind in ("new", "pending_new"):
        return Accepted(client_order_id=name, venue_order_id=txid, at_ns=at_ns)
    if kind in ("canceled", EXPIRED):
        filled = amount(said["cum_qty"]) if "cum_qty" in said else None
        return Cancelled(client_order_id=name, reason=_ended(kind, said), at_ns=at_ns, filled=filled)
    if kind != "trade":
        return None
    fees = said.get("fees")
    paid = [amount(table(fee)["qty"]) for fee in fees] if isinstance(fees, list) else []
    symbol = str(said["symbol"])
    return Fill(
        fill_id=str(said["exec_id"]),
        client_order_id=name,
        symbol=symbols.get(symbol, symbol),
        side=Side(str(said["side"])),
        quantity=amount(said["last_qty"]),
        price=amount(said["last_price"]),
        fee=sum(paid, Decimal(0)),
        is_maker=said.get("liquidity_ind") == "m",
        at_ns=at_ns,
    )


def _first_fee(tiers: object) -> Decimal:
    """Return the fee in percent of the lowest tier."""
    if not isinstance(tiers, list) or not tiers or not isinstance(tiers[0], list):
        raise ValueError("a pair without fees")
    return amount(tiers[0][1])
