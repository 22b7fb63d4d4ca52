"""The matching engine's own counter: what we show of it is what the venue counts, never less."""

from __future__ import annotations

import pytest

from seams.virtual import VirtualLoop, run_virtual
from tests.venues.test_kraken_adapter import Rig
from venues.contract import Refused
from venues.kraken.points import MOST
from venues.kraken.standing import engine_budget
from venues.sandbox.kraken.limits import TIERS
from venues.sandbox.programs import Fault, Strike

PAIR = "XXBTZUSD"


def theirs(rig: Rig) -> float:
    budgets = rig.desk.exchange.trading.budgets
    found = budgets._engine.get(("trader", PAIR))
    return 0.0 if found is None else found.now(rig.clock.now_ns(), budgets.tier.engine_decay_per_s)


@pytest.mark.parametrize("age_s", [0.0, 4.0, 7.0, 12.0, 40.0, 80.0, 200.0, 400.0])
def test_orders_and_cancels_of_every_age_are_counted_as_the_venue_does(age_s: float) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        rig.desk.exchange.trading.budgets.tier = TIERS["intermediate"]
        names = [(await rig.place(client_order_id=f"O-1-{nth:04d}")).client_order_id for nth in range(1, 4)]
        for name in names:
            await rig.clock.sleep(age_s)
            await rig.adapter.cancel(name)
            assert rig.adapter.points.level("BTC-USD") == pytest.approx(theirs(rig), abs=0.2)
        shown = engine_budget(rig.adapter.points)
        assert shown.used == pytest.approx(theirs(rig), abs=0.2) and shown.cap == MOST
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_a_refused_order_costs_its_point_and_pairs_have_counters_of_their_own() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        text = '{"error":["EOrder:Insufficient funds"]}'
        fault = Fault(nth=1, on="AddOrder", strike=Strike.APPLY_THEN_SAY, text=text)
        rig.desk.exchange.program.add(fault)
        with pytest.raises(Refused):
            await rig.place(client_order_id="O-1-0001")
        points = rig.adapter.points
        assert points.level("BTC-USD") == pytest.approx(1.0, abs=0.1) and points.level("ETH-USD") == 0.0
        points.cancelled("O-9-0009")
        assert points.fullest == pytest.approx(1.0, abs=0.1), "nobody knows how old that one is"
        await rig.clock.sleep(1.0)
        assert points.fullest == 0.0
        await rig.adapter.close()

    run_virtual(play(), loop)
