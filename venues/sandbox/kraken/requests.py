"""Trading requests over the loopback Kraken's WebSocket: the REST endpoints' work in other words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from venues.sandbox.kraken import keys
from venues.sandbox.kraken.books import KrakenError
from venues.sandbox.kraken.listing import BY_SYMBOL
from venues.sandbox.kraken.private import Asker
from venues.sandbox.kraken.shapes import Json

if TYPE_CHECKING:
    from venues.sandbox.kraken.exchange import KrakenExchange
    from venues.sandbox.kraken.sockets import Session

NAMES = {
    "order_type": "ordertype",
    "side": "type",
    "order_qty": "volume",
    "symbol": "pair",
    "limit_price": "price",
    "time_in_force": "timeinforce",
    "order_userref": "userref",
}
"""WebSocket name -> REST name, for `add_order`; other names are the same in both."""
KNOWN = frozenset(
    {*NAMES, "post_only", "cl_ord_id", "deadline", "validate", "token", "triggers", "reduce_only"}
)


PLACING = frozenset({"add_order", "amend_order", "edit_order", "batch_add"})


def carry_out(exchange: KrakenExchange, session: Session, method: str, params: Json) -> list[Json]:
    """Do what a request asks; return its answers: one, or one for each order of a list."""
    try:
        key = exchange.sockets.key_of(str(params.get("token", "")), session)
        if not key.permissions & ({keys.TRADE} if method in PLACING else {keys.TRADE, keys.CLOSE}):
            raise KrakenError("EGeneral:Permission denied")
        who = Asker(key, exchange.trading.accounts[key.account])
        exchange.advance()
        results = _results(exchange, who, method, params)
    except KrakenError as refused:
        return [{"error": str(refused), "success": False}]
    return [{"result": result, "success": True} for result in results]


def _results(exchange: KrakenExchange, who: Asker, method: str, params: Json) -> list[Json]:
    private = exchange.private
    if method == "add_order":
        said = private.add_order(who, _fields(params))
        txid = said.get("txid")
        result: Json = {"order_id": txid[0]} if isinstance(txid, list) else {}
        return [result | {name: params[name] for name in ("cl_ord_id", "order_userref") if name in params}]
    if method == "amend_order":
        fields = _texts(params, {"order_id": "txid"})
        return [
            private.amend_order(who, fields)
            | {k: params[k] for k in ("order_id", "cl_ord_id") if k in params}
        ]
    if method == "cancel_order":
        return _cancels(exchange, who, params)
    if method == "cancel_all":
        return [private.cancel_all(who, {})]
    if method == "cancel_all_orders_after":
        return [private.cancel_all_after(who, _texts(params, {}))]
    raise KrakenError(f"Unsupported method {method}")


def _cancels(exchange: KrakenExchange, who: Asker, params: Json) -> list[Json]:
    results: list[Json] = []
    for given, name in (("order_id", "txid"), ("cl_ord_id", "cl_ord_id"), ("order_userref", "userref")):
        listed = params.get(given, [])
        for each in listed if isinstance(listed, list) else [listed]:
            exchange.private.cancel_order(who, {name: str(each)})
            results.append({given: each})
    if not results:
        raise KrakenError("EGeneral:Invalid arguments")
    return results


def _fields(params: Mapping[str, object]) -> dict[str, str]:
    """Return the REST fields of an `add_order`. Raises `KrakenError`."""
    unknown = set(params) - KNOWN
    if unknown:
        raise KrakenError(f"EGeneral:Invalid arguments:{sorted(unknown)[0]}")
    if str(params.get("symbol")) not in BY_SYMBOL:
        raise KrakenError(f"Currency pair not supported {params.get('symbol')}")
    fields = _texts(
        {name: value for name, value in params.items() if name not in ("post_only", "triggers")}, NAMES
    )
    if "timeinforce" in fields:
        fields["timeinforce"] = fields["timeinforce"].upper()
    if params.get("post_only"):
        fields["oflags"] = "post"
    triggers = params.get("triggers")
    if isinstance(triggers, dict):
        if "price" in fields:
            fields["price2"] = fields["price"]
        fields["price"] = _text(triggers.get("price"))
    return fields


def _texts(params: Mapping[str, object], names: Mapping[str, str]) -> dict[str, str]:
    return {names.get(name, name): _text(value) for name, value in params.items() if name != "token"}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
