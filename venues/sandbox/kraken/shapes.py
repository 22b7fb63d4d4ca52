"""Orders, trades and pairs as the loopback Kraken's REST answers show them: amounts as padded text."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from seams.clock import NS_PER_S
from venues.sandbox.kraken.books import ENDED, NewOrder, Order, Status, Trade
from venues.sandbox.kraken.listing import ASSETS, MAKER_PERCENT, TAKER_PERCENT, Asset, Pair

Json = dict[str, object]


def padded(value: Decimal, decimals: int) -> str:
    """Write an amount with a fixed number of decimals."""
    return f"{value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):f}"


def amount(value: Decimal, asset: str) -> str:
    """Write a balance with its asset's decimals, rounded down as the venue shows it."""
    return f"{value.quantize(Decimal(1).scaleb(-ASSETS[asset].decimals), ROUND_DOWN):f}"


def seconds(at_ns: int) -> float:
    """Return unix seconds as the venue writes them, to a tenth of a millisecond."""
    return round(at_ns / NS_PER_S, 4)


def rfc3339(at_ns: int) -> str:
    """Return a time as `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def described(asked: NewOrder, volume: Decimal, price: Decimal) -> Json:
    """Return an order's `descr`."""
    pair = asked.pair
    limit, trigger = padded(price, pair.price_decimals), padded(asked.trigger, pair.price_decimals)
    first, second = (trigger, limit if asked.is_limit else "0") if asked.is_stop else (limit, "0")
    words = f"{asked.side} {padded(volume, pair.lot_decimals)} {pair.altname} @ "
    words += asked.ordertype.replace("-", " ") if asked.is_stop else asked.ordertype
    if asked.ordertype != "market":
        words += f" {first}" + (f" -> limit {second}" if second != "0" else "")
    return {
        "pair": pair.altname,
        "type": str(asked.side),
        "ordertype": asked.ordertype,
        "price": "0" if asked.ordertype == "market" else first,
        "price2": second,
        "leverage": "none",
        "order": words,
        "close": "",
    }


def order_shape(
    order: Order, filled: Decimal, cost: Decimal, fee: Decimal, status: Status, with_trades: list[str] | None
) -> Json:
    """Return one order with what has been executed of it, as far as that is visible."""
    asked, pair = order.asked, order.asked.pair
    flags = ["post"] * asked.is_post_only + (["fcib"] if asked.fee_in_base else ["fciq"])
    misc = [word for word, is_so in (("stopped", order.is_triggered), ("amended", order.is_amended)) if is_so]
    if filled and status in ENDED and status is not Status.CLOSED:
        misc.append("partial")
    average = cost / filled if filled else Decimal(0)
    shape: Json = {
        "refid": None,
        "userref": asked.userref,
        "status": str(status),
        "opentm": seconds(order.open_ns),
        "starttm": 0,
        "expiretm": seconds(asked.expire_ns) if asked.expire_ns else 0,
        "descr": described(asked, order.volume, order.price),
        "vol": padded(order.volume, pair.lot_decimals),
        "vol_exec": padded(filled, pair.lot_decimals),
        "cost": padded(cost, pair.cost_decimals),
        "fee": padded(fee, pair.cost_decimals),
        "price": padded(average, pair.price_decimals),
        "stopprice": padded(asked.trigger if order.is_triggered else Decimal(0), pair.price_decimals),
        "limitprice": padded(Decimal(0), pair.price_decimals),
        "misc": ",".join(misc),
        "oflags": ",".join(flags),
    }
    if asked.cl_ord_id:
        shape["cl_ord_id"] = asked.cl_ord_id
    if asked.is_stop:
        shape["trigger"] = "last"
    if status in ENDED:
        shape |= {"closetm": seconds(order.close_ns), "reason": order.reason or None}
    if with_trades:
        shape["trades"] = with_trades
    return shape


def trade_shape(trade: Trade) -> Json:
    """Return one execution."""
    pair = trade.pair
    return {
        "ordertxid": trade.txid,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.id,
        "time": seconds(trade.at_ns),
        "type": str(trade.side),
        "ordertype": trade.ordertype,
        "price": padded(trade.price, pair.price_decimals),
        "cost": padded(trade.cost, pair.cost_decimals),
        "fee": padded(trade.fee, pair.cost_decimals if trade.fee_asset == pair.quote else 10),
        "vol": padded(trade.quantity, pair.lot_decimals),
        "margin": padded(Decimal(0), pair.cost_decimals),
        "leverage": "0",
        "misc": "",
        "trade_id": trade.number,
        "maker": trade.is_maker,
    }


def pair_shape(pair: Pair, status: str) -> Json:
    """Return one entry of `AssetPairs`."""
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base,
        "aclass_quote": "currency",
        "quote": pair.quote,
        "lot": "unit",
        "cost_decimals": pair.cost_decimals,
        "pair_decimals": pair.price_decimals,
        "lot_decimals": pair.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[volume, float(percent)] for volume, percent in TAKER_PERCENT],
        "fees_maker": [[volume, float(percent)] for volume, percent in MAKER_PERCENT],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{pair.ordermin:f}",
        "costmin": f"{pair.costmin:f}",
        "tick_size": f"{pair.tick:f}",
        "status": status,
        "execution_venue": "international",
    }


def asset_shape(asset: Asset) -> Json:
    """Return one entry of `Assets`."""
    return {
        "aclass": "currency",
        "altname": asset.altname,
        "decimals": asset.decimals,
        "display_decimals": asset.display_decimals,
        "status": "enabled",
    }
