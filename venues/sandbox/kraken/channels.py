"""What the loopback Kraken's WebSocket v2 channels say: messages from books, prints, orders and trades.

Amounts are JSON numbers without trailing zeros, as the venue's often are: whoever checks a checksum has
to pad them again.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S
from venues.sandbox.book import Book
from venues.sandbox.kraken.books import ENDED, Order, Print, Status, Trade
from venues.sandbox.kraken.candles import MINUTE_NS, Candle
from venues.sandbox.kraken.listing import ASSETS, PAIRS, Pair
from venues.sandbox.kraken.shapes import Json

NUMBERS = msgspec.json.Encoder(decimal_format="number")
Side = dict[Decimal, Decimal]
ORDER_STATUS = {
    Status.PENDING: "pending_new",
    Status.CLOSED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "expired",
}


def plain(value: Decimal) -> Decimal:
    """Return an amount without trailing zeros and without an exponent."""
    return Decimal(f"{value.normalize():f}")


def stamp(at_ns: int) -> str:
    """Return a time as `2026-01-01T00:00:00.123456Z`."""
    micros = at_ns % NS_PER_S // 1_000
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{micros:06d}Z"


def message(channel: str, kind: str, data: list[Json], **more: object) -> bytes:
    """Return one message of a channel."""
    return NUMBERS.encode({"channel": channel, "type": kind, "data": data, **more})


def sides_of(book: Book, depth: int) -> tuple[Side, Side]:
    """Return the bids and asks that a subscription of this depth sees, best first."""
    bids, asks = (
        {level.price: level.size for level in book.levels(is_buy, depth)} for is_buy in (True, False)
    )
    return bids, asks


def checksum(pair: Pair, bids: Side, asks: Side) -> int:
    """Return the CRC32 of the ten best asks and bids (docs.kraken.com, "Book checksum v2")."""
    text = ""
    for side in (asks, bids):
        for price, quantity in list(side.items())[:10]:
            for value, decimals in ((price, pair.price_decimals), (quantity, pair.lot_decimals)):
                text += f"{value:.{decimals}f}".replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


def book_data(pair: Pair, bids: Side, asks: Side, crc: int, at_ns: int) -> Json:
    """Return levels to set (quantity 0: gone), with the checksum of the whole book after them."""
    return {
        "symbol": pair.symbol,
        "bids": [{"price": plain(price), "qty": plain(size)} for price, size in bids.items()],
        "asks": [{"price": plain(price), "qty": plain(size)} for price, size in asks.items()],
        "checksum": crc,
        "timestamp": stamp(at_ns),
    }


def changes(before: Side, after: Side, still_there: Side) -> Side:
    """Return what turns one view into the next. A level that only fell out of the depth is not named:
    whoever keeps the book truncates it."""
    gone = {price: Decimal(0) for price in before if price not in after and price not in still_there}
    return gone | {price: size for price, size in after.items() if before.get(price) != size}


def ticker_data(pair: Pair, book: Book, prints: list[Print], at_ns: int) -> Json:
    """Return best prices and the day so far."""
    data: Json = {"symbol": pair.symbol}
    for name, is_buy in (("bid", True), ("ask", False)):
        level = next(iter(book.levels(is_buy, 1)), None)
        data[name] = plain(level.price) if level else Decimal(0)
        data[f"{name}_qty"] = plain(level.size) if level else Decimal(0)
    prices = [seen.price for seen in prints] or [Decimal(0)]
    volume = sum((seen.quantity for seen in prints), Decimal(0))
    turnover = sum((seen.quantity * seen.price for seen in prints), Decimal(0))
    grid = Decimal(1).scaleb(-pair.price_decimals)
    change = prices[-1] - prices[0]
    percent = (100 * change / prices[0]).quantize(Decimal("0.01")) if prices[0] else Decimal(0)
    return data | {
        "last": plain(prices[-1]),
        "volume": plain(volume),
        "vwap": plain((turnover / volume).quantize(grid)) if volume else Decimal(0),
        "low": plain(min(prices)),
        "high": plain(max(prices)),
        "change": plain(change),
        "change_pct": plain(percent),
        "timestamp": stamp(at_ns),
    }


def trade_data(seen: Print) -> Json:
    """Return one public trade."""
    return {
        "symbol": seen.pair.symbol,
        "side": str(seen.side),
        "price": plain(seen.price),
        "qty": plain(seen.quantity),
        "ord_type": "market" if seen.is_market else "limit",
        "trade_id": seen.number,
        "timestamp": stamp(seen.at_ns),
    }


def candle_data(pair: Pair, candle: Candle, minutes: int) -> Json:
    """Return one candle; nothing says whether it is finished."""
    grid = Decimal(1).scaleb(-pair.price_decimals)
    prices = {name: plain(getattr(candle, name)) for name in ("open", "high", "low", "close")}
    return {
        "symbol": pair.symbol,
        **prices,
        "trades": candle.count,
        "volume": plain(candle.volume),
        "vwap": plain(candle.vwap.quantize(grid)),
        "interval_begin": stamp(candle.open_ns)[:-1] + "000Z",
        "interval": minutes,
        "timestamp": stamp(candle.open_ns + minutes * MINUTE_NS),
    }


def instrument_data(status_of: Mapping[str, str]) -> Json:
    """Return all assets and pairs."""
    return {
        "assets": [
            {"id": asset.altname.replace("XBT", "BTC"), "status": "enabled", "precision": asset.decimals}
            for asset in ASSETS.values()
        ],
        "pairs": [
            {
                "symbol": pair.symbol,
                "base": pair.symbol.partition("/")[0],
                "quote": "USD",
                "status": status_of[pair.id],
                "qty_precision": pair.lot_decimals,
                "qty_increment": plain(pair.lot),
                "price_precision": pair.price_decimals,
                "price_increment": plain(pair.tick),
                "cost_precision": pair.cost_decimals,
                "cost_min": plain(pair.costmin),
                "qty_min": plain(pair.ordermin),
                "marginable": False,
                "has_index": True,
            }
            for pair in PAIRS.values()
        ],
    }


def order_data(order: Order, what: str) -> Json:
    """Return one order event; `new` carries ids and status alone, as the venue documents it."""
    status = ORDER_STATUS.get(order.status, "partially_filled" if order.filled else "new")
    data: Json = {
        "exec_type": what,
        "order_id": order.txid,
        "order_status": status,
        "timestamp": stamp(order.changed_ns),
    }
    asked = order.asked
    if asked.cl_ord_id:
        data["cl_ord_id"] = asked.cl_ord_id
    if asked.userref is not None:
        data["order_userref"] = asked.userref
    if what == "new":
        return data
    data |= {
        "symbol": asked.pair.symbol,
        "side": str(asked.side),
        "order_type": asked.ordertype,
        "order_qty": plain(order.volume),
        "cum_qty": plain(order.filled),
        "cum_cost": plain(order.cost),
        "time_in_force": asked.timeinforce,
    }
    if order.filled:
        data["avg_price"] = plain(order.average.quantize(Decimal(1).scaleb(-asked.pair.price_decimals)))
    if order.price:
        data["limit_price"] = plain(order.price)
    if order.status in ENDED and order.reason:
        data["reason"] = order.reason
    return data


def execution_data(order: Order, trade: Trade) -> Json:
    """Return one execution. Its `order_status` still says partially_filled when it was the last one."""
    fee_asset = ASSETS[trade.fee_asset].altname.replace("XBT", "BTC")
    return order_data(order, "trade") | {
        "order_status": "partially_filled",
        "exec_id": trade.trade_id,
        "trade_id": trade.number,
        "last_qty": plain(trade.quantity),
        "last_price": plain(trade.price),
        "cost": plain(trade.cost),
        "liquidity_ind": "m" if trade.is_maker else "t",
        "fees": [{"asset": fee_asset, "qty": plain(trade.fee)}],
        "fee_usd_equiv": plain(trade.fee if fee_asset == "USD" else trade.fee * trade.price),
        "timestamp": stamp(trade.at_ns),
    }
