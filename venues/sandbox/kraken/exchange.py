"""The whole loopback Kraken without a network: requests in, answers out; time and prices from outside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

import msgspec

from seams.clock import Clock
from seams.http import Request, Response, json_response
from venues.sandbox.kraken import keys
from venues.sandbox.kraken.books import Account, KrakenError
from venues.sandbox.kraken.forgetting import Forgetting
from venues.sandbox.kraken.keys import ApiKey, Gate
from venues.sandbox.kraken.limits import TIERS
from venues.sandbox.kraken.listing import BY_SYMBOL
from venues.sandbox.kraken.private import Asker, Private
from venues.sandbox.kraken.public import Public
from venues.sandbox.kraken.sockets import Sockets
from venues.sandbox.kraken.states import SYSTEMS
from venues.sandbox.kraken.trading import Trading
from venues.sandbox.programs import Fault, Program, Reply, Strike, carried_out
from venues.sandbox.web import Conversation, Line, not_found
from venues.types import MarketEvent, Quote

PUBLIC, PRIVATE, SOCKET = "/0/public/", "/0/private/", "/v2"
AUTH_SOCKET = "/v2-auth"
"""The authenticated WebSocket at every door; the venue has a host for it, the process a port as well."""
ENCODER = msgspec.json.Encoder()
LOG_KEPT = 10_000


class KrakenExchange:
    """One exchange, its accounts and keys. A `Peer` of the loopback shell."""

    def __init__(
        self,
        clock: Clock,
        accounts: Sequence[Account],
        api_keys: Sequence[ApiKey],
        *,
        seed: int = 1,
        tier: str = "pro",
        lag_ns: int = 0,
    ) -> None:
        self.clock = clock
        self.trading = Trading(clock, accounts, TIERS[tier], seed)
        self.forgetting = Forgetting(clock, self.trading)
        self.public = Public(clock, self.trading)
        self.private = Private(clock, self.trading, seed, lag_ns)
        self.gate = Gate(tuple(api_keys))
        self.program = Program(SYSTEMS, {*self.public.methods, *self.private.methods})
        self.log: deque[tuple[int, str, bytes]] = deque(maxlen=LOG_KEPT)
        """The newest requests that arrived: the clock, the method's name, the body's exact bytes."""
        self.on_order: Callable[[int, bytes], None] = lambda at_ns, body: None
        self.sockets = Sockets(self)
        self.trading.hearers += [self.public, self.sockets]

    def script(self, fault: Fault) -> None:
        """Let the nth request of a type (an endpoint's name, or `*`) meet a fault."""
        self.program.add(fault)

    def on_market(self, event: MarketEvent) -> None:
        """Take one market event; only quotes move this exchange."""
        if isinstance(event, Quote) and event.symbol in BY_SYMBOL:
            self.trading.on_quote(event, BY_SYMBOL[event.symbol])

    def advance(self) -> None:
        self.trading.advance()
        self.sockets.advance()
        self.forgetting.advance()

    def answer(self, request: Request) -> Reply:
        name = request.path.rpartition("/")[2]
        self.log.append((self.clock.now_ns(), name, request.body))
        fault = self.program.next(name)
        if fault is not None and fault.strike is Strike.STATE:
            self.trading.set_system(fault.text)
            fault = None
        return carried_out(fault, lambda: self._apply(request))

    def again(self, request: Request) -> Reply:
        return carried_out(None, lambda: self._apply(request))

    def open(self, door: str, path: str, line: Line) -> Conversation | None:
        if path == AUTH_SOCKET:
            return self.sockets.open("auth", line)
        return self.sockets.open(door, line) if path == SOCKET else None

    def _apply(self, request: Request) -> Response:
        """Do what a request asks; business refusals are answered with status 200."""
        self.trading.advance()
        path = request.path
        if not path.startswith((PUBLIC, PRIVATE)):
            return not_found()
        name = path.rpartition("/")[2]
        try:
            if path == PUBLIC + name:
                result = self._ask_public(name, request)
            elif request.method != "POST":
                raise KrakenError("EGeneral:Unknown method")
            else:
                result = self._ask_private(name, request)
        except KrakenError as refused:
            return json_response(ENCODER.encode({"error": [str(refused)]}))
        return json_response(ENCODER.encode({"error": [], "result": result}))

    def _ask_public(self, name: str, request: Request) -> object:
        method = self.public.methods.get(name)
        if method is None:
            raise KrakenError("EGeneral:Unknown method")
        return method(dict(parse_qsl(request.query, keep_blank_values=True)))

    def _ask_private(self, name: str, request: Request) -> object:
        key, fields = self.gate.admit(request, self.clock.now_ns())
        found = self.private.methods.get(name)
        if found is None:
            raise KrakenError("EGeneral:Unknown method")
        permission, method = found
        self.trading.budgets.call(key.key, name, self.clock.now_ns())
        may_trade = permission == keys.CLOSE and keys.TRADE in key.permissions
        if permission and permission not in key.permissions and not may_trade:
            raise KrakenError("EGeneral:Permission denied")
        if name == "AddOrder":
            self.on_order(self.clock.now_ns(), request.body)
        return method(Asker(key, self.trading.accounts[key.account]), fields)
