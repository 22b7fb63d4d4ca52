"""The loopback Kraken, as the suite needs it."""

from __future__ import annotations

import base64
from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S
from seams.virtual import VirtualLoop
from tests.conformance.rig import ASK, BID, CASH_USD, Call, Halt, PeerRig, Terms, Truth, Who
from tests.venues.kraken_desk import ALL, SECRET, Desk
from venues.contract import LiveVenue
from venues.keyfile import KeyFile
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.client import Tier
from venues.kraken.names import Names
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import Side

PAIR = "XXBTZUSD"
ENDLESS = 1e9
OTHER_SECRET = base64.b64encode(b"t" * 64).decode()


def _key(account: str, key: str, ask_key: str, secret: str = SECRET, vault: str = "") -> KeyFile:
    return KeyFile(
        venue="kraken",
        account=account,
        key=key,
        secret=secret,
        ask_key=ask_key,
        ask_secret=SECRET,
        vault=vault,
    )


KEYS = {
    Who.DESK: _key("trader", "K", "ASK"),
    Who.BYSTANDER: _key("holder", "H", "HASK"),
    Who.POWERLESS: _key("trader", "READ", "ASK"),
    Who.FORGED: _key("trader", "K", "ASK", secret=OTHER_SECRET),
    Who.SUB: _key("trader", "K", "ASK", vault="sub"),
}
KEYS[Who.AGAIN] = KEYS[Who.OTHER_DESK] = KEYS[Who.DESK]


class KrakenRig(PeerRig):
    """`KrakenExchange` and its adapter."""

    calls = {
        Call.SUBMIT: "AddOrder",
        Call.CANCEL: "CancelOrder",
        Call.FENCE: "AddOrder",
        Call.TIME: "Time",
        Call.QUERY: "OpenOrders",
        Call.OPEN: "OpenOrders",
        Call.FILLS: "TradesHistory",
        Call.ACCOUNT: "BalanceEx",
    }
    terms = Terms(
        symbol="BTC-USD",
        other="ETH-USD",
        lot=Decimal("1e-8"),
        too_small=Decimal("0.00004"),
        codes={
            "unfunded": "insufficient_funds",
            "too_small": "min_quantity",
            "post_only": "post_only_would_cross",
            "nothing_to_reduce": "insufficient_funds",
            "ended": "unknown_order",
            "halted": "market_closed",
            "unlisted": "order_refused",
            "powerless": "not_permitted",
        },
        secret=SECRET,
        account="trader",
    )

    def __init__(self, loop: VirtualLoop, *, is_limited: bool) -> None:
        super().__init__(loop, is_limited=is_limited)
        self.desk = Desk(clock=self.venue_clock)
        self.exchange = self.desk.exchange
        self.trading = self.exchange.trading
        self.trading.accounts["trader"].balances["ZUSD"] = CASH_USD
        self.trading.accounts["holder"].balances["XXBT"] = Decimal(1_000)
        for name, account in (("HAND", "trader"), ("HITS", "holder"), ("HASK", "holder")):
            self.exchange.gate.keys[name] = ApiKey(name, SECRET, account, frozenset(ALL))
        if not is_limited:
            wide = msgspec.structs.replace(
                self.trading.budgets.tier, rest_max=ENDLESS, engine_max=ENDLESS, open_orders_per_pair=10_000
            )
            self.trading.budgets.tier = wide
        self.names = Names("desk-1")
        self.connect(self.exchange, self.exchange.program)
        self.quote()

    def adapter(self, who: Who) -> LiveVenue:
        desk = {Who.OTHER_DESK: "desk-2", Who.BYSTANDER: "desk-3"}.get(who, "desk-1")
        return KrakenAdapter(
            self.tap,
            "loopback",
            self.link("auth", "/v2"),
            self.link("public", "/v2"),
            KEYS[who],
            self.clock,
            bar_ns=NS_PER_S,
            tier=Tier() if self.is_limited else Tier(most=ENDLESS),
            desk=desk,
        )

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        self.desk.quote(bid, tick=ask - bid)

    def hit(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        kind = "buy" if side is Side.SELL else "sell"
        said = self.desk.private(
            "AddOrder",
            key="HITS",
            pair="XBTUSD",
            type=kind,
            ordertype="limit",
            price=f"{price:f}",
            volume=f"{quantity:f}",
            timeinforce="IOC",
        )
        assert said["error"] == [], said

    def push(self, strike: PushStrike, *, nth: int = 1) -> None:
        self.exchange.sockets.pushes.add(PushFault(nth=nth, on="executions", strike=strike))

    def lose_balances(self) -> None:
        self.exchange.sockets.pushes.add(PushFault(nth=1, on="balances", strike=PushStrike.DROP))

    def garble(self) -> None:
        self.exchange.sockets.pushes.add(PushFault(nth=1, on="book", strike=PushStrike.GARBAGE))

    def break_streams(self) -> None:
        self.exchange.sockets.close_all(1001)

    def halt(self, what: Halt) -> None:
        words = {Halt.VENUE: "maintenance", Halt.ENTRIES: "cancel_only", Halt.TAKERS: "post_only"}
        self.trading.set_system(words.get(what, "online"))
        self.trading.pair_status[PAIR] = "cancel_only" if what is Halt.MARKET else "online"

    def hush(self) -> None:
        for nth in range(1, len(self.exchange.sockets.sessions) + 1):
            self.exchange.sockets.pushes.add(PushFault(nth=nth, on="status", strike=PushStrike.DROP))

    def lag(self, seconds: float) -> None:
        self.exchange.private.lag_ns = round(seconds * NS_PER_S)

    def refusal(self, text: str) -> str:
        return msgspec.json.encode({"error": [f"EOrder:{text}"]}).decode()

    def hollow(self) -> str:
        return '{"error":[],"result":{"descr":{}}}'

    def sent(self) -> list[bytes]:
        return [body for body in self.tap.left if body.startswith(b"POST /0/private/AddOrder")]

    def truths(self, name: str) -> list[Truth]:
        tag = self.names.of(name)
        return [
            Truth(each.asked.side, each.volume, each.price, each.filled, each.close_ns == 0)
            for each in self.trading.orders.values()
            if each.asked.cl_ord_id == tag and each.account == "trader"
        ]

    def live(self) -> int:
        return len(self.trading.open_orders(self.trading.accounts["trader"]))

    def held(self) -> Decimal:
        return self.trading.accounts["trader"].balances.get("XXBT", Decimal(0))

    def foreign(self, price: Decimal = Decimal(58_000)) -> None:
        fields = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.02"}
        said = self.desk.private("AddOrder", key="HAND", price=f"{price:f}", **fields)
        assert said["error"] == [], said
