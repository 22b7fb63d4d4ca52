"""A loopback Hyperliquid on a clock that stands still, two accounts, and short ways to talk to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from seams.clock import NS_PER_MS, Clock, FixedClock
from seams.http import Request, decode_response
from venues.hyperliquid.actions import order_wire, place
from venues.hyperliquid.signing import Action, sign_l1, throwaway_key, wallet_of
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange
from venues.sandbox.programs import Reply
from venues.types import Quote, TimeInForce

JSON = {"content-type": "application/json"}
AGENT, MASTER = wallet_of(throwaway_key("test", "agent")), wallet_of(throwaway_key("test", "master"))
OTHER, ASKER = wallet_of(throwaway_key("test", "other")), wallet_of(throwaway_key("test", "asker"))
GTC, IOC, ALO = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.POST_ONLY
CLOID = "0x" + "ab" * 16


class Ear:
    """One open WebSocket: what was pushed, in order."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.closed: int | None = None

    def push(self, text: bytes) -> None:
        self.raw.append(text)
        try:
            self.said.append(msgspec.json.decode(text))
        except msgspec.DecodeError:
            self.said.append({"channel": "?"})

    def close(self, code: int) -> None:
        self.closed = code

    def on(self, channel: str) -> list[Any]:
        return [each["data"] for each in self.said if each["channel"] == channel]


class Desk:
    """The exchange, and who talks to it."""

    def __init__(self, cash_usd: int = 10_000, clock: Clock | None = None) -> None:
        self.clock = FixedClock() if clock is None else clock
        self.exchange = HyperliquidExchange(self.clock)
        self.user = self.exchange.fund(MASTER.address, Decimal(cash_usd), {0: Decimal(1_000)})
        self.other = self.exchange.fund(OTHER.address, Decimal(100_000), {0: Decimal(1_000), 1: Decimal(500)})
        self.exchange.add_agent(MASTER.address, AGENT.address)
        self.exchange.add_agent(MASTER.address, ASKER.address, "asker")
        self._nonce = self.exchange.now_ms()
        self.quote("BTC", 60_000, 60_010)
        self.quote("ETH", 3_000, 3_001)
        self.quote("PURR/USDC", 0.2, 0.201)

    def quote(self, coin: str, bid: float, ask: float) -> None:
        """Let the market stand here."""
        now_ns = self.clock.now_ns()
        self.exchange.on_market(Quote(symbol=coin, at_ns=now_ns, bid=float(bid), ask=float(ask)))

    def wait(self, seconds: float) -> None:
        assert isinstance(self.clock, FixedClock)
        self.clock.advance(seconds)
        self.exchange.advance()

    def nonce(self) -> int:
        self._nonce = max(self._nonce + 1, self.clock.now_ns() // NS_PER_MS)
        return self._nonce

    def body(
        self,
        action: Action,
        signer: Any = AGENT,
        nonce: int | None = None,
        vault: str | None = None,
        expires_ms: int | None = None,
    ) -> bytes:
        """Return a signed request's body."""
        number = self.nonce() if nonce is None else nonce
        made = sign_l1(signer, action, number, vault=vault, expires_ms=expires_ms, is_mainnet=False)
        return msgspec.json.encode(
            {
                "action": action,
                "nonce": number,
                "signature": msgspec.to_builtins(made),
                "vaultAddress": vault,
                "expiresAfter": expires_ms,
            }
        )

    def send(self, body: bytes, path: str = "/exchange", headers: dict[str, str] | None = None) -> Reply:
        return self.exchange.answer(Request("POST", path, JSON if headers is None else headers, body))

    def act(self, action: Action, signer: Any = AGENT, **given: Any) -> Any:
        """Send an action; return the JSON of the answer."""
        return self.json(self.send(self.body(action, signer, **given)))

    def ask(self, kind: str, **given: Any) -> Any:
        """Ask a question; return the JSON of the answer."""
        return self.json(self.send(msgspec.json.encode({"type": kind, **given}), "/info"))

    @staticmethod
    def json(reply: Reply) -> Any:
        response = decode_response(reply.data, is_at_end=True)
        assert response is not None and response.status == 200, response
        return msgspec.json.decode(response.body)

    @staticmethod
    def status(reply: Reply) -> int:
        response = decode_response(reply.data, is_at_end=True)
        assert response is not None
        return response.status

    def order(
        self,
        price: str,
        size: str = "0.01",
        *,
        asset: int = 0,
        is_buy: bool = True,
        tif: TimeInForce = GTC,
        signer: Any = AGENT,
        **given: Any,
    ) -> Any:
        """Place one order; return its status."""
        made = order_wire(asset, is_buy=is_buy, price=Decimal(price), size=Decimal(size), tif=tif, **given)
        said = self.act(place([made]), signer)
        assert said["status"] == "ok", said
        return said["response"]["data"]["statuses"][0]

    def listen(self, *subscriptions: dict[str, Any]) -> Ear:
        """Open a stream and subscribe."""
        ear = Ear()
        session = self.exchange.open("", "/ws", ear)
        assert session is not None
        self.session = session
        for each in subscriptions:
            session.take(msgspec.json.encode({"method": "subscribe", "subscription": each}))
        return ear
