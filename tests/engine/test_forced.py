"""What the venue closes by itself: a liquidation pulls the switch, once; deleveraging and settlement ring."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine.trading.custody import Verdict
from safety.killbyte import KillLevel
from tests.engine.test_custody_hyperliquid import House, in_house


def liquidate(house: House) -> None:
    house.rig.desk.user.cash = Decimal(1)
    house.rig.desk.quote("BTC", 50_000, 50_010)
    house.rig.exchange.advance()


def deleverage(house: House) -> None:
    house.rig.exchange.upkeep.deleverage(house.rig.desk.user, "BTC")


def delist(house: House) -> None:
    house.rig.exchange.upkeep.delist("BTC")


def test_a_liquidation_pulls_the_switch_once(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        await house.adopt_a_position()
        custody = house.custody
        assert custody.core.kill.level is KillLevel.CLEAR
        liquidate(house)
        assert not house.rig.desk.user.positions
        await house.settle()
        assert custody.core.kill.level is KillLevel.HALT_ALL
        record = custody.core.kill.record
        assert record.source == "liquidation" and "BTC-PERP" in record.reason
        assert ("liquidated", custody.key) in custody.core.standing
        assert custody.verdict is Verdict.AMBIGUOUS, "what it did is for an operator to decide"
        custody.core.kill.reset(
            operator="ada", reason="understood", clean_reconciliation=True, unknown_orders=0
        )
        await house.settle()
        assert custody.core.kill.level is KillLevel.CLEAR, "the same execution, listed again"
        custody.core.store.abandon()
        again = house.custody = house.build()
        await house.settle()
        assert again.foreign and again.core.kill.level is KillLevel.CLEAR, "and after a restart"
        assert again.core.kill.record.trips == 1

    in_house(tmp_path, scene)


@pytest.mark.parametrize(("act", "word"), [(deleverage, "deleveraging"), (delist, "settlement")])
def test_a_position_that_the_venue_closed_rings_and_holds(
    act: Callable[[House], None], word: str, tmp_path: Path
) -> None:
    async def scene(house: House) -> None:
        await house.adopt_a_position()
        act(house)
        await house.settle()
        core = house.custody.core
        assert ("position_closed_by_venue", "BTC-PERP") in core.standing
        said = [row.text for row in core.events.page() if row.text.startswith("position_closed_by_venue")]
        assert len(said) == 1 and word in said[0]
        assert core.kill.level is KillLevel.CLEAR and house.custody.verdict is Verdict.AMBIGUOUS

    in_house(tmp_path, scene)


def test_a_hand_trade_is_foreign_and_no_force(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        house.rig.desk.order("60010", "0.1")
        await house.settle()
        names = {code for code, _ in house.custody.core.standing}
        assert "reconciliation_difference" in names
        assert not names & {"liquidated", "position_closed_by_venue"}

    in_house(tmp_path, scene)
