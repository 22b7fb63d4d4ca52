"""A loopback venue and our adapter on it in one virtual world: what every venue's corridor is played on.

A stage knows what differs between venues (how an order arrives, what a fault is put on, which pushes tell
of an order); the house and the hall on it are the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import msgspec

from seams.virtual import VirtualClock, VirtualLoop
from tests.venues.hyperliquid_desk import MASTER, OTHER
from tests.venues.test_hyperliquid_adapter import Rig as HyperliquidRig
from tests.venues.test_kraken_adapter import KEY as KRAKEN_KEY
from tests.venues.test_kraken_adapter import Rig as KrakenRig
from venues.contract import LiveVenue
from venues.evidence import CorridorVenue
from venues.hyperliquid.actions import cancel
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.evidence import HyperliquidEvidence
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.client import Tier
from venues.kraken.evidence import KrakenEvidence
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.kraken.books import ENDED
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike

BID, ASK = 60_000, 60_010


class Stage(ABC):
    """One venue, one account, one adapter."""

    name: str
    symbol: str
    submit: str
    """What a fault program calls the request that places an order."""
    query: str
    """What it calls the question about one order."""
    pushed: tuple[str, ...]
    """The channels that tell of our orders and fills."""
    clock: VirtualClock
    exchange: Any
    """The double itself: everything that may be switched there is an attribute of it."""
    wire: PeerCaller
    adapter: LiveVenue
    lag_s: float
    """How long an order that exists may be missing from the venue's answers."""

    @abstractmethod
    def renew(self) -> None:
        """Make a new adapter, as a new process would: it remembers nothing."""

    @abstractmethod
    def evidence(self) -> CorridorVenue: ...

    @abstractmethod
    def quote(self, bid: float = BID, ask: float = ASK) -> None: ...

    @abstractmethod
    def arrived(self) -> list[bytes]:
        """Return the body of every order with a name of ours that reached the venue, applied or not."""

    @abstractmethod
    def placed(self) -> list[str]:
        """Return the client id of every order that the venue took, newest last."""

    @abstractmethod
    def live(self) -> int:
        """How many orders of the account work at the venue."""

    @abstractmethod
    def held(self) -> float:
        """Return the base quantity that the venue says the account holds."""

    @abstractmethod
    def truth(self, name: str) -> list[tuple[bool, Decimal]]:
        """Return every order that the venue ever took under a name of ours: does it work, what it filled."""

    @abstractmethod
    def trade(self, price: float, size: float, *, is_buy: bool) -> None:
        """Let somebody else trade against what rests."""

    @abstractmethod
    def by_hand(self, price: float, size: float, *, is_buy: bool = True) -> None:
        """Let somebody place an order on our account, with no name of ours."""

    @abstractmethod
    def end_by_hand(self) -> None:
        """Cancel every working order of the account at the venue, without us."""

    @abstractmethod
    def close_streams(self, code: int = 1006) -> None: ...

    @abstractmethod
    def _program(self, fault: Fault) -> None: ...

    @abstractmethod
    def _push_program(self, fault: PushFault) -> None: ...

    @abstractmethod
    def lag(self, seconds: float) -> None:
        """Let lists and lookups be this old."""

    async def up(self) -> None:
        self.adapter.start()
        await self.clock.sleep(0.3)

    async def down(self) -> None:
        await self.adapter.close()

    def strike(self, strike: Strike, on: str = "", nth: int = 1, value: float = 0.0, text: str = "") -> None:
        """Let the nth request of a type from now on meet a fault; without a type: the next order."""
        self._program(Fault(nth=nth, on=on or self.submit, strike=strike, value=value, text=text))

    def strike_push(self, strike: PushStrike, nth: int = 1, for_ms: int = 0) -> None:
        for channel in self.pushed:
            self._push_program(PushFault(nth=nth, on=channel, strike=strike, for_ms=for_ms))

    def deafen(self) -> None:
        """Let nothing be pushed for a long time: the connection stays open and says nothing."""
        self.strike_push(PushStrike.SILENCE, for_ms=600_000)


class HyperliquidStage(Stage):
    name, symbol, submit, query = "hyperliquid", "BTC-PERP", "order", "orderStatus"
    pushed, lag_s = ("orderUpdates", "userFills"), 10.0
    adapter: HyperliquidAdapter

    def __init__(self, loop: VirtualLoop) -> None:
        self.rig = HyperliquidRig(loop)
        self.clock, self.exchange, self.wire = self.rig.clock, self.rig.exchange, self.rig.wire
        self.adapter = self.rig.adapter

    def renew(self) -> None:
        self.rig.link = PeerLink(self.exchange, "", "/ws", self.clock)
        self.adapter = self.rig.adapter = self.rig.make()

    def evidence(self) -> CorridorVenue:
        return HyperliquidEvidence(self.adapter, self.clock)

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        self.rig.desk.quote("BTC", bid, ask)

    def arrived(self) -> list[bytes]:
        said = [(body, msgspec.json.decode(body)["action"]) for body in self.rig.bodies]
        return [body for body, action in said if action["type"] == "order" and "c" in action["orders"][0]]

    def placed(self) -> list[str]:
        return [str(each.cloid) for each in self.rig.desk.user.orders.values() if each.cloid is not None]

    def live(self) -> int:
        return len(self.rig.desk.user.live)

    def held(self) -> float:
        position = self.rig.desk.user.positions.get("BTC")
        return 0.0 if position is None else float(position.szi)

    def truth(self, name: str) -> list[tuple[bool, Decimal]]:
        cloid = self.adapter._cloids.of(name)
        found = [each for each in self.rig.desk.user.orders.values() if each.cloid == cloid]
        return [(each.is_live, each.size - each.remaining) for each in found]

    def trade(self, price: float, size: float, *, is_buy: bool) -> None:
        self.rig.desk.order(f"{price:g}", f"{size:g}", is_buy=is_buy, signer=OTHER)

    def by_hand(self, price: float, size: float, *, is_buy: bool = True) -> None:
        self.rig.desk.order(f"{price:g}", f"{size:g}", is_buy=is_buy, signer=MASTER)

    def end_by_hand(self) -> None:
        self.rig.desk.act(cancel([(0, oid) for oid in list(self.rig.desk.user.live)]), MASTER)

    def close_streams(self, code: int = 1006) -> None:
        for session in list(self.exchange.room.sessions):
            session.close(code)

    def _program(self, fault: Fault) -> None:
        self.exchange.program.add(fault)

    def _push_program(self, fault: PushFault) -> None:
        self.exchange.pushes.add(fault)

    def lag(self, seconds: float) -> None:
        self.exchange.lag_ms = int(seconds * 1_000)


class KrakenStage(Stage):
    name, symbol, submit, query = "kraken", "BTC-USD", "AddOrder", "OpenOrders"
    pushed, lag_s = ("executions",), 70.0
    adapter: KrakenAdapter

    def __init__(self, loop: VirtualLoop) -> None:
        self.rig = KrakenRig(loop)
        self.clock, self.exchange, self.wire = self.rig.clock, self.rig.desk.exchange, self.rig.wire
        for street in self.exchange.trading._streets.values():
            street.trade = lambda: None  # it quotes, and takes nothing: who trades here is in the script
        self.renew()

    def renew(self) -> None:
        self.adapter = self.rig.adapter = KrakenAdapter(
            self.wire,
            "loopback",
            PeerLink(self.exchange, "auth", "/v2", self.clock),
            PeerLink(self.exchange, "public", "/v2", self.clock),
            KRAKEN_KEY,
            self.clock,
            tier=Tier(),
        )

    def evidence(self) -> CorridorVenue:
        return KrakenEvidence(self.adapter, self.clock)

    def quote(self, bid: float = BID, ask: float = ASK) -> None:
        self.rig.desk.quote(bid, tick=ask - bid)

    def arrived(self) -> list[bytes]:
        placing = [body for _, name, body in self.exchange.log if name == "AddOrder"]
        return [body for body in placing if b"validate=" not in body and b"cl_ord_id=" in body]

    def placed(self) -> list[str]:
        found = [o for o in self.exchange.trading.orders.values() if o.account == "trader"]
        return [order.asked.cl_ord_id for order in found if order.asked.cl_ord_id]

    def live(self) -> int:
        return len(self.exchange.trading.open_orders(self.exchange.trading.accounts["trader"]))

    def held(self) -> float:
        return float(self.exchange.trading.accounts["trader"].balances.get("XXBT", 0))

    def truth(self, name: str) -> list[tuple[bool, Decimal]]:
        wire = self.adapter._names.of(name)
        orders = [o for o in self.exchange.trading.orders.values() if o.account == "trader"]
        found = [each for each in orders if each.asked.cl_ord_id == wire]
        return [(each.status not in ENDED, each.filled) for each in found]

    def trade(self, price: float, size: float, *, is_buy: bool) -> None:
        self._order("H", price, size, is_buy=is_buy)

    def by_hand(self, price: float, size: float, *, is_buy: bool = True) -> None:
        self._order("WINDOW", price, size, is_buy=is_buy)

    def _order(self, key: str, price: float, size: float, *, is_buy: bool) -> None:
        fields = {"pair": "XBTUSD", "ordertype": "limit", "price": f"{price:g}", "volume": f"{size:g}"}
        fields["type"] = "buy" if is_buy else "sell"
        said = self.rig.desk.private("AddOrder", key=key, **fields)
        assert said["error"] == [], said

    def end_by_hand(self) -> None:
        said = self.rig.desk.private("CancelAll", key="WINDOW")
        assert said["error"] == [], said

    def close_streams(self, code: int = 1006) -> None:
        self.exchange.sockets.close_all(code)

    def _program(self, fault: Fault) -> None:
        self.exchange.script(fault)

    def _push_program(self, fault: PushFault) -> None:
        self.exchange.sockets.pushes.add(fault)

    def lag(self, seconds: float) -> None:
        self.exchange.private.lag_ns = int(seconds * 1e9)


def client_id_of(stage: Stage, body: bytes) -> str:
    """Return the client id in an order's body."""
    if isinstance(stage, HyperliquidStage):
        return str(msgspec.json.decode(body)["action"]["orders"][0]["c"])
    return parse_qs(body.decode())["cl_ord_id"][0]


STAGES: dict[str, type[HyperliquidStage] | type[KrakenStage]] = {
    "hyperliquid": HyperliquidStage,
    "kraken": KrakenStage,
}
