"""The unmodified public client holds a whole trading conversation with the real server process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import krakenex
import msgspec
import pytest
import websocket

from engine.api.launch import ROOT
from venues.keyfile import KeyFile
from venues.sandbox.process import LoopbackReady

TIMEOUT_S = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackReady]:
    folder = tmp_path_factory.mktemp("kraken")
    words = [
        sys.executable,
        "-P",
        "-m",
        "venues.sandbox.kraken.server",
        "--folder",
        str(folder),
        "--lag-ms",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        yield msgspec.json.decode(process.stdout.readline(), type=LoopbackReady)
    finally:
        process.terminate()
        assert process.wait(10) == 0


def client(server: LoopbackReady, account: int = 0) -> krakenex.API:
    made = krakenex.API(server.accounts[account]["api_key"], server.accounts[account]["api_secret"])
    made.uri = server.url
    made.session.trust_env = False
    made.session.max_redirects = 0
    return made


def ok(answer: dict[str, Any]) -> Any:
    assert answer["error"] == [], answer
    return answer["result"]


def test_a_whole_conversation(server: LoopbackReady) -> None:
    api = client(server)
    nonces = iter(range(1_000_000, 2_000_000))
    api._nonce = lambda: next(nonces)

    def public(name: str, **fields: object) -> Any:
        return ok(api.query_public(name, fields, timeout=TIMEOUT_S))

    def private(name: str, **fields: object) -> Any:
        return ok(api.query_private(name, fields, timeout=TIMEOUT_S))

    assert public("SystemStatus")["status"] == "online" and public("Time")["unixtime"] > 0
    pair = public("AssetPairs", pair="XBTUSD")["XXBTZUSD"]
    while not (depth := public("Depth", pair="XBTUSD", count=5)["XXBTZUSD"])["asks"]:
        pass  # before the first quote the book is empty
    ask = Decimal(depth["asks"][0][0])
    assert ask % Decimal(pair["tick_size"]) == 0
    assert Decimal(private("Balance")["ZUSD"]) == 100_000

    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"}
    assert "txid" not in private("AddOrder", **order, price=str(ask), validate="true")
    low = private("AddOrder", **order, price="30000.0", cl_ord_id="conversation-1", oflags="post")
    assert low["descr"]["order"] == "buy 0.01000000 XBTUSD @ limit 30000.0"
    (txid,) = private("OpenOrders", cl_ord_id="conversation-1")["open"]
    assert [txid] == low["txid"]
    assert private("AmendOrder", cl_ord_id="conversation-1", limit_price="30001.0")["amend_id"]
    assert private("CancelOrder", cl_ord_id="conversation-1") == {"count": 1}
    assert private("QueryOrders", txid=txid)[txid]["status"] == "canceled"

    (bought,) = private("AddOrder", **order, price=f"{ask + 500:.1f}")["txid"]
    done = private("QueryOrders", txid=bought, trades="true")[bought]
    assert done["status"] == "closed" and done["vol_exec"] == "0.01000000"
    history = private("TradesHistory")["trades"]
    assert set(done["trades"]) == set(history)
    sold = private("AddOrder", pair="XBTUSD", type="sell", ordertype="market", volume="0.01", userref=7)[
        "txid"
    ][0]
    assert private("ClosedOrders", userref=7)["closed"][sold]["vol_exec"] == "0.01000000"
    balance = private("Balance")
    fees = sum(Decimal(trade["fee"]) for trade in private("TradesHistory")["trades"].values())
    assert Decimal(balance["XXBT"]) == 0 and 0 < fees < 10
    assert abs(Decimal(balance["ZUSD"]) - 100_000) < 50

    assert private("CancelAllOrdersAfter", timeout=60)["triggerTime"] > "2026"
    assert private("CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"
    assert private("GetWebSocketsToken")["expires"] == 900
    assert private("GetApiKeyInfo")["nonce"] == str(next(nonces) - 1)


def test_the_clients_known_slips_are_met_as_by_the_venue(server: LoopbackReady) -> None:
    """venues.md section 4: None is signed but not sent, lists are signed as text, a stranger is refused."""
    api = client(server, account=1)
    assert api.query_private("Balance", {"asset": None}, timeout=TIMEOUT_S)["error"] == [
        "EAPI:Invalid signature"
    ]
    listed = api.query_private("QueryOrders", {"txid": ["A", "B"]}, timeout=TIMEOUT_S)
    assert listed["error"] == ["EAPI:Invalid signature"]
    api.key = "c3RyYW5nZXI="
    assert api.query_private("Balance", timeout=TIMEOUT_S)["error"] == ["EAPI:Invalid key"]


def test_key_files_are_for_their_owner_alone(server: LoopbackReady) -> None:
    for path in server.keys.values():
        assert Path(path).stat().st_mode & 0o777 == 0o600
        kept = msgspec.json.decode(Path(path).read_bytes(), type=KeyFile)
        assert kept.venue == "kraken" and kept.key != kept.ask_key


class Talk:
    """A WebSocket conversation by an independent client."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=TIMEOUT_S, http_no_proxy=["*"])
        self.kept: list[dict[str, Any]] = []

    def say(self, method: str, **params: Any) -> None:
        self._socket.send(json.dumps({"method": method, "params": params, "req_id": 7}))

    def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read until a message fits; what came before is kept. The socket's timeout bounds it."""
        for _ in range(2_000):
            message: dict[str, Any] = json.loads(self._socket.recv())
            self.kept.append(message)
            if fits(message):
                return message
        raise AssertionError("it did not come")

    def answer(self, method: str) -> dict[str, Any]:
        return self.until(lambda m: m.get("method") == method)

    def channel(self, name: str, kind: str) -> dict[str, Any]:
        return self.until(lambda m: m.get("channel") == name and m.get("type") == kind)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def talk(server: LoopbackReady) -> Iterator[Callable[[str], Talk]]:
    opened: list[Talk] = []

    def make(url: str) -> Talk:
        opened.append(Talk(url))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def test_the_public_socket_greets_acknowledges_each_symbol_and_streams(
    server: LoopbackReady, talk: Callable[[str], Talk]
) -> None:
    public = talk(server.ws_url)
    assert public.channel("status", "update")["data"][0]["system"] == "online"
    public.say("ping")
    assert public.answer("pong")["req_id"] == 7
    public.say("subscribe", channel="book", symbol=["BTC/USD", "XBT/USD"], depth=10)
    assert public.answer("subscribe")["result"]["symbol"] == "BTC/USD"
    refused = public.answer("subscribe")
    assert refused["success"] is False and refused["error"] == "Currency pair not supported XBT/USD"
    assert {"bids", "asks", "checksum"} <= set(public.channel("book", "update")["data"][0])
    for channel, more in (("ticker", {}), ("ohlc", {"interval": 1}), ("trade", {}), ("instrument", {})):
        public.say("subscribe", channel=channel, symbol=["BTC/USD"], **more)
        assert public.channel(channel, "snapshot")["data"] is not None
    assert public.channel("trade", "update")["data"][0]["side"] in ("buy", "sell")
    public.say("subscribe", channel="executions", token="none")
    assert public.answer("subscribe")["success"] is False


def test_the_authenticated_socket_trades_and_counts_what_it_tells(
    server: LoopbackReady, talk: Callable[[str], Talk]
) -> None:
    token = ok(client(server, account=1).query_private("GetWebSocketsToken", timeout=TIMEOUT_S))["token"]
    own = talk(server.ws_auth_url)
    own.say("subscribe", channel="executions", token="stolen")
    assert own.answer("subscribe")["error"] == "ESession:Invalid session"
    own.say("subscribe", channel="executions", token=token)
    assert own.channel("executions", "snapshot")["sequence"] == 1
    own.say("subscribe", channel="balances", token=token)
    assert {row["asset"] for row in own.channel("balances", "snapshot")["data"]} == {"USD", "BTC", "ETH"}
    order = {"order_type": "limit", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.01, "token": token}
    own.say("add_order", **order, limit_price=90000.5, cl_ord_id="ws-1", post_only=True)
    placed = own.answer("add_order")
    assert placed["success"] and placed["result"]["cl_ord_id"] == "ws-1"
    kinds = [m["data"][0]["exec_type"] for m in own.kept if m.get("channel") == "executions" and m["data"]]
    assert kinds[-2:] == ["pending_new", "new"], "told before the answer"
    sparse = [m["data"][0] for m in own.kept if m.get("channel") == "executions" and m["data"]][-1]
    assert "symbol" not in sparse and sparse["order_status"] == "new"
    own.say("cancel_order", order_id=[placed["result"]["order_id"]], token=token)
    assert own.answer("cancel_order")["success"]
    own.say("add_order", **order | {"order_type": "market"})
    assert own.answer("add_order")["success"]
    told = [m for m in own.kept if m.get("channel") == "executions"]
    assert [m["sequence"] for m in told] == list(range(1, len(told) + 1))
    trade = next(m["data"][0] for m in told if m["data"] and m["data"][0]["exec_type"] == "trade")
    assert trade["liquidity_ind"] == "t" and trade["fees"][0]["asset"] == "USD" and trade["exec_id"]
    own.say("add_order", **order | {"order_qty": 1000, "order_type": "market"})
    assert own.answer("add_order")["error"] == "EOrder:Insufficient funds"
    own.say("cancel_all_orders_after", timeout=60, token=token)
    assert own.answer("cancel_all_orders_after")["result"]["triggerTime"] > "2026"


def test_a_quiet_subscription_hears_a_heartbeat_every_second(
    server: LoopbackReady, talk: Callable[[str], Talk]
) -> None:
    token = ok(client(server).query_private("GetWebSocketsToken", timeout=TIMEOUT_S))["token"]
    own = talk(server.ws_auth_url)
    own.say("subscribe", channel="executions", token=token, snap_orders=False)
    own.until(lambda m: m.get("channel") == "heartbeat")
    own.until(lambda m: m.get("channel") == "heartbeat")
