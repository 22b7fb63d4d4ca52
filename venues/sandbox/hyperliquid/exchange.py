"""The loopback Hyperliquid without a network: HTTP requests and WebSocket messages in, answers out.

A `Peer` of `venues.sandbox.web`, and of the simulator: bytes, and a clock; nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from seams.clock import NS_PER_MS, Clock
from seams.http import Request, Response, json_response
from venues.sandbox.hyperliquid.accounts import Agent, Registry, User
from venues.sandbox.hyperliquid.candles import KEPT, MINUTE_MS, Candle, Candles
from venues.sandbox.hyperliquid.gate import MAX_AGENT_MS, Gate
from venues.sandbox.hyperliquid.house import House
from venues.sandbox.hyperliquid.info import BadQuestion, Info, weight_of, weight_of_rows
from venues.sandbox.hyperliquid.stream import Room, Session
from venues.sandbox.hyperliquid.trading import Trading
from venues.sandbox.hyperliquid.upkeep import Upkeep
from venues.sandbox.market import SandboxMarket
from venues.sandbox.programs import Program, Reply, carried_out
from venues.sandbox.pushes import PushProgram
from venues.sandbox.web import Conversation, Line, not_found
from venues.types import MarketEvent, Quote

WEIGHT_A_MINUTE = 1_200
SHAPE = b"Failed to deserialize the JSON body into the target type"


class HyperliquidExchange:
    """One exchange: books, accounts, clock. Everything that may be switched is an attribute."""

    def __init__(self, clock: Clock, seed: int = 1) -> None:
        self._clock = clock
        self.registry, self.candles, self.pushes = Registry(), Candles(), PushProgram()
        self.lag_ms = 0
        """How old the lists and lookups of orders and fills are."""
        self.has_ip_limit = True
        self.on_received: Callable[[int, bytes], None] = lambda at_ms, body: None
        """Called with every action that arrives, with its time and exact body, before it is judged."""
        self._spent: deque[tuple[int, int]] = deque()
        self.room = Room(self.candles, self.now_ms, self.pushes)
        self.trading = Trading(self.registry, self.now_ms, self.room)
        self.house = House(self.trading, self.candles, seed)
        self.upkeep = Upkeep(self.trading, self.house, self.now_ms())
        self.gate = Gate(self.trading, self.now_ms)
        self.info = Info(
            self.trading, self.house, self.candles, self.upkeep, self.now_ms, lambda: self.lag_ms
        )
        self.program = Program(kinds=self.gate.kinds() | self.info.kinds())
        self.room.trading, self.room.info, self.room.gate = self.trading, self.info, self.gate

    def now_ms(self) -> int:
        """Return block time."""
        return self._clock.now_ns() // NS_PER_MS

    # --- people --------------------------------------------------------------------------------------

    def fund(self, address: str, cash_usd: Decimal, spot: dict[int, Decimal] | None = None) -> User:
        """Open an account with collateral and tokens."""
        return self.registry.open(address, cash=cash_usd, spot=dict(spot or {}))

    def add_agent(self, master: str, address: str, name: str = "", until_ms: int | None = None) -> None:
        """Let a key sign for an account, as `approveAgent` would."""
        until = self.now_ms() + MAX_AGENT_MS if until_ms is None else until_ms
        self.registry.approve(Agent(address.lower(), master.lower(), name, until))

    # --- a peer --------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer one request, or do with it what the fault program says."""
        return carried_out(self.program.next(kind_of(request)), lambda: self._apply(request))

    def again(self, request: Request) -> Reply:
        """Answer a request that a fault held back."""
        return carried_out(None, lambda: self._apply(request))

    def open(self, door: str, path: str, line: Line) -> Conversation | None:
        """Open the stream at `/ws`."""
        return Session(self.room, line) if path == "/ws" else None

    def advance(self) -> None:
        """Let what is due happen: funding, liquidations, scheduled cancels, expiries, books."""
        now_ms = self.now_ms()
        self.gate.prune(now_ms)
        self.upkeep.advance(now_ms)
        self.room.advance()

    def on_market(self, event: MarketEvent) -> None:
        """Take a market event; only quotes move anything here."""
        if isinstance(event, Quote):
            self.house.quote(event)
            self.upkeep.advance(self.now_ms())
            self.room.on_quote(event.symbol)

    def remember(self, market: SandboxMarket, minutes: int = 600) -> None:
        """Give every quoted coin a past of minutes out of the seeded market, and its first quote."""
        first_ms = self.now_ms() // MINUTE_MS * MINUTE_MS
        for coin in market.symbols:
            past = []
            for index in range(-min(minutes, KEPT), 0):
                start_ms = first_ms + index * MINUTE_MS
                bar = market.bar(
                    coin, index, open_ns=start_ms * NS_PER_MS, bar_ns=MINUTE_MS * NS_PER_MS, ticks=4
                )
                candle = Candle(
                    start_ms, start_ms + MINUTE_MS - 1, bar.open, bar.high, bar.low, bar.close, bar.volume, 4
                )
                past.append(candle)
            self.candles.past(coin, past)
            opening = market.path(coin, 0, 1)[0]
            self.on_market(market.quote(coin, opening, self._clock.now_ns()))

    def _apply(self, request: Request) -> Response:
        if request.path not in ("/info", "/exchange"):
            return not_found()
        if request.method != "POST":
            return Response(405, {"content-type": "text/plain"}, b"Method Not Allowed")
        if not self._within_limit(request):
            return json_response(b"null", 429)
        if request.path == "/exchange":
            self.on_received(self.now_ms(), request.body)
            return self.gate.answer(request)
        try:
            asked = msgspec.json.decode(request.body)
            said = self.info.answer(asked)
            self._spent.append((self.now_ms(), weight_of_rows(asked, said)))
            return json_response(msgspec.json.encode(said))
        except BadQuestion:
            return Response(422, {"content-type": "text/plain; charset=utf-8"}, SHAPE)
        except msgspec.DecodeError:
            return Response(400, {"content-type": "text/plain"}, b"Failed to parse the request body as JSON")

    def _within_limit(self, request: Request) -> bool:
        """Count a request against the minute's weight."""
        now_ms = self.now_ms()
        while self._spent and self._spent[0][0] <= now_ms - MINUTE_MS:
            self._spent.popleft()
        try:
            weight = 1 if request.path == "/exchange" else weight_of(msgspec.json.decode(request.body))
        except msgspec.DecodeError:
            weight = 1
        if self.has_ip_limit and sum(each for _, each in self._spent) + weight > WEIGHT_A_MINUTE:
            return False
        self._spent.append((now_ms, weight))
        return True


def kind_of(request: Request) -> str:
    """Return what a fault program calls a request: the type of its action or question."""
    try:
        body = msgspec.json.decode(request.body)
        found = body["action"]["type"] if request.path == "/exchange" else body["type"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
