"""Cancels of an earlier process's orders leave though Hyperliquid answers no question."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import pytest

from safety.canonical import changed
from seams.virtual import VirtualLoop, run_virtual
from tests.venues.test_hyperliquid_adapter import Rig
from tests.venues.test_hyperliquid_unlisted import request
from venues.contract import Recaller, Refused, VenueError
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.places import MAX_ORDERS, Places
from venues.hyperliquid.translate import Market
from venues.sandbox.programs import Strike

QUESTIONS = ("orderStatus", "allMids", "meta")


def markets(**numbers: int) -> dict[str, Market]:
    return {
        coin: Market(coin=coin, asset=asset, sz_decimals=5, max_leverage=40, is_delisted=False)
        for coin, asset in numbers.items()
    }


class Heir:
    """A new process's adapter on the account; it has listed nothing, and the venue answers no question."""

    def __init__(self, rig: Rig, numbers: Mapping[str, int]) -> None:
        self.rig, self.kept = rig, list[Mapping[str, int]]()
        self.adapter: HyperliquidAdapter = rig.make(rig.adapter.key)
        self.adapter.places.remember(numbers, self.kept.append)
        for kind in QUESTIONS:
            rig.strike(Strike.STATUS_WITHOUT_APPLY, on=kind, value=429)
        rig.bodies.clear()

    async def cancels(self, name: str) -> list[str]:
        """Know the order from the record, cancel it, and return the kinds of what has left."""
        assert isinstance(self.adapter, Recaller)
        self.adapter.recall(changed(request("BTC-PERP"), client_order_id=name))
        await self.adapter.cancel(name)
        await self.rig.clock.sleep(0.01)
        assert not self.rig.desk.user.live
        return [json.loads(body)["action"]["type"] for body in self.rig.bodies]


def on_rig(scene: Callable[[Rig], Awaitable[None]]) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        await scene(rig)
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_an_order_of_ours_is_cancelled_by_its_client_id_without_a_question() -> None:
    async def scene(rig: Rig) -> None:
        name = await rig.place()
        assert await Heir(rig, {"BTC": 0}).cancels(name) == ["cancelByCloid"]

    on_rig(scene)


def test_an_adopted_order_is_cancelled_by_the_venues_number_without_a_question() -> None:
    async def scene(rig: Rig) -> None:
        rig.desk.order("59000", "0.01")
        (oid,) = rig.desk.user.live
        assert await Heir(rig, {"BTC": 0}).cancels(f"hl:{oid}") == ["cancel"]

    on_rig(scene)


def test_without_a_markets_number_the_venue_is_asked() -> None:
    async def scene(rig: Rig) -> None:
        name, heir = await rig.place(), Heir(rig, {"ETH": 1})
        with pytest.raises(VenueError):
            await heir.cancels(name)
        assert not rig.bodies and rig.desk.user.live

    on_rig(scene)


def test_a_false_number_proves_nothing_and_holds_only_until_the_venue_lists_its_own() -> None:
    async def scene(rig: Rig) -> None:
        name, heir = await rig.place(), Heir(rig, {"BTC": 1})
        with pytest.raises(Refused):
            await heir.cancels(name)
        assert rig.desk.user.live
        heir.adapter.places.listed(markets(BTC=0, ETH=1))
        assert heir.kept == [{"BTC": 0, "ETH": 1}]
        await heir.cancels(name)

    on_rig(scene)


def test_what_the_venue_lists_is_kept_once_and_orders_are_forgotten_in_their_turn() -> None:
    kept: list[Mapping[str, int]] = []
    places = Places()
    places.remember({"BTC": 3}, kept.append)
    places.listed({})
    places.listed(markets(BTC=3))
    assert kept == []
    places.listed(markets(BTC=0, ETH=1))
    places.listed(markets(BTC=0, ETH=1))
    assert kept == [{"BTC": 0, "ETH": 1}]
    for count in range(MAX_ORDERS + 1):
        places.note(changed(request("ETH-PERP"), client_order_id=f"O-{count}"))
    assert (places.number_of("O-0"), places.number_of("O-1"), places.number_of("nobody")) == (None, 1, None)
