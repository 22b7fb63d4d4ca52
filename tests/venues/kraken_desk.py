"""A loopback Kraken for tests: on a clock that is moved by hand, spoken to with signed requests."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec

from seams.clock import Clock, FixedClock
from seams.http import Request, decode_response
from venues.sandbox.kraken import keys
from venues.sandbox.kraken.books import Account
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.sandbox.kraken.keys import ApiKey, signature
from venues.types import Quote

SECRET = base64.b64encode(b"s" * 64).decode()
ALL = keys.READS | {keys.TRADE, keys.CLOSE, keys.SOCKET}


class Desk:
    """One exchange at a bid of 60000.0 and an ask of 60000.1, and accounts `trader` and `holder`."""

    def __init__(self, clock: Clock | None = None, **options: Any) -> None:
        self.clock: Any = clock or FixedClock()
        accounts = [
            Account("trader", {"ZUSD": Decimal(100_000)}),
            Account("holder", {"ZUSD": Decimal(10_000), "XXBT": Decimal(2)}),
        ]
        api_keys = [
            ApiKey("K", SECRET, "trader", frozenset(ALL)),
            ApiKey("READ", SECRET, "trader", keys.READS),
            ApiKey("ASK", SECRET, "trader", keys.READS | {keys.CLOSE, keys.SOCKET}),
            ApiKey("WINDOW", SECRET, "trader", frozenset(ALL), nonce_window=100),
            ApiKey("H", SECRET, "holder", frozenset(ALL)),
        ]
        self.exchange = KrakenExchange(self.clock, accounts, api_keys, **options)
        self.nonce = 0
        self.quote(60_000.0)

    def quote(self, bid: float, symbol: str = "BTC/USD", tick: float = 0.1) -> None:
        """Move the street to a bid; the ask is one tick above."""
        self.exchange.on_market(
            Quote(symbol=symbol, at_ns=self.clock.now_ns(), bid=bid, ask=round(bid + tick, 5))
        )

    def public(self, name: str, **fields: str) -> Any:
        """Ask a public endpoint; return the envelope."""
        target = f"/0/public/{name}" + (f"?{urlencode(fields)}" if fields else "")
        return _read(self.exchange.answer(Request("GET", target, {}, b"")).data)

    def private(self, name: str, key: str = "K", nonce: int | None = None, **fields: str) -> Any:
        """Ask a private endpoint, signed; return the envelope."""
        return _read(self.exchange.answer(self.signed(name, key, nonce, **fields)).data)

    def signed(self, name: str, key: str = "K", nonce: int | None = None, **fields: str) -> Request:
        self.nonce += 1
        said = str(self.nonce if nonce is None else nonce)
        body = urlencode({**fields, "nonce": said}).encode()
        path = f"/0/private/{name}"
        headers = {"api-key": key, "api-sign": signature(SECRET, path, said, body)}
        return Request("POST", path, headers, body)

    def ok(self, name: str, **fields: str) -> Any:
        """Ask, and demand that nothing was refused; return the result."""
        said = self.private(name, **fields)
        assert said["error"] == [], said
        return said["result"]

    def order(self, **fields: str) -> str:
        """Place an order that must be taken; return its txid."""
        given = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"} | fields
        txid: str = self.ok("AddOrder", **given)["txid"][0]
        return txid

    def error(self, name: str, **fields: str) -> str:
        """Ask, and demand that it was refused; return the one error."""
        said = self.private(name, **fields)
        (error,) = said["error"]
        assert "result" not in said
        return str(error)


def _read(data: bytes) -> Any:
    response = decode_response(data, is_at_end=True)
    assert response is not None and response.status == 200
    return msgspec.json.decode(response.body)
