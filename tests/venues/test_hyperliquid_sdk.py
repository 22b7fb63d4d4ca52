"""The unmodified official SDK holds a whole trading conversation with the real server process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ServerError
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid
from requests.exceptions import ChunkedEncodingError, ConnectionError, TooManyRedirects

from engine.api.launch import ROOT
from venues.keyfile import KeyFile
from venues.sandbox.process import LoopbackReady
from venues.sandbox.programs import Fault, Strike

TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackReady]:
    with running(tmp_path_factory.mktemp("hyperliquid")) as ready:
        yield ready


@contextmanager
def running(folder: Path, *more: str) -> Iterator[LoopbackReady]:
    """A server process; it must end by itself when it is told to."""
    words = [sys.executable, "-P", "-m", "venues.sandbox.hyperliquid.server"]
    words += ["--folder", str(folder), "--lag-ms", "0", "--ticks-per-second", "10", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        yield msgspec.json.decode(process.stdout.readline(), type=LoopbackReady)
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_scripted_faults_reach_the_sdk_as_the_venues_do(tmp_path: Path) -> None:
    faults = [
        Fault(nth=1, on="order", strike=Strike.HTML),
        Fault(nth=2, on="order", strike=Strike.APPLY_THEN_DROP),
        Fault(nth=3, on="order", strike=Strike.DROP_WITHOUT_APPLY),
        Fault(nth=4, on="order", strike=Strike.STATUS, value=502),
        Fault(nth=5, on="order", strike=Strike.REDIRECT, text="http://127.0.0.1:9/exchange"),
        Fault(nth=6, on="order", strike=Strike.NULL),
        Fault(nth=1, on="openOrders", strike=Strike.CUT),
    ]
    path = tmp_path / "faults.json"
    path.write_bytes(msgspec.json.encode(faults))
    with running(tmp_path, "--faults", str(path)) as server:
        exchange, user = agent_of(server), server.accounts[0]["address"]

        def place() -> Any:
            return exchange.order("BTC", True, 0.001, 50_000, {"limit": {"tif": "Gtc"}})

        assert place()["error"].startswith("Could not parse JSON")
        for kind in (ConnectionError, ConnectionError, ServerError, TooManyRedirects):
            with pytest.raises(kind):
                place()
        assert place() is None
        with pytest.raises(ChunkedEncodingError):
            exchange.info.open_orders(user)
        assert len(exchange.info.open_orders(user)) == 4, "the third and the redirected one never arrived"


def quiet(api: Any) -> Any:
    for session in [api.session] + ([api.info.session] if hasattr(api, "info") else []):
        session.trust_env, session.max_redirects = False, 0
    return api


def agent_of(server: LoopbackReady, number: int = 0) -> Exchange:
    known = server.accounts[number]
    wallet = Account.from_key(known["agent_key"])
    return quiet(Exchange(wallet, server.url, account_address=known["master_address"], timeout=TIMEOUT_S))  # type: ignore[no-any-return]


def statuses(answer: dict[str, Any]) -> list[Any]:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]  # type: ignore[no-any-return]


class Heard:
    """What the SDK's own WebSocket handed over."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self._more = threading.Condition()

    def __call__(self, message: dict[str, Any]) -> None:
        with self._more:
            self.said.append(message)
            self._more.notify_all()

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        with self._more:
            assert self._more.wait_for(lambda: any(map(wanted, self.said)), TIMEOUT_S), self.said
            return next(filter(wanted, self.said))


def test_a_whole_conversation(server: LoopbackReady) -> None:
    info, exchange = quiet(Info(server.url, True, timeout=TIMEOUT_S)), agent_of(server)
    user = server.accounts[0]["master_address"]
    mid = float(info.all_mids()["BTC"])
    low = float(round(mid * 0.9))
    tag = Cloid.from_int(0xA11CE)

    assert info.user_role(exchange.wallet.address)["data"]["user"] == user
    assert [each["name"] for each in info.extra_agents(user)] == ["engine", "asker", "watchdog"]
    (rested,) = statuses(exchange.order("BTC", True, 0.001, low, {"limit": {"tif": "Gtc"}}, cloid=tag))
    oid = rested["resting"]["oid"]
    assert info.query_order_by_cloid(user, tag)["order"]["order"]["oid"] == oid
    (changed,) = statuses(
        exchange.modify_order(oid, "BTC", True, 0.002, low, {"limit": {"tif": "Alo"}}, cloid=tag)
    )
    assert [each["oid"] for each in info.frontend_open_orders(user)] == [changed["resting"]["oid"]] != [oid]
    assert info.open_orders(user)[0]["origSz"] == "0.002"
    assert statuses(exchange.cancel_by_cloid("BTC", tag)) == ["success"]
    assert "error" in statuses(exchange.cancel("BTC", changed["resting"]["oid"]))[0]
    assert info.historical_orders(user)[0]["status"] == "canceled"

    assert exchange.update_leverage(10, "ETH", is_cross=False)["status"] == "ok"
    (bought,) = statuses(exchange.market_open("ETH", True, 0.5))
    assert bought["filled"]["totalSz"] == "0.5"
    assert exchange.update_isolated_margin(25.0, "ETH")["status"] == "ok"
    position = info.user_state(user)["assetPositions"][0]["position"]
    assert (position["szi"], position["leverage"]["type"], position["leverage"]["value"]) == (
        "0.5",
        "isolated",
        10,
    )
    (sold,) = statuses(exchange.market_close("ETH"))
    assert sold["filled"]["totalSz"] == "0.5" and exchange.market_close("ETH") is None
    fills = info.user_fills(user)
    assert [each["dir"] for each in fills[:2]] == ["Close Long", "Open Long"]
    assert len(info.user_fills_by_time(user, fills[1]["time"])) >= 2

    (spot,) = statuses(exchange.order("HYPE/USDC", True, 2, 60, {"limit": {"tif": "Ioc"}}))
    assert spot["filled"]["totalSz"] == "2.0"
    tokens = {each["coin"]: Decimal(each["total"]) for each in info.spot_user_state(user)["balances"]}
    assert tokens["HYPE"] == 200 + Decimal("1.9986")
    assert "volume" in exchange.schedule_cancel(get_timestamp_ms() + 10_000)["response"]
    assert exchange.noop(get_timestamp_ms())["status"] == "ok"
    assert info.user_rate_limit(user)["nRequestsUsed"] > 5
    assert info.candles_snapshot("BTC", "1h", 0, get_timestamp_ms())[-1]["s"] == "BTC"
    assert info.l2_snapshot("BTC")["coin"] == "BTC" and info.user_fees(user)["userCrossRate"] == "0.00045"
    assert info.meta_and_asset_ctxs()[0]["universe"][4]["isDelisted"] is True


def test_a_master_approves_an_agent_and_the_old_one_is_gone(server: LoopbackReady) -> None:
    known = server.accounts[1]
    master = quiet(Exchange(Account.from_key(known["private_key"]), server.url, timeout=TIMEOUT_S))
    for name in ("engine", None):
        said, key = master.approve_agent(name)
        assert said["status"] == "ok"
        fresh = quiet(
            Exchange(Account.from_key(key), server.url, account_address=known["address"], timeout=TIMEOUT_S)
        )
        assert fresh.noop(get_timestamp_ms())["status"] == "ok"
    said = agent_of(server, 1).noop(get_timestamp_ms())
    assert said["status"] == "err" and "does not exist" in said["response"]
    said, _ = agent_of(server, 0).approve_agent("thief")
    assert said["status"] == "err", "an agent may not make agents"


def test_sub_accounts_are_traded_through_their_master(server: LoopbackReady) -> None:
    exchange, known = agent_of(server), server.accounts[0]
    assert "enough volume" in exchange.create_sub_account("desk")["response"]
    for _ in range(3):
        statuses(exchange.market_open("BTC", True, 0.35))
        statuses(exchange.market_close("BTC"))
    made = exchange.create_sub_account("desk")
    assert made["status"] == "ok", made
    sub = made["response"]["data"]
    assert exchange.sub_account_transfer(sub, True, 500 * 10**6)["status"] == "ok"
    trader = quiet(
        Exchange(exchange.wallet, server.url, vault_address=sub, account_address=sub, timeout=TIMEOUT_S)
    )
    assert statuses(trader.market_open("SOL", False, 1.0))[0]["filled"]["totalSz"] == "1.0"
    info = quiet(Info(server.url, True, timeout=TIMEOUT_S))
    assert info.query_sub_accounts(known["address"])[0]["subAccountUser"] == sub
    assert info.user_state(sub)["assetPositions"][0]["position"]["szi"] == "-1.0"


def test_the_sdks_own_websocket_hears_orders_and_markets(server: LoopbackReady) -> None:
    user = server.accounts[0]["master_address"]
    info = quiet(Info(server.url, timeout=TIMEOUT_S))
    exchange, personal, public = agent_of(server), Heard(), Heard()
    try:
        for kind in ("orderUpdates", "userEvents", "userFills"):
            info.subscribe({"type": kind, "user": user}, personal)
        for kind in ("l2Book", "trades", "bbo"):
            info.subscribe({"type": kind, "coin": "BTC"}, public)
        info.subscribe({"type": "candle", "coin": "BTC", "interval": "1m"}, public)
        info.subscribe({"type": "allMids"}, public)
        personal.wait(lambda m: m["channel"] == "userFills" and m["data"]["isSnapshot"])
        statuses(exchange.market_open("XRP", True, 100, cloid=Cloid.from_int(0xF11)))
        update = personal.wait(
            lambda m: m["channel"] == "orderUpdates" and m["data"][0]["status"] == "filled"
        )
        assert update["data"][0]["order"]["cloid"] == Cloid.from_int(0xF11).to_raw()
        personal.wait(lambda m: m["channel"] == "user" and m["data"]["fills"][0]["coin"] == "XRP")
        for channel in ("l2Book", "trades", "bbo", "candle", "allMids"):
            public.wait(lambda m, channel=channel: m["channel"] == channel)  # type: ignore[misc]
    finally:
        info.disconnect_websocket()


def test_key_files_name_the_agents_and_are_private(server: LoopbackReady) -> None:
    path = Path(server.keys["engine-1"])
    assert path.stat().st_mode & 0o777 == 0o600
    key = msgspec.json.decode(path.read_bytes(), type=KeyFile)
    known = server.accounts[0]
    assert (key.venue, key.account, key.key) == ("hyperliquid", known["address"], known["agent_address"])
    assert Account.from_key(key.secret).address.lower() == key.key
