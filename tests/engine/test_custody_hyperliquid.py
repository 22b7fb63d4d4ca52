"""Custody of an account on the loopback Hyperliquid: funding is expected, other money is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from engine.trading.adjustments import Adjustment
from engine.trading.custody import Custody, Verdict
from seams.disk import MemoryDisk
from seams.virtual import VirtualLoop, run_virtual
from tests.engine.house import build_custody
from tests.venues.test_hyperliquid_adapter import Rig

HOUR_S = 3_600


class House:
    """An engine's core over one folder, on a loopback Hyperliquid that somebody trades by hand."""

    def __init__(self, folder: Path, rig: Rig) -> None:
        (folder / "db").mkdir(mode=0o700)
        self.rig, self.folder, self.disk = rig, folder, MemoryDisk()
        self.custody = self.build()

    def build(self) -> Custody:
        return build_custody(self.rig.clock, self.folder, self.disk, self.rig.adapter)

    async def settle(self) -> Verdict:
        for _ in range(5):
            if await self.custody.reconcile() in (Verdict.CLEAN, Verdict.AMBIGUOUS):
                break
            await self.rig.clock.sleep(3)
        return self.custody.verdict

    async def adopt_a_position(self) -> None:
        """Somebody bought by hand, and an operator took it over."""
        self.rig.desk.order("60010", "0.1")
        await self.rig.clock.sleep(0.1)
        assert await self.settle() is Verdict.AMBIGUOUS
        self.custody.adjust(
            Adjustment(
                symbol="BTC-PERP",
                quantity=Decimal("0.1"),
                price=Decimal(60_010),
                cash_usd=-Decimal(self.rig.desk.user.fills[0]["fee"]),
                operator="ada",
                reason="bought by hand",
                at_ns=self.rig.clock.now_ns(),
                settles=tuple(self.custody.foreign),
            )
        )
        assert await self.settle() is Verdict.CLEAN, self.custody.differences


def in_house(folder: Path, scene: Callable[[House], Awaitable[None]]) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        house = House(folder, rig)
        assert await house.settle() is Verdict.CLEAN
        await scene(house)
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_funding_is_expected_cash_and_is_booked_once(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        await house.adopt_a_position()
        for hours in (1, 2):
            await house.rig.clock.sleep(HOUR_S)
            house.rig.exchange.advance()
            assert await house.settle() is Verdict.CLEAN, house.custody.differences
            assert len(house.rig.desk.user.fundings) == hours
            paid = sum(Decimal(each["delta"]["usdc"]) for each in house.rig.desk.user.fundings)
            assert house.custody.cash.total_usd == paid < 0
        house.custody.core.store.abandon()
        again = house.custody = house.build()
        assert again.cash.total_usd == paid, "on record, not in memory"
        assert await house.settle() is Verdict.CLEAN

    in_house(tmp_path, scene)


def test_money_that_nothing_explains_stays_a_difference(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        await house.adopt_a_position()
        house.rig.desk.user.cash -= Decimal(7)
        assert await house.settle() is Verdict.AMBIGUOUS
        assert [each.kind for each in house.custody.differences] == ["cash"]
        assert house.custody.cash.total_usd == 0

    in_house(tmp_path, scene)
