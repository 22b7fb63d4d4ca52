"""A new engine cancels what the last one left working though its venue answers no question (I14)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from engine.trading.custody import Verdict
from engine.trading.manual import adopt_order
from engine.venue import mark_orders
from safety.killbyte import KillLevel
from tests.engine.house import begin_session
from tests.engine.test_custody_hyperliquid import House, in_house
from venues.sandbox.programs import ANY, Strike


async def adopt(house: House) -> str:
    """Somebody placed an order by hand that works on, and an operator took it over; return its name."""
    begin_session(house.custody, "BTC-PERP")
    house.rig.desk.order("59000", "0.01")
    await house.rig.clock.sleep(0.1)
    assert await house.settle() is Verdict.AMBIGUOUS
    (foreign,) = house.custody.foreign.values()
    adopt_order(house.custody.core, house.custody.orders, foreign, "S-1", Decimal(60_005))
    house.custody.foreign.clear()
    return foreign.order_id


async def begin_anew(house: House) -> None:
    """The engine ends, and another begins on the same record."""
    house.custody.core.store.abandon()
    await house.rig.adapter.close()
    house.rig.adapter = house.rig.make(house.rig.adapter.key)
    house.custody = house.build()
    mark_orders(house.rig.adapter, house.custody.core)
    house.custody.load()  # as an engine does: after its adapter knows its home


def test_an_adopted_order_is_cancelled_by_a_new_engine_that_gets_no_answer(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        await begin_anew(house)
        await house.rig.adapter.cancel_all()  # lists the markets, and keeps their numbers
        name = await adopt(house)
        await begin_anew(house)
        assert name in house.custody.orders.orders and house.rig.desk.user.live
        for nth in range(1, 9):
            house.rig.strike(Strike.STATUS, on=ANY, nth=nth, value=429)
        house.custody.core.kill.trip(KillLevel.HALT_ALL, by="ada", reason="stop", source="cli")
        await house.custody.stop_working()
        assert not house.rig.desk.user.live, "it was carried out, though its answer was lost too"

    in_house(tmp_path, scene)
