"""The loopback Kraken's private REST endpoints: what a key's account may ask and do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from seams.clock import NS_PER_S, Clock
from seams.rng import Rng
from venues.sandbox.kraken import keys, limits
from venues.sandbox.kraken.books import ENDED, ZERO, Account, KrakenError, NewOrder, Order, Status, Trade
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.kraken.listing import PAIRS, TAKER_PERCENT, fee_percent
from venues.sandbox.kraken.reading import (
    demand_cost,
    invalid,
    is_true,
    read_deadline,
    read_order,
    read_price,
    read_volume,
)
from venues.sandbox.kraken.shapes import (
    Json,
    amount,
    described,
    order_shape,
    padded,
    rfc3339,
    seconds,
    trade_shape,
)
from venues.sandbox.kraken.states import demand_up
from venues.sandbox.kraken.trading import Trading

PAGE = 50
TOKEN_NS = 900 * NS_PER_S
TOKENS_KEPT = 1_000
CANCEL_ALL_MAX_S = 86_400
Fields = Mapping[str, str]


class Asker(NamedTuple):
    """Who asks: the key and its account."""

    key: ApiKey
    account: Account


class Token(NamedTuple):
    """A ticket for the authenticated WebSocket."""

    key: ApiKey
    until_ns: int


Method = Callable[[Asker, Fields], object]


class Private:
    """Answers and acts for one account. Refusals are `KrakenError`s.

    `lag_ns` is how long orders, their ends and trades stay out of the lists (balances are current).
    """

    def __init__(self, clock: Clock, trading: Trading, seed: int, lag_ns: int) -> None:
        self._clock, self._trading, self.lag_ns = clock, trading, lag_ns
        self._chance = Rng(seed).stream("kraken tokens")
        self.tokens: dict[str, Token] = {}
        self.refuses: Callable[[NewOrder], bool] = lambda asked: False
        """Tells whether the account lacks the funds for an order, whatever its balances say."""
        self.methods: Mapping[str, tuple[str, Method]] = {
            "Balance": (keys.QUERY, self._balance),
            "BalanceEx": (keys.QUERY, self._balance_ex),
            "TradeBalance": (keys.QUERY, self._trade_balance),
            "OpenOrders": ("query-open-trades", self._open_orders),
            "ClosedOrders": ("query-closed-trades", self._closed_orders),
            "QueryOrders": ("query-open-trades", self._query_orders),
            "TradesHistory": ("query-closed-trades", self._trades_history),
            "QueryTrades": ("query-closed-trades", self._query_trades),
            "TradeVolume": (keys.QUERY, self._trade_volume),
            "AddOrder": (keys.TRADE, self.add_order),
            "AmendOrder": (keys.TRADE, self.amend_order),
            "EditOrder": (keys.TRADE, self._edit_order),
            "CancelOrder": (keys.CLOSE, self.cancel_order),
            "CancelAll": (keys.CLOSE, self.cancel_all),
            "CancelAllOrdersAfter": (keys.CLOSE, self.cancel_all_after),
            "GetWebSocketsToken": (keys.SOCKET, self._token),
            "GetApiKeyInfo": ("", self._key_info),
        }

    # --- acting ------------------------------------------------------------------------------------

    def add_order(self, who: Asker, fields: Fields) -> Json:
        asked = read_order(fields, self._clock.now_ns())
        if self.refuses(asked):
            raise KrakenError("EOrder:Insufficient funds")
        order = self._trading.place(who.account, asked)
        answer: Json = {"descr": {"order": described(asked, asked.volume, asked.price)["order"]}}
        if order is not None:
            answer["txid"] = [order.txid]
        return answer

    def amend_order(self, who: Asker, fields: Fields) -> Json:
        read_deadline(fields, self._clock.now_ns())
        order = self._one(who, fields)
        pair = order.asked.pair
        volume = read_volume(fields["order_qty"], pair) if "order_qty" in fields else order.volume
        price = read_price(fields["limit_price"], pair) if "limit_price" in fields else order.price
        if (volume, price) == (order.volume, order.price):
            raise invalid("no change")
        demand_cost(volume, price, pair)
        is_post_only = is_true(fields, "post_only")
        return {"amend_id": self._trading.amend(order, volume, price, is_post_only=is_post_only)}

    def _edit_order(self, who: Asker, fields: Fields) -> Json:
        """Cancel and place anew: another txid, no fills, no client id."""
        old = self._named(who, fields.get("txid", ""))
        if old.status in ENDED:
            raise KrakenError("EOrder:Unknown order")
        points = 1 + limits.points_by_age(limits.EDIT_BY_AGE, self._clock.now_ns() - old.open_ns)
        self._trading.budgets.act(who.account.name, old.asked.pair.id, points, self._clock.now_ns())
        kept = {
            "pair": old.asked.pair.id,
            "type": str(old.asked.side),
            "ordertype": old.asked.ordertype,
            "volume": f"{old.volume:f}",
        }
        if old.asked.is_stop:
            kept |= {"price": f"{old.asked.trigger:f}"} | (
                {"price2": f"{old.price:f}"} if old.asked.is_limit else {}
            )
        elif old.asked.is_limit:
            kept["price"] = f"{old.price:f}"
        given = {
            name: fields[name]
            for name in ("volume", "price", "price2", "oflags", "userref")
            if name in fields
        }
        asked = read_order(kept | given, self._clock.now_ns())
        self._trading.cancel(old, "Order replaced")
        order = self._trading.place(who.account, asked)
        assert order is not None
        return {
            "status": "ok",
            "txid": order.txid,
            "originaltxid": old.txid,
            "volume": padded(asked.volume, asked.pair.lot_decimals),
            "price": padded(asked.price, asked.pair.price_decimals),
            "orders_cancelled": 1,
            "descr": {"order": described(asked, asked.volume, asked.price)["order"]},
        }

    def cancel_order(self, who: Asker, fields: Fields) -> Json:
        if "userref" in fields or fields.get("txid", "").lstrip("-").isdigit():
            reference = fields.get("userref", fields.get("txid", ""))
            chosen = [o for o in self._trading.open_orders(who.account) if str(o.asked.userref) == reference]
            if not chosen:
                raise KrakenError("EOrder:Unknown order")
        else:
            chosen = [self._one(who, fields)]
        return self._cancel_each(chosen)

    def cancel_all(self, who: Asker, fields: Fields) -> Json:
        return self._cancel_each(self._trading.open_orders(who.account))

    def cancel_all_after(self, who: Asker, fields: Fields) -> Json:
        text, now_ns = fields.get("timeout", ""), self._clock.now_ns()
        if not text.isdigit() or int(text) >= CANCEL_ALL_MAX_S:
            raise invalid("timeout")
        demand_up(self._trading.system)
        who.account.cancel_all_ns = now_ns + int(text) * NS_PER_S if int(text) else 0
        trigger = rfc3339(who.account.cancel_all_ns) if int(text) else "0"
        return {"currentTime": rfc3339(now_ns), "triggerTime": trigger}

    def _cancel_each(self, orders: list[Order]) -> Json:
        done = [self._trading.cancel(order) for order in orders]
        answer: Json = {"count": len(done)}
        return answer if all(done) else answer | {"pending": True}

    # --- asking ------------------------------------------------------------------------------------

    def _balance(self, who: Asker, fields: Fields) -> Json:
        return {asset: amount(held, asset) for asset, held in who.account.balances.items()}

    def _balance_ex(self, who: Asker, fields: Fields) -> Json:
        return {
            asset: {
                "balance": amount(owned, asset),
                "hold_trade": amount(self._trading.held(who.account, asset), asset),
            }
            for asset, owned in who.account.balances.items()
        }

    def _trade_balance(self, who: Asker, fields: Fields) -> Json:
        owned = who.account.balances
        worth = owned.get("ZUSD", ZERO)
        for pair in PAIRS.values():
            worth += owned.get(pair.base, ZERO) * self._trading.last.get(pair.id, ZERO)
        zero = padded(ZERO, 4)
        names = {"eb": worth, "tb": owned.get("ZUSD", ZERO), "e": worth, "mf": worth}
        answer: Json = dict.fromkeys(("m", "n", "c", "v", "uv"), zero)
        return answer | {name: padded(value, 4) for name, value in names.items()}

    def _open_orders(self, who: Asker, fields: Fields) -> Json:
        shown = self._shown(who, fields)
        return {"open": {txid: o for txid, o in shown.items() if o["status"] in ("pending", "open")}}

    def _closed_orders(self, who: Asker, fields: Fields) -> Json:
        field = fields.get("closetime", "both")
        begin, end = (_seconds(fields, name) for name in ("start", "end"))
        rows = []
        for txid, shape in self._shown(who, fields).items():
            if shape["status"] in ("pending", "open"):
                continue
            times = {"open": [shape["opentm"]], "close": [shape["closetm"]]}
            read = [float(str(at)) for at in times.get(field, [shape["opentm"], shape["closetm"]])]
            if (not begin or max(read) > begin) and (not end or min(read) <= end):
                rows.append((txid, shape))
        rows.sort(key=lambda row: float(str(row[1]["closetm"])), reverse=True)
        at = _offset(fields)
        answer: Json = {"closed": dict(rows[at : at + PAGE])}
        return answer if is_true(fields, "without_count") else answer | {"count": len(rows)}

    def _query_orders(self, who: Asker, fields: Fields) -> Json:
        names = fields.get("txid", "").split(",")
        if len(names) > PAGE:
            raise invalid("txid")
        shown = self._shown(who, fields)
        missing = [name for name in names if name not in shown]
        if missing:
            raise KrakenError("EOrder:Invalid order")
        return {name: shown[name] for name in names}

    def _trades_history(self, who: Asker, fields: Fields) -> Json:
        begin, end = (_seconds(fields, name) for name in ("start", "end"))
        rows = [
            trade
            for trade in reversed(self._visible(who.account))
            if (not begin or seconds(trade.at_ns) > begin) and (not end or seconds(trade.at_ns) <= end)
        ]
        at = _offset(fields)
        page = {trade.trade_id: trade_shape(trade) for trade in rows[at : at + PAGE]}
        return {"trades": page, "count": len(rows)}

    def _query_trades(self, who: Asker, fields: Fields) -> Json:
        known = {trade.trade_id: trade for trade in self._visible(who.account)}
        names = fields.get("txid", "").split(",")
        if any(name not in known for name in names):
            raise KrakenError("EQuery:Invalid trade")
        return {name: trade_shape(known[name]) for name in names}

    def _trade_volume(self, who: Asker, fields: Fields) -> Json:
        volume = who.account.volume_usd
        return {
            "currency": "ZUSD",
            "volume": padded(volume, 4),
            "fees": {pair_id: {"fee": padded(fee_percent(TAKER_PERCENT, volume), 4)} for pair_id in PAIRS},
        }

    def _token(self, who: Asker, fields: Fields) -> Json:
        token = "".join(
            self._chance.choice("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789")
            for _ in range(43)
        )
        while len(self.tokens) >= TOKENS_KEPT:  # an old one may be in use on the connection it opened
            del self.tokens[next(iter(self.tokens))]
        self.tokens[token] = Token(who.key, self._clock.now_ns() + TOKEN_NS)
        return {"token": token, "expires": TOKEN_NS // NS_PER_S}

    def _key_info(self, who: Asker, fields: Fields) -> Json:
        key = who.key
        return {
            "api_key_name": key.account,
            "api_key": key.key,
            "nonce": str(key.highest),
            "nonce_window": str(key.nonce_window),
            "permissions": sorted(key.permissions),
            "valid_until": str(key.valid_until_ns // NS_PER_S),
            "ip_allowlist": [],
        }

    # --- what is visible ---------------------------------------------------------------------------

    def _shown(self, who: Asker, fields: Fields) -> dict[str, Json]:
        """Return the account's orders as the lists show them now: late, and as they were."""
        limit_ns = self._clock.now_ns() - self.lag_ns
        trades: dict[str, list[Trade]] = {}
        for trade in self._visible(who.account):
            trades.setdefault(trade.txid, []).append(trade)
        shown = {}
        for order in self._trading.orders.values():
            asked = order.asked
            if order.account != who.account.name or (self.lag_ns and order.open_ns > limit_ns):
                continue
            if "userref" in fields and str(asked.userref) != fields["userref"]:
                continue
            if fields.get("cl_ord_id", asked.cl_ord_id) != asked.cl_ord_id:
                continue
            mine = trades.get(order.txid, [])
            status = order.status
            if status in ENDED and self.lag_ns and order.close_ns > limit_ns:
                status = Status.OPEN
            shown[order.txid] = order_shape(
                order,
                sum((trade.quantity for trade in mine), ZERO),
                sum((trade.cost for trade in mine), ZERO),
                sum((trade.fee for trade in mine), ZERO),
                status,
                [trade.trade_id for trade in mine] if is_true(fields, "trades") else None,
            )
        return shown

    def _visible(self, account: Account) -> list[Trade]:
        limit_ns = self._clock.now_ns() - self.lag_ns
        return [
            t
            for t in self._trading.trades
            if t.account == account.name and (not self.lag_ns or t.at_ns <= limit_ns)
        ]

    def _one(self, who: Asker, fields: Fields) -> Order:
        """Return the working order that a request names, by txid or by client id."""
        name = fields.get("cl_ord_id", "")
        if name:
            found = [o for o in self._trading.open_orders(who.account) if o.asked.cl_ord_id == name]
            if not found:
                raise KrakenError("EOrder:Unknown order")
            return found[0]
        return self._named(who, fields.get("txid", ""))

    def _named(self, who: Asker, txid: str) -> Order:
        order = self._trading.orders.get(txid)
        if order is None or order.account != who.account.name:
            raise KrakenError("EOrder:Unknown order")
        return order


def _offset(fields: Fields) -> int:
    text = fields.get("ofs", "0")
    if not text.isdigit():
        raise invalid("ofs")
    return int(text)


def _seconds(fields: Fields, name: str) -> float:
    """Read a bound of time in unix seconds; 0 where there is none."""
    try:
        return float(Decimal(fields.get(name, "0")))
    except ArithmeticError:
        raise invalid(name) from None
