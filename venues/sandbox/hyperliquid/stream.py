"""The WebSocket of the loopback Hyperliquid: subscriptions, their snapshots, and what is pushed.

The rules are venues.md 3.10: no snapshot for `orderUpdates` and `userEvents`, `isSnapshot` only on the
first message of a personal list, a backfill of trades, no sequence numbers anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from venues.sandbox.hyperliquid import wires as w
from venues.sandbox.hyperliquid.candles import INTERVALS_MS, Candles
from venues.sandbox.hyperliquid.gate import Gate
from venues.sandbox.hyperliquid.info import BadQuestion, Info
from venues.sandbox.hyperliquid.listing import BY_COIN
from venues.sandbox.hyperliquid.orders import Order
from venues.sandbox.hyperliquid.trading import Trading
from venues.sandbox.pushes import PushProgram
from venues.sandbox.web import Line

BOOK_EVERY_MS = 500
STATE, STATE_EVERY_MS = "clearinghouseState", 5_000
"""An account's whole state: when it changed, and by the clock."""
ORDERS = "openOrders"
"""An account's working orders, all of them: at once, and whenever one of them changes."""
IDLE_MS = 60_000
MAX_USERS = 10
MAX_SUBSCRIPTIONS = 1_000
BACKFILL = 30
SNAPSHOT_FILLS = 2_000
FAST_DEPTH, DEPTH = 5, 20
COIN_KINDS = frozenset({"l2Book", "bbo", "trades", "candle", "activeAssetCtx", "activeAssetData"})
USER_KINDS = frozenset(
    {
        "orderUpdates",
        "userEvents",
        "userFills",
        "userFundings",
        "userNonFundingLedgerUpdates",
        "notification",
        "activeAssetData",
        "openOrders",
        "clearinghouseState",
    }
)
KINDS = COIN_KINDS | USER_KINDS | {"allMids"}
ENCODER = msgspec.json.Encoder()


class Room:
    """What the sessions of one exchange share."""

    def __init__(self, candles: Candles, now_ms: Callable[[], int], pushes: PushProgram) -> None:
        self.candles, self.now_ms, self.pushes = candles, now_ms, pushes
        self.trading: Trading
        self.info: Info
        self.gate: Gate
        """All three are set by the exchange, which they belong to, before anybody connects."""
        self.sessions: list[Session] = []

    # --- the audience of `Trading` -------------------------------------------------------------------

    def on_order(self, order: Order) -> None:
        said = {"channel": "orderUpdates", "data": [order.update(order.history[-1])]}
        self._tell(("orderUpdates", order.owner), said)
        self._tell_orders(order.owner)

    def on_fill(self, address: str, fill: dict[str, Any]) -> None:
        self._tell(("userEvents", address), {"channel": "user", "data": {"fills": [fill]}})
        self._tell(
            ("userFills", address), {"channel": "userFills", "data": {"user": address, "fills": [fill]}}
        )
        self._moved(address)
        self._tell_orders(address)

    def on_trade(self, coin: str, trade: dict[str, Any]) -> None:
        self._tell(("trades", coin), {"channel": "trades", "data": [trade]})

    def on_event(self, address: str, event: dict[str, Any]) -> None:
        self._tell(("userEvents", address), {"channel": "user", "data": event})
        self._moved(address)
        funding = event.get("funding")
        if funding is not None:
            said = {"channel": "userFundings", "data": {"user": address, "fundings": [funding]}}
            self._tell(("userFundings", address), said)

    def on_quote(self, coin: str) -> None:
        """The top of a book, and its candle, may have changed."""
        bid, ask = (self.info.side(coin, is_buy, 1) for is_buy in (True, False))
        bbo = [bid[0] if bid else None, ask[0] if ask else None]
        said = {"channel": "bbo", "data": {"coin": coin, "time": self.now_ms(), "bbo": bbo}}
        self._tell(("bbo", coin), said)
        for session in self.sessions:
            session.is_stale.add(coin)

    def _tell_orders(self, address: str) -> None:
        for session in list(self.sessions):
            if (ORDERS, address) in session.heard:
                session.push_orders(address)

    def _moved(self, address: str) -> None:
        for session in self.sessions:
            session.has_moved.add(address)

    def _tell(self, key: tuple[str, str], said: dict[str, Any]) -> None:
        for session in list(self.sessions):
            if key in session.heard:
                session.push(said)

    def advance(self) -> None:
        """Push what goes by the clock: books, mids, candles; close what has been idle."""
        for session in list(self.sessions):
            session.advance()

    def users_heard(self) -> set[str]:
        """Return whose data anybody hears: the venue allows ten of them."""
        return {name for session in self.sessions for kind, name in session.heard if kind in USER_KINDS}


class Session:
    """One connection."""

    def __init__(self, room: Room, line: Line) -> None:
        self._room, self._line = room, line
        self.heard: dict[tuple[str, str], dict[str, Any]] = {}
        """(kind, coin or user) -> the subscription as it was normalised."""
        self.is_stale: set[str] = set()
        self._said_ms = self._book_ms = self._state_ms = room.now_ms()
        self.has_moved: set[str] = set()
        """Whose state has changed since it was pushed."""
        room.sessions.append(self)

    def gone(self) -> None:
        if self in self._room.sessions:
            self._room.sessions.remove(self)

    def close(self, code: int = 1000) -> None:
        """End the connection, as the venue does now and then."""
        self.gone()
        self._line.close(code)

    def push(self, said: dict[str, Any]) -> None:
        """Send one message, as the push program lets it."""
        self._said_ms = self._room.now_ms()
        for frame in self._room.pushes.carried(str(said["channel"]), ENCODER.encode(said), self._said_ms):
            self._line.push(frame)

    def take(self, text: bytes) -> None:
        """Take one message of the client; what cannot be read is answered with an error."""
        try:
            asked = msgspec.json.decode(text)
            method = asked["method"]
            if method == "ping":
                self.push({"channel": "pong"})
            elif method in ("subscribe", "unsubscribe"):
                self._subscription(method, asked["subscription"])
            elif method == "post":
                self._post(asked["id"], asked["request"])
            else:
                raise KeyError(method)
        except (msgspec.DecodeError, KeyError, TypeError):
            self._error(
                f"Error parsing JSON into valid websocket request: {text[:200].decode('utf-8', 'replace')}"
            )

    def _error(self, text: str) -> None:
        self.push({"channel": "error", "data": text})

    # --- subscriptions -------------------------------------------------------------------------------

    def _subscription(self, method: str, asked: dict[str, Any]) -> None:
        text = ENCODER.encode(asked).decode()
        kind, name = asked.get("type"), self._name_of(asked)
        if kind not in KINDS or name is None:
            self._error(f"Invalid subscription {text}")
            return
        if method == "unsubscribe":
            if self.heard.pop((kind, name), None) is None:
                self._error(f"Already unsubscribed: {text}")
                return
        elif (kind, name) in self.heard:
            self._error(f"Already subscribed: {text}")
            return
        elif self._is_full(kind, name):
            self._error(f"Cannot track more than {MAX_USERS} total users.")
            return
        shown = self._normal(asked)
        if method == "subscribe":
            self.heard[kind, name] = shown
        said = {"method": method, "subscription": shown}
        self.push({"channel": "subscriptionResponse", "data": said})
        if method == "subscribe":
            self._snapshot(kind, name)

    def _is_full(self, kind: str, name: str) -> bool:
        if len(self.heard) >= MAX_SUBSCRIPTIONS:
            return True
        return kind in USER_KINDS and len(self._room.users_heard() | {name}) > MAX_USERS

    def _name_of(self, asked: dict[str, Any]) -> str | None:
        """Return what a subscription is about, as one name; None where it is not complete."""
        kind = asked.get("type")
        if kind == "allMids":
            return ""
        coin, user = asked.get("coin"), asked.get("user")
        if kind in USER_KINDS:
            return user.lower() if isinstance(user, str) else None
        if kind in COIN_KINDS and coin in BY_COIN:
            if kind == "candle":
                interval = asked.get("interval")
                return f"{coin} {interval}" if interval in INTERVALS_MS else None
            return str(coin)
        return None

    def _normal(self, asked: dict[str, Any]) -> dict[str, Any]:
        defaults: dict[str, dict[str, Any]] = {
            "l2Book": {"nSigFigs": None, "mantissa": None, "fast": False},
            "userFills": {"aggregateByTime": False},
        }
        shown = defaults.get(asked["type"], {}) | asked
        return shown | ({"user": asked["user"].lower()} if isinstance(asked.get("user"), str) else {})

    def _snapshot(self, kind: str, name: str) -> None:
        """Push what a new subscriber gets at once."""
        room, info = self._room, self._room.info
        user = room.trading.registry.user(name)
        if kind == "trades":
            self.push({"channel": "trades", "data": room.trading.executions.trades[name][-BACKFILL:]})
        elif kind == "userFills":
            fills = [] if user is None else user.fills[-SNAPSHOT_FILLS:]
            self.push({"channel": kind, "data": {"isSnapshot": True, "user": name, "fills": fills}})
        elif kind in ("userFundings", "userNonFundingLedgerUpdates"):
            key = "fundings" if kind == "userFundings" else "nonFundingLedgerUpdates"
            items = [] if user is None else (user.fundings if key == "fundings" else user.ledger)
            self.push({"channel": kind, "data": {"isSnapshot": True, "user": name, key: items[-500:]}})
        elif kind == "bbo":
            room.on_quote(name)
        elif kind == "allMids":
            self.push({"channel": kind, "data": {"mids": info.mids()}})
        elif kind == STATE:
            self._push_state(name)
        elif kind == ORDERS:
            self.push_orders(name)
        elif kind == "activeAssetData":
            subscription = self.heard[kind, name]
            data = info.answer({"type": kind, "user": name, "coin": subscription.get("coin")})
            self.push({"channel": kind, "data": data})
        elif kind in ("l2Book", "candle", "activeAssetCtx"):
            self._push_coin(kind, name)

    # --- by the clock --------------------------------------------------------------------------------

    def advance(self) -> None:
        now_ms = self._room.now_ms()
        if now_ms - self._said_ms >= IDLE_MS:
            self.close(1000)
            return
        self._push_states(now_ms)
        if now_ms - self._book_ms < BOOK_EVERY_MS or not self.is_stale:
            return
        self._book_ms = now_ms
        for kind, name in list(self.heard):
            if kind in ("l2Book", "candle", "activeAssetCtx") and name.split(" ")[0] in self.is_stale:
                self._push_coin(kind, name)
        if ("allMids", "") in self.heard:
            self.push({"channel": "allMids", "data": {"mids": self._room.info.mids()}})
        self.is_stale.clear()

    def _push_states(self, now_ms: int) -> None:
        is_due = now_ms - self._state_ms >= STATE_EVERY_MS
        for kind, name in list(self.heard):
            if kind == STATE and (is_due or name in self.has_moved):
                self._push_state(name)
        self._state_ms = now_ms if is_due else self._state_ms
        self.has_moved.clear()

    def _push_state(self, address: str) -> None:
        user = self._room.trading.registry.user(address)
        if user is not None:
            state = {"dex": "", "user": address, STATE: self._room.info.state(user)}
            self.push({"channel": STATE, "data": state})

    def push_orders(self, address: str) -> None:
        """Push an account's working orders."""
        orders = self._room.info.answer({"type": "frontendOpenOrders", "user": address})
        self.push({"channel": ORDERS, "data": {"dex": "", "user": address, "orders": orders}})

    def _push_coin(self, kind: str, name: str) -> None:
        coin, _, interval = name.partition(" ")
        info = self._room.info
        if kind == "l2Book":
            depth = FAST_DEPTH if self.heard[kind, name].get("fast") else DEPTH
            self.push({"channel": kind, "data": info.book(coin, depth)})
        elif kind == "candle":
            candle = self._room.candles.newest(coin, interval)
            if candle is not None:
                self.push({"channel": kind, "data": candle.wire(coin, interval)})
        else:
            channel = "activeAssetCtx" if BY_COIN[coin].is_perp else "activeSpotAssetCtx"
            self.push({"channel": channel, "data": {"coin": coin, "ctx": info.context(coin)}})

    # --- requests over the socket ----------------------------------------------------------------------

    def _post(self, number: int, request: dict[str, Any]) -> None:
        kind, payload = request["type"], request["payload"]
        said: dict[str, Any]
        if kind == "info":
            try:
                said = {
                    "type": "info",
                    "payload": {"type": payload["type"], "data": self._room.info.answer(payload)},
                }
            except BadQuestion:
                said = {"type": "error", "payload": "422 Unprocessable Entity"}
        elif kind == "action":
            try:
                envelope = msgspec.convert(payload, w.Envelope)
            except msgspec.ValidationError:
                said = {"type": "error", "payload": "422 Unprocessable Entity"}
            else:
                answer = self._room.gate.take(envelope)
                said = {"type": "action", "payload": msgspec.json.decode(answer.body)}
        else:
            raise KeyError(kind)
        self.push({"channel": "post", "data": {"id": number, "response": said}})
