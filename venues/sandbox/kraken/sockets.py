"""The loopback Kraken's WebSocket v2: who is connected, who subscribed to what, who gets told."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from seams.clock import NS_PER_MS, NS_PER_S
from venues.sandbox.kraken import channels
from venues.sandbox.kraken.books import Account, KrakenError, Order, Print, Trade
from venues.sandbox.kraken.candles import INTERVALS_MIN
from venues.sandbox.kraken.channels import NUMBERS, Side, message, stamp
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.kraken.listing import ASSETS, BY_SYMBOL, Pair
from venues.sandbox.kraken.requests import carry_out
from venues.sandbox.kraken.shapes import Json
from venues.sandbox.kraken.trading import Hearer
from venues.sandbox.pushes import PushProgram
from venues.sandbox.web import Line

if TYPE_CHECKING:
    from venues.sandbox.kraken.exchange import KrakenExchange

PUBLIC_CHANNELS = frozenset({"ticker", "trade", "ohlc", "book", "instrument"})
AUTH_CHANNELS = frozenset({"executions", "balances"})
DEPTHS = (10, 25, 100, 500, 1000)
HEARTBEAT_NS = NS_PER_S
SNAP_TRADES = 50
Key = tuple[str, str, int]
"""A subscription: channel, symbol (empty where it has none), depth or interval."""


class Session:
    """One connection: its subscriptions, what it was last told, and whose account it acts for."""

    def __init__(self, sockets: Sockets, door: str, line: Line) -> None:
        self._sockets, self.door, self._line = sockets, door, line
        self.subscribed: dict[Key, tuple[Side, Side]] = {}
        self.sequences: dict[str, int] = {}
        self.account = ""
        self.last_ns = sockets.now_ns()

    def take(self, text: bytes) -> None:
        self._sockets.take(self, text)

    def gone(self) -> None:
        self._sockets.sessions.remove(self)

    def close(self, code: int) -> None:
        """End the connection with this code."""
        self._line.close(code)

    def tell(self, channel: str, frame: bytes) -> None:
        """Send one message, or what a fault makes of it."""
        now_ns = self._sockets.now_ns()
        for carried in self._sockets.pushes.carried(channel, frame, now_ns // NS_PER_MS):
            self._line.push(carried)
            self.last_ns = now_ns

    def of(self, channel: str, symbol: str = "") -> list[Key]:
        """Return this session's subscriptions to a channel, for one symbol where it is named."""
        return [key for key in self.subscribed if key[0] == channel and symbol in ("", key[1])]

    def next(self, channel: str) -> int:
        """Count one message of a channel of one's own account."""
        self.sequences[channel] = self.sequences.get(channel, 0) + 1
        return self.sequences[channel]


class Sockets(Hearer):
    """All connections of one exchange."""

    def __init__(self, exchange: KrakenExchange) -> None:
        self._exchange, self._trading = exchange, exchange.trading
        self.sessions: list[Session] = []
        self.pushes = PushProgram()
        self.false_checksums = 0
        """So many of the next book updates carry a checksum that is wrong."""

    def now_ns(self) -> int:
        """Return the exchange's clock."""
        return self._exchange.clock.now_ns()

    def open(self, door: str, line: Line) -> Session:
        """Welcome a connection: the first message is the system's status."""
        session = Session(self, door, line)
        self.sessions.append(session)
        self._say_status(session)
        return session

    def advance(self) -> None:
        """Send a heartbeat where nothing else flowed for a second on a subscribed connection."""
        for session in self.sessions:
            if session.subscribed and self.now_ns() - session.last_ns >= HEARTBEAT_NS:
                session.tell("heartbeat", b'{"channel":"heartbeat"}')

    def close_all(self, code: int, door: str | None = None) -> None:
        """End every connection (of one door), as a restart of the venue's proxies does with 1001."""
        for session in [each for each in self.sessions if door in (None, each.door)]:
            session.close(code)

    # --- what clients say ------------------------------------------------------------------------

    def take(self, session: Session, text: bytes) -> None:
        """Answer one message of a client."""
        came_ns = self.now_ns()
        try:
            said = json.loads(text, parse_float=Decimal)
            method, params = said["method"], said.get("params") or {}
            if not isinstance(method, str) or not isinstance(params, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            session.tell("", NUMBERS.encode({"error": "Malformed request", "success": False}))
            return
        envelope: Json = {"method": method}
        if "req_id" in said:
            envelope["req_id"] = said["req_id"]
        times = {"time_in": stamp(came_ns), "time_out": stamp(self.now_ns())}
        if method == "ping":
            session.tell("", NUMBERS.encode({**envelope, "method": "pong", **times}))
        elif method in ("subscribe", "unsubscribe"):
            self._subscribe(session, method, params, envelope | times)
        else:
            for answer in carry_out(self._exchange, session, method, params):
                session.tell("", NUMBERS.encode({**envelope, **answer, **times}))

    def _subscribe(self, session: Session, method: str, params: Json, envelope: Json) -> None:
        """Answer once for each symbol; a snapshot follows its acknowledgement."""
        channel = str(params.get("channel"))
        symbols = params.get("symbol") or [""]
        assert isinstance(symbols, list | str)
        for symbol in [symbols] if isinstance(symbols, str) else symbols:
            try:
                key = self._key(session, channel, str(symbol), params)
            except KrakenError as refused:
                answer: Json = {**envelope, "error": str(refused), "success": False, "symbol": symbol}
                session.tell("", NUMBERS.encode(answer))
                continue
            result: Json = {"channel": channel, "snapshot": params.get("snapshot", True)}
            if key[1]:
                result["symbol"] = key[1]
            if key[2]:
                result["depth" if channel == "book" else "interval"] = key[2]
            session.tell("", NUMBERS.encode({**envelope, "result": result, "success": True}))
            if method == "unsubscribe":
                session.subscribed.pop(key, None)
                continue
            session.subscribed[key] = ({}, {})
            session.sequences.pop(channel, None)
            self._snapshot(session, key, params)

    def _key(self, session: Session, channel: str, symbol: str, params: Json) -> Key:
        """Return what is subscribed to. Raises `KrakenError` in the venue's words."""
        if channel not in (AUTH_CHANNELS if session.door == "auth" else PUBLIC_CHANNELS):
            raise KrakenError(f"Subscription Invalid channel name: {channel}")
        if channel in AUTH_CHANNELS:
            session.account = self.key_of(str(params.get("token", "")), session).account
            return channel, "", 0
        if channel == "instrument":
            return channel, "", 0
        if symbol not in BY_SYMBOL:
            raise KrakenError(f"Currency pair not supported {symbol}")
        if channel not in ("book", "ohlc"):
            return channel, symbol, 0
        name, allowed = ("depth", DEPTHS) if channel == "book" else ("interval", INTERVALS_MIN)
        chosen = params.get(name, allowed[0])
        if not isinstance(chosen, int) or chosen not in allowed:
            raise KrakenError(f"Subscription {name} not supported")
        return channel, symbol, chosen

    def key_of(self, token: str, session: Session) -> ApiKey:
        """Return the key behind a token: fresh, or in use on this very connection. Raises `KrakenError`."""
        found = self._exchange.private.tokens.get(token)
        if found is None or (self.now_ns() > found.until_ns and session.account != found.key.account):
            raise KrakenError("ESession:Invalid session")
        return found.key

    # --- what clients are told -------------------------------------------------------------------

    def _snapshot(self, session: Session, key: Key, params: Json) -> None:
        channel, symbol, value = key
        if params.get("snapshot") is False and channel != "book":
            return
        pair = BY_SYMBOL.get(symbol)
        data: list[Json] = []
        if channel == "instrument":
            whole = channels.instrument_data(self._trading.pair_status)
            session.tell(channel, NUMBERS.encode({"channel": channel, "type": "snapshot", "data": whole}))
            return
        if channel in AUTH_CHANNELS:
            data = self._own_snapshot(session, channel, params)
            session.tell(channel, message(channel, "snapshot", data, sequence=session.next(channel)))
            return
        assert pair is not None
        prints = self._trading.prints[pair.id]
        if channel == "book":
            bids, asks = channels.sides_of(self._trading.books[pair.id], value)
            session.subscribed[key] = bids, asks
            data = [channels.book_data(pair, bids, asks, channels.checksum(pair, bids, asks), self.now_ns())]
        elif channel == "ticker":
            data = [channels.ticker_data(pair, self._trading.books[pair.id], prints, self.now_ns())]
        elif channel == "trade":
            data = [channels.trade_data(seen) for seen in prints[-SNAP_TRADES:]]
        elif channel == "ohlc":
            candles = self._exchange.public.candles[pair.id].of(value)
            data = [channels.candle_data(pair, candle, value) for candle in candles]
        session.tell(channel, message(channel, "snapshot", data))

    def _own_snapshot(self, session: Session, channel: str, params: Json) -> list[Json]:
        account = self._trading.accounts[session.account]
        if channel == "balances":
            return [self._wealth(account, asset) for asset in account.balances]
        data = []
        if params.get("snap_orders", True):
            # A snapshot is whole where an event is not.
            data = [channels.order_data(o, "status") for o in self._trading.open_orders(account)]
        if params.get("snap_trades"):
            mine = [trade for trade in self._trading.trades if trade.account == account.name][-SNAP_TRADES:]
            data += [channels.execution_data(self._trading.orders[trade.txid], trade) for trade in mine]
        return data

    def _wealth(self, account: Account, asset: str) -> Json:
        name = ASSETS[asset].altname.replace("XBT", "BTC")
        owned = channels.plain(account.balances[asset])
        wallets = [{"type": "spot", "id": "main", "balance": owned}]
        return {"asset": name, "asset_class": "currency", "balance": owned, "wallets": wallets}

    def on_order(self, order: Order, what: str) -> None:
        kind = "status" if what == "triggered" else what
        self._tell_owner(order.account, "executions", channels.order_data(order, kind))

    def on_trade(self, order: Order, trade: Trade) -> None:
        self._tell_owner(order.account, "executions", channels.execution_data(order, trade))

    def on_balance(self, account: Account, asset: str, amount: Decimal, trade: Trade) -> None:
        fee = channels.plain(trade.fee) if asset == trade.fee_asset else Decimal(0)
        self._tell_balance(account, asset, "trade", trade.trade_id, trade.at_ns, amount, fee)

    def on_transfer(self, account: Account, asset: str, amount: Decimal) -> None:
        """Tell of what came (above 0) or went without a trade; the account has been booked already."""
        kind, at_ns = "deposit" if amount > 0 else "withdrawal", self.now_ns()
        self._tell_balance(account, asset, kind, f"F{at_ns:X}", at_ns, amount, Decimal(0))

    def _tell_balance(
        self, account: Account, asset: str, kind: str, name: str, at_ns: int, amount: Decimal, fee: Decimal
    ) -> None:
        data: Json = {
            "ledger_id": f"L{name[1:]}",
            "ref_id": name,
            "timestamp": stamp(at_ns),
            "type": kind,
            "asset": ASSETS[asset].altname.replace("XBT", "BTC"),
            "category": kind,
            "wallet_type": "spot",
            "wallet_id": "main",
            "amount": channels.plain(amount),
            "fee": fee,
            "balance": channels.plain(account.balances[asset]),
        }
        self._tell_owner(account.name, "balances", data)

    def on_print(self, seen: Print) -> None:
        symbol = seen.pair.symbol
        for session in self.sessions:
            for key in session.of("trade", symbol):
                session.tell(key[0], message("trade", "update", [channels.trade_data(seen)]))
            for key in session.of("ohlc", symbol):
                candles = self._exchange.public.candles[seen.pair.id].of(key[2])
                data = [channels.candle_data(seen.pair, candles[-1], key[2])]
                session.tell("ohlc", message("ohlc", "update", data, timestamp=stamp(self.now_ns())))

    def on_book(self, pair: Pair) -> None:
        book = self._trading.books[pair.id]
        for session in self.sessions:
            for key in session.of("book", pair.symbol):
                self._tell_book(session, key, pair)
            for _ in session.of("ticker", pair.symbol):
                data = [channels.ticker_data(pair, book, self._trading.prints[pair.id], self.now_ns())]
                session.tell("ticker", message("ticker", "update", data))

    def _tell_book(self, session: Session, key: Key, pair: Pair) -> None:
        """Send what has changed in one subscription's view, with the checksum of the new one."""
        book, before = self._trading.books[pair.id], session.subscribed[key]
        after = channels.sides_of(book, key[2])
        whole = channels.sides_of(book, max(DEPTHS))
        bids, asks = (channels.changes(b, a, w) for b, a, w in zip(before, after, whole, strict=True))
        session.subscribed[key] = after
        if not bids and not asks:
            return
        crc = channels.checksum(pair, *after)
        if self.false_checksums > 0:
            self.false_checksums, crc = self.false_checksums - 1, crc ^ 1
        data = [channels.book_data(pair, bids, asks, crc, self.now_ns())]
        session.tell("book", message("book", "update", data))

    def on_status(self) -> None:
        for session in self.sessions:
            self._say_status(session)

    def _say_status(self, session: Session) -> None:
        data: Json = {
            "api_version": "v2",
            "connection_id": 1_000 + self.sessions.index(session),
            "system": self._trading.system,
            "version": "2.0.0",
        }
        session.tell("status", message("status", "update", [data]))

    def _tell_owner(self, account: str, channel: str, data: Json) -> None:
        for session in self.sessions:
            if session.account == account and session.of(channel):
                session.tell(channel, message(channel, "update", [data], sequence=session.next(channel)))
