"""What custody books where no session runs counts against the desk's limits in the same step."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from engine.limits import DESK_LOSS
from engine.limits_view import limits_view
from engine.trading.accounts import account_in
from engine.trading.adjustments import Adjustment
from engine.views import limit_bars
from safety.interlock import HoldLevel
from safety.rules import RULES
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


async def test_what_no_session_watches_is_measured_against_the_limits(tmp_path: Path) -> None:
    """A hand order's account showed no day loss, no exposure and no rule in use."""
    house = Booked(tmp_path)
    core = house.engine.core
    await house.clean()
    idle = {row.code: row for row in limits_view(core, (), 1, house.custody).rows}
    assert len(idle) == len(RULES)
    assert idle["max_exposure_exceeded"].subject == house.custody.account, "said before anything is held"
    assert idle["max_symbol_exposure_exceeded"].subject == "no session"
    house.book(100, 100)
    house.clock.advance(1.0)
    house.book(-50, 80)
    house.custody.marks[SPEC.symbol] = Decimal(80)
    rows = {row.code: row for row in limits_view(core, (), 1, house.custody).rows}
    gross = rows["max_exposure_exceeded"]
    assert gross.used is not None and gross.used > 0 and Decimal(gross.now) > 4_000
    assert rows["max_symbol_exposure_exceeded"].subject == SPEC.symbol
    assert rows["daily_loss_limit"].used is not None
    assert rows["market_data_stale"].subject == "no session", "nobody hears its market"
    bars = {bar.code: bar for bar in limit_bars(core, [account_in(house.custody)])}
    assert bars["daily_loss_limit"].value is not None and bars["daily_loss_limit"].value >= 1_000
    assert bars["max_positions"].value == 1
    assert all(bar.state == "missing" and bar.value is None for bar in limit_bars(core, ()))
