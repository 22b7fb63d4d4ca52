"""The template venue, as the suite needs it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from seams.clock import NS_PER_S
from seams.virtual import VirtualLoop
from tests.conformance.rig import ASK, BID, CASH_USD, Call, Halt, PeerRig, Terms, Truth, Who
from venues.contract import LiveVenue
from venues.keyfile import KeyFile
from venues.sandbox.pushes import PushFault, PushStrike
from venues.sandbox.template.exchange import ApiKey, TemplateExchange
from venues.sandbox.template.orders import Order
from venues.template.adapter import TemplateAdapter
from venues.template.capabilities import NAME
from venues.template.translate import Names
from venues.types import Quote, Side

SYMBOL = "BTC-PERP"
SECRETS = {"trader": "trader secret", "watcher": "watcher secret", "other": "other secret"}


class TemplateRig(PeerRig):
    """`TemplateExchange` and its adapter."""

    calls = {
        Call.SUBMIT: "order",
        Call.CANCEL: "cancel",
        Call.FENCE: "burn",
        Call.TIME: "time",
        Call.QUERY: "query",
        Call.OPEN: "orders",
        Call.FILLS: "fills",
        Call.ACCOUNT: "account",
    }
    terms = Terms(
        symbol=SYMBOL,
        other="ETH-PERP",
        lot=Decimal("0.001"),
        too_small=Decimal("0"),
        codes={
            "unfunded": "insufficient_margin",
            "too_small": "bad_quantity",
            "post_only": "would_take",
            "nothing_to_reduce": "nothing_to_reduce",
            "ended": "already_ended",
            "halted": "market_closed",
            "unlisted": "brand_new",
            "powerless": "not_permitted",
        },
        secret=SECRETS["trader"],
        account="ours",
    )

    def __init__(self, loop: VirtualLoop, *, is_limited: bool) -> None:
        super().__init__(loop, is_limited=is_limited)
        keys = {
            "trader": ApiKey(SECRETS["trader"], "ours"),
            "watcher": ApiKey(SECRETS["watcher"], "ours", may_trade=False),
            "other": ApiKey(SECRETS["other"], "theirs"),
        }
        cash = {"ours": CASH_USD, "theirs": CASH_USD}
        self.exchange = TemplateExchange(self.venue_clock, cash, keys)
        self.matching, self.names = self.exchange.matching, Names("desk-1")
        self.connect(self.exchange, self.exchange.program)
        self.quote()

    def adapter(self, who: Who) -> LiveVenue:
        key = {Who.POWERLESS: "watcher", Who.BYSTANDER: "other"}.get(who, "trader")
        file = KeyFile(
            venue=NAME,
            account="ours",
            key=key,
            secret="guess" if who is Who.FORGED else SECRETS[key],
            vault="sub" if who is Who.SUB else "",
        )
        desk = {Who.OTHER_DESK: "desk-2", Who.BYSTANDER: "desk-3"}.get(who, "desk-1")
        link = self.link("", "/stream")
        return TemplateAdapter(self.tap, "loopback", link, file, self.clock, desk=desk, bar_ns=NS_PER_S)

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        at_ns = self.venue_clock.now_ns()
        self.exchange.on_market(Quote(symbol=SYMBOL, at_ns=at_ns, bid=bid, ask=ask))

    def hit(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        self.matching.hit(SYMBOL, side, price, quantity)

    def shallow(self, quantity: Decimal) -> None:
        self.matching.depth = quantity

    def push(self, strike: PushStrike, *, nth: int = 1) -> None:
        self.exchange.pushes.add(PushFault(nth=nth, on="order", strike=strike))

    def garble(self) -> None:
        self.exchange.pushes.add(PushFault(nth=1, on="quote", strike=PushStrike.GARBAGE))

    def break_streams(self) -> None:
        for session in list(self.exchange.sessions):
            session.line.close(1001)
            session.gone()

    def halt(self, what: Halt) -> None:
        self.tap.is_down = what is Halt.VENUE
        self.matching.halted = {SYMBOL} if what is Halt.MARKET else set()

    def lag(self, seconds: float) -> None:
        self.exchange.lag_ms = round(seconds * 1_000)

    def refusal(self, text: str) -> str:
        return msgspec.json.encode({"error": {"code": "brand_new", "text": text}}).decode()

    def hollow(self) -> str:
        return '{"ok":{}}'

    def sent(self) -> list[bytes]:
        return [body for body in self.tap.left if body.startswith(b"POST /order ")]

    def truths(self, name: str) -> list[Truth]:
        order = self.matching.orders.get(self.names.of(name))
        if order is None:
            return []
        return [Truth(order.side, order.quantity, order.price, order.filled, order.is_live)]

    def live(self) -> int:
        return len(self.matching.working("ours"))

    def held(self) -> Decimal:
        holding = self.matching.accounts["ours"].holdings.get(SYMBOL)
        return Decimal(0) if holding is None else holding.quantity

    def foreign(self, price: Decimal = Decimal(58_000)) -> None:
        self.matching.place(
            Order("by hand", "H1", "ours", SYMBOL, Side.BUY, Decimal("0.02"), price, "gtc", False)
        )

    def seize(self) -> None:
        self.matching.accounts["ours"].holdings.pop(SYMBOL)
