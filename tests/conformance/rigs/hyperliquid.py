"""The loopback Hyperliquid, as the suite needs it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S
from seams.virtual import VirtualLoop
from tests.conformance.rig import ASK, BID, CASH_USD, Call, Halt, PeerRig, Terms, Truth, Who
from tests.venues.hyperliquid_desk import MASTER, OTHER, Desk
from venues.contract import LiveVenue
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.signing import throwaway_key, wallet_of
from venues.keyfile import KeyFile
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike
from venues.types import Side

SUB = "0x" + "5c" * 20
BY_ASKER = wallet_of(throwaway_key("test", "by"))
COINS = ("BTC", "ETH", "OLD")


def _key(account: str, agent: str, asker: str, **more: str) -> KeyFile:
    """Return a key file of two throw-away keys by their names."""
    return KeyFile(
        venue="hyperliquid",
        account=account,
        key=wallet_of(throwaway_key("test", agent)).address,
        secret=throwaway_key("test", agent),
        ask_key=wallet_of(throwaway_key("test", asker)).address,
        ask_secret=throwaway_key("test", asker),
        **more,
    )


USER = MASTER.address.lower()
KEYS = {
    Who.DESK: _key(USER, "agent", "asker"),
    Who.BYSTANDER: _key(OTHER.address.lower(), "other", "by"),
    Who.POWERLESS: _key(USER, "stranger", "asker"),
    Who.SUB: _key(USER, "agent", "asker", vault=SUB),
}
KEYS[Who.AGAIN] = KEYS[Who.OTHER_DESK] = KEYS[Who.DESK]


class HyperliquidRig(PeerRig):
    """`HyperliquidExchange` and its adapter."""

    calls = {
        Call.SUBMIT: "order",
        Call.CANCEL: "cancelByCloid",
        Call.FENCE: "noop",
        Call.TIME: "exchangeStatus",
        Call.QUERY: "orderStatus",
        Call.OPEN: "frontendOpenOrders",
        Call.FILLS: "userFillsByTime",
        Call.ACCOUNT: "clearinghouseState",
    }
    terms = Terms(
        symbol="BTC-PERP",
        other="ETH-PERP",
        lot=Decimal("0.00001"),
        too_small=Decimal("0.0001"),
        codes={
            "unfunded": "insufficient_margin",
            "too_small": "min_notional",
            "post_only": "post_only_would_cross",
            "nothing_to_reduce": "reduce_only_nothing",
            "ended": "already_ended",
            "halted": "venue_refused",
            "unlisted": "venue_refused",
            "powerless": "venue_not_ready",
        },
        secret=KEYS[Who.DESK].secret,
        account=USER,
    )

    def __init__(self, loop: VirtualLoop, *, is_limited: bool) -> None:
        super().__init__(loop, is_limited=is_limited)
        self.desk = Desk(clock=self.venue_clock)
        self.exchange = self.desk.exchange
        self.exchange.has_ip_limit, self.exchange.trading.suffix_assets = is_limited, True
        self.exchange.add_agent(OTHER.address, BY_ASKER.address, "by")
        self.exchange.registry.open(SUB, role="subAccount", master=USER, cash=CASH_USD)
        self.desk.user.cash = self.desk.other.cash = CASH_USD
        self.cloids = Cloids("desk-1")
        self.connect(self.exchange, self.exchange.program)
        self.quote()

    def adapter(self, who: Who) -> LiveVenue:
        key = KEYS.get(who) or msgspec.structs.replace(KEYS[Who.DESK], secret=throwaway_key("test", "x"))
        budget = {} if self.is_limited else {"weight_a_minute": 1_000_000}
        desk = {Who.OTHER_DESK: "desk-2", Who.BYSTANDER: "desk-3"}.get(who, "desk-1")
        return HyperliquidAdapter(
            self.tap,
            "loopback",
            self.link("", "/ws"),
            key,
            self.clock,
            desk=desk,
            bar_ns=NS_PER_S,
            coins=COINS,
            **budget,
        )

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        self.desk.quote("BTC", bid, ask)

    def hit(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        is_buy = side is Side.SELL
        self.desk.order(f"{price.normalize():f}", f"{quantity:f}", is_buy=is_buy, signer=OTHER)

    def push(self, strike: PushStrike, *, nth: int = 1) -> None:
        for channel in ("orderUpdates", "userFills"):
            self.exchange.pushes.add(PushFault(nth=nth, on=channel, strike=strike))

    def beat(self) -> None:
        self.exchange.advance()

    def lose_balances(self) -> None:
        self.exchange.pushes.add(PushFault(nth=1, on="clearinghouseState", strike=PushStrike.DROP))

    def garble(self) -> None:
        self.exchange.pushes.add(PushFault(nth=1, on="bbo", strike=PushStrike.GARBAGE))

    def break_streams(self) -> None:
        for session in list(self.exchange.room.sessions):
            session.close(1000)

    def halt(self, what: Halt) -> None:
        self.tap.is_down = what is Halt.VENUE
        halted = self.exchange.trading.halted
        halted.add("BTC") if what is Halt.MARKET else halted.discard("BTC")

    def lag(self, seconds: float) -> None:
        self.exchange.lag_ms = round(seconds * 1_000)

    def refusal(self, text: str) -> str:
        said = {"type": "order", "data": {"statuses": [{"error": text}]}}
        return msgspec.json.encode({"status": "ok", "response": said}).decode()

    def hollow(self) -> str:
        return self.refusal("").replace('{"error":""}', "")

    def sent(self) -> list[bytes]:
        return [
            body for body in self.tap.left if b'"type":"order"' in body or b'"type":"batchModify"' in body
        ]

    def truths(self, name: str) -> list[Truth]:
        cloid = self.cloids.of(name)
        mine = [each for each in self.desk.user.orders.values() if each.cloid == cloid]
        return [
            Truth(
                Side.BUY if each.is_buy else Side.SELL,
                each.size,
                each.price,
                each.size - each.remaining,
                each.is_live,
            )
            for each in mine
            if not each.status.endswith("Rejected")
        ]

    def live(self) -> int:
        return len(self.desk.user.live)

    def held(self) -> Decimal:
        position = self.desk.user.positions.get("BTC")
        return Decimal(0) if position is None else position.szi

    def foreign(self, price: Decimal = Decimal(58_000)) -> None:
        self.desk.order(f"{price:f}", "0.02", signer=MASTER)

    async def hour(self) -> None:
        await super().hour()
        self.exchange.advance()

    def seize(self) -> None:
        self.desk.user.cash = Decimal(1)
        self.quote(BID - 1_000, ASK - 1_000)

    def strike(self, call: Call, strike: Strike, *, nth: int = 1, value: float = 0.0, text: str = "") -> None:
        super().strike(call, strike, nth=nth, value=value, text=text)
        if call is Call.SUBMIT:  # a change of an order is another type of request
            self.program.add(Fault(nth=nth, on="batchModify", strike=strike, value=value, text=text))
