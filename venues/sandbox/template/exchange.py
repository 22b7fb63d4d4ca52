"""The template venue's double: a `Peer` with ten endpoints and one stream. It checks signatures, lets each
nonce be used once, refuses late bytes, and answers lists as late as it is told to."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from seams.clock import NS_PER_MS, Clock
from seams.http import Request, Response, json_response
from venues.sandbox.account import Account
from venues.sandbox.programs import Program, Reply, carried_out
from venues.sandbox.pushes import PushProgram
from venues.sandbox.template.orders import Denied, Matching, Order
from venues.sandbox.web import Conversation, Line, not_found
from venues.template.capabilities import INSTRUMENTS
from venues.template.client import signature
from venues.types import MarketEvent, Quote, Side

Json = dict[str, Any]


class ApiKey(NamedTuple):
    """One key: its secret, its account, and whether it may place orders."""

    secret: str
    account: str
    may_trade: bool = True


class Session:
    """One open stream; it says nothing before it knows whose it is."""

    def __init__(self, exchange: TemplateExchange, line: Line) -> None:
        self._exchange, self.line, self.account = exchange, line, ""
        self.count = 0

    def take(self, text: bytes) -> None:
        said = msgspec.json.decode(text)["listen"]
        key = self._exchange.keys.get(said["key"])
        if key is None or not hmac.compare_digest(signature(key.secret, "/stream", b""), said["sign"]):
            self.line.close(1008)
            return
        self.account = key.account
        self.push("greeting", {"n": 0})
        for quote in self._exchange.matching.quotes.values():
            self.push("quote", _quote(quote))

    def tell(self, message: Json) -> None:
        """Push what happened to an order of this account, numbered."""
        self.count += 1
        self.push("order", {"n": self.count, "order": message})

    def push(self, kind: str, said: Json) -> None:
        frame = msgspec.json.encode(said)
        for each in self._exchange.pushes.carried(kind, frame, self._exchange.now_ms()):
            self.line.push(each)

    def gone(self) -> None:
        if self in self._exchange.sessions:
            self._exchange.sessions.remove(self)


class TemplateExchange:
    """One venue. Everything that a test may switch is an attribute."""

    def __init__(self, clock: Clock, accounts: dict[str, Decimal], keys: dict[str, ApiKey]) -> None:
        self._clock, self.keys = clock, keys
        self.pushes = PushProgram()
        self.sessions: list[Session] = []
        self.lag_ms = 0
        books = {name: Account(cash) for name, cash in accounts.items()}
        known = {each.symbol: each for each in INSTRUMENTS}
        self.matching = Matching(known, books, self.now_ms, self._tell)
        self._nonces: dict[str, set[int]] = {}
        self._count = 0
        self._shown: list[tuple[int, str, Json]] = []
        """(since, id, order): what the lists said of an order from a time on."""
        self._paths: dict[str, Callable[[str, Json], Any]] = {
            "/order": self._place,
            "/cancel": self._cancel,
            "/cancel_all": self._cancel_all,
            "/burn": lambda account, said: True,
            "/time": lambda account, said: {"at_ms": self.now_ms()},
            "/query": lambda account, said: [e for e in self._listed(account) if e["id"] == said["id"]],
            "/orders": lambda account, said: [e for e in self._listed(account) if e["status"] == "open"],
            "/fills": self._fills,
            "/account": self._account,
        }
        self.program = Program(kinds={path.lstrip("/") for path in self._paths})

    def now_ms(self) -> int:
        return self._clock.now_ns() // NS_PER_MS

    # --- a peer ---------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        return carried_out(self.program.next(request.path.lstrip("/")), lambda: self._apply(request))

    def again(self, request: Request) -> Reply:
        return carried_out(None, lambda: self._apply(request))

    def open(self, door: str, path: str, line: Line) -> Conversation | None:
        if path != "/stream":
            return None
        self.sessions.append(Session(self, line))
        return self.sessions[-1]

    def advance(self) -> None:
        """Nothing happens here by the clock."""

    def on_market(self, event: MarketEvent) -> None:
        """Take a quote: match, then tell everybody."""
        if isinstance(event, Quote):
            self.matching.on_quote(event)
            for session in list(self.sessions):
                if session.account:
                    session.push("quote", _quote(event))

    # --- requests -------------------------------------------------------------------------------------

    def _apply(self, request: Request) -> Response:
        carry = self._paths.get(request.path)
        if carry is None:
            return not_found()
        try:
            key = self._key(request)
            said = msgspec.json.decode(request.body, type=dict[str, Any])
            if "nonce" in said:
                self._use(request.headers["x-key"], said["nonce"])
            if request.path == "/order" and not key.may_trade:
                raise Denied("not_permitted", "this key may only ask and cancel")
            done = carry(key.account, said)
        except Denied as denied:
            said = {"error": {"code": denied.code, "text": denied.words}}
            return json_response(msgspec.json.encode(said))
        except (msgspec.MsgspecError, KeyError, ArithmeticError, ValueError) as error:
            return json_response(msgspec.json.encode({"error": {"code": "malformed", "text": str(error)}}))
        return json_response(msgspec.json.encode({"ok": done}))

    def _key(self, request: Request) -> ApiKey:
        key = self.keys.get(request.headers.get("x-key", ""))
        given = request.headers.get("x-sign", "")
        if key is None or not hmac.compare_digest(signature(key.secret, request.path, request.body), given):
            raise Denied("bad_signature", "no such key, or not its signature")
        return key

    def _use(self, key: str, nonce: int) -> None:
        used = self._nonces.setdefault(key, set())
        if nonce in used:
            raise Denied("nonce_used", f"nonce {nonce} was used before")
        used.add(nonce)

    def _place(self, account: str, said: Json) -> Json:
        if said["valid_until_ms"] and self.now_ms() > said["valid_until_ms"]:
            raise Denied("expired", "these bytes came too late")
        old = self.matching.orders.get(said["replaces"]) if "replaces" in said else None
        if "replaces" in said and (old is None or old.account != account or not old.is_live):
            raise Denied("unknown_order" if old is None else "already_ended", said["replaces"])
        self._count += 1
        order = Order(
            id=said["id"],
            venue_id=f"T{self._count:06d}",
            account=account,
            symbol=said["symbol"],
            side=Side(said["side"]),
            quantity=Decimal(said["quantity"]),
            price=Decimal(said["price"]),
            lives=said["lives"],
            reduce_only=said["reduce_only"],
        )
        self.matching.place(order)
        if old is not None:
            self.matching.end(old, "replaced")
        return {"venue_id": order.venue_id}

    def _cancel(self, account: str, said: Json) -> bool:
        order = self.matching.orders.get(said["id"])
        if order is None or order.account != account:
            raise Denied("unknown_order", said["id"])
        if not order.is_live:
            raise Denied("already_ended", f"{order.id} is {order.status}")
        self.matching.end(order, "requested")
        return True

    def _cancel_all(self, account: str, said: Json) -> int:
        working = self.matching.working(account)
        for order in working:
            self.matching.end(order, "requested")
        return len(working)

    def _fills(self, account: str, said: Json) -> list[Json]:
        seen_ms = self.now_ms() - self.lag_ms
        known = self.matching.fills.get(account, [])
        return [each for each in known if said["since_ms"] <= each["at_ms"] <= seen_ms]

    def _account(self, account: str, said: Json) -> Json:
        snapshot = self.matching.accounts[account].snapshot(account, self.matching.marks(), 0)
        return {
            "account": account,
            "cash": f"{snapshot.cash_usd:f}",
            "equity": f"{snapshot.equity_usd:f}",
            "positions": [
                {
                    "symbol": each.symbol,
                    "quantity": f"{each.quantity:f}",
                    "entry": f"{each.entry_price:f}",
                    "mark": f"{each.mark_price:f}",
                }
                for each in snapshot.positions
            ],
            "at_ms": self.now_ms(),
        }

    # --- what is seen ---------------------------------------------------------------------------------

    def _tell(self, account: str, message: Json) -> None:
        order = self.matching.orders[message["id"]]
        self._shown.append((self.now_ms(), account, order.said()))
        for session in list(self.sessions):
            if session.account == account:
                session.tell(message)

    def _listed(self, account: str) -> list[Json]:
        """Return the account's orders as they were `lag_ms` ago."""
        seen_ms = self.now_ms() - self.lag_ms
        known = [
            (said["id"], said) for at_ms, owner, said in self._shown if owner == account and at_ms <= seen_ms
        ]
        return list(dict(known).values())


def _quote(quote: Quote) -> Json:
    said = {"symbol": quote.symbol, "bid": repr(quote.bid), "ask": repr(quote.ask)}
    return {"quote": said | {"at_ms": quote.at_ns // NS_PER_MS}}
