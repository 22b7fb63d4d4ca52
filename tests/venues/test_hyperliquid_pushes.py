"""Pushes of Hyperliquid: an account's working orders as a list, and public trades that share a number."""

from __future__ import annotations

from typing import Any

import pytest

from seams.virtual import VirtualLoop, run_virtual
from tests.venues.hyperliquid_desk import AGENT, MASTER, OTHER, Desk
from tests.venues.test_hyperliquid_adapter import Rig
from venues.hyperliquid.actions import cancel

USER = MASTER.address.lower()


def test_working_orders_are_pushed_whole_at_once_and_whenever_one_changes() -> None:
    desk = Desk()
    desk.order("59000", "0.02")
    ear = desk.listen({"type": "openOrders", "user": MASTER.address, "dex": ""})
    bystander = desk.listen({"type": "openOrders", "user": OTHER.address, "dex": ""})

    def shown() -> list[tuple[str, str]]:
        data = ear.on("openOrders")[-1]
        assert (data["user"], data["dex"]) == (USER, "")
        assert data["orders"] == desk.ask("frontendOpenOrders", user=USER)
        return [(each["limitPx"], each["sz"]) for each in data["orders"]]

    assert shown() == [("59000.0", "0.02")]
    oid = desk.order("59500", "0.01")["resting"]["oid"]
    assert shown() == [("59000.0", "0.02"), ("59500.0", "0.01")]
    desk.act(cancel([(0, oid)]), AGENT)
    assert shown() == [("59000.0", "0.02")]
    desk.quote("BTC", 58_990, 59_010)
    desk.order("59000", "0.005", is_buy=False, signer=OTHER)
    assert shown() == [("59000.0", "0.015")], "a part of it was executed"
    assert all(not each["orders"] for each in bystander.on("openOrders")), "and is nobody else's"


@pytest.mark.parametrize(
    ("changes", "counted"),
    [({}, 1.0), ({"coin": "ETH"}, 1.0), ({"time": 1}, 3.0)],
    ids=["the same again", "its number in another market", "its number at another time"],
)
def test_a_public_trade_is_one_by_time_market_and_number(changes: dict[str, Any], counted: float) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        stream, told = rig.adapter._stream, list[tuple[str, float]]()
        stream.bars.traded = lambda symbol, size, at_ns=0: told.append((symbol, size))  # type: ignore[method-assign,assignment]
        first = {"coin": "BTC", "side": "B", "px": "1", "sz": "1.0", "time": 5, "tid": 7, "hash": "0x"}
        stream._trades([first])
        stream._trades([{**first, "sz": "2.0", **changes}])
        assert sum(size for symbol, size in told if symbol == "BTC-PERP") == counted
        assert len(told) == (1 if not changes else 2)
        await rig.adapter.close()

    run_virtual(play(), loop)
