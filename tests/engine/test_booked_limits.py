"""What custody books where no session runs counts against the desk's limits in the same step."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from engine.limits import DESK_LOSS
from engine.trading.adjustments import Adjustment
from safety.interlock import HoldLevel
from tests.engine.test_custody import SPEC
from tests.engine.test_kill_and_resume import Pulled


class Booked(Pulled):
    """An engine that has started, with an account in custody and no session."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.engine.recover()

    def book(self, quantity: int, price: int) -> None:
        """Book a position (signed) at a price in USD by a named operator."""
        self.custody.adjust(
            Adjustment(
                symbol=SPEC.symbol,
                quantity=Decimal(quantity),
                price=Decimal(price),
                cash_usd=Decimal(0),
                operator="ada",
                reason="seen at the venue",
                at_ns=self.clock.now_ns(),
            )
        )

    def gained_usd(self) -> Decimal:
        return self.custody.ledger.equity_usd - self.custody.ledger.cash_usd


async def test_a_fill_without_a_session_is_in_the_desks_result_at_once(tmp_path: Path) -> None:
    house = Booked(tmp_path)
    memory = house.engine.core.risk_memory
    await house.clean()
    await house.send()
    house.clock.advance(1.0)
    house.desk.quote(100.0)
    await asyncio.sleep(0)
    assert house.custody.ledger.open_holdings() and not house.engine.desk.running
    assert memory.total_usd == house.gained_usd() < 0, "its fee is paid"


async def test_a_booking_that_breaches_the_days_loss_latches_in_its_own_step(tmp_path: Path) -> None:
    house = Booked(tmp_path)
    core = house.engine.core
    await house.clean()
    house.book(100, 100)
    assert not core.interlock.has("limits", DESK_LOSS)
    house.clock.advance(1.0)
    house.book(-100, 69)
    assert core.risk_memory.total_usd == house.gained_usd() == -3100
    assert core.interlock.has("limits", DESK_LOSS) and core.interlock.level is not HoldLevel.CLEAR
    assert any(row.subject == DESK_LOSS for row in core.store.risk.latched()), "and it outlives us"
