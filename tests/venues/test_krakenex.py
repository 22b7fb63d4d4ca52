"""The unmodified public client holds a whole trading conversation with the real server process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import krakenex
import msgspec
import pytest

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
