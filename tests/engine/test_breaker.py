"""The drawdown breaker: every position is closed reduce-only, then all is halted, aloud."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.breaker import RULE, DrawdownBreaker
from engine.limits import DESK_DRAWDOWN, DRAWDOWN, LIMITS
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from tests.engine.custody_house import LOTS
from tests.engine.reconciliation_office import Office, run
from tests.store.looking import orders_of_all
from tests.venues.test_exchange import SPEC


async def fall(office: Office, subject: str, level: HoldLevel) -> DrawdownBreaker:
    """Hold a position, breach a drawdown, and let the breaker look until it has nothing more to do."""
    house = office.house
    await house.send()
    house.desk.quote(100.0)
    house.clock.advance(3.0)
    await house.clean()
    assert house.custody.ledger.holding(SPEC.symbol).quantity == LOTS
    core = house.custody.core
    core.interlock.raise_hold(
        LIMITS, subject=subject, since_ns=1, source="eng", evidence="drawdown 0.11 of 0.1", level=level
    )
    breaker = DrawdownBreaker(core, office.desk)
    breaker.look()
    for _ in range(200):
        if breaker.closing is None or breaker.closing.done():
            break
        house.desk.quote(100.0)
        await asyncio.sleep(0)
    return breaker


async def _held(office: Office) -> bool:
    return any(position.quantity for position in (await office.house.desk.link.account()).positions)


def test_a_fall_to_the_halt_bound_closes_everything_and_halts(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        for_desk = await fall(office, DESK_DRAWDOWN, HoldLevel.HALT)
        assert for_desk.closing is not None and for_desk.closing.done()
        core = office.house.custody.core
        assert not await _held(office), "closed at the venue"
        closing = [o for o in orders_of_all(core.store.link) if o.strategy == "operator:flatten"]
        assert closing and all(order.reduce_only for order in closing)
        assert core.kill.level is KillLevel.HALT_ALL and core.kill.record.by == RULE
        assert "verified flat" in core.kill.record.reason
        assert any(row.code == "kill_latched" and row.priority == 1 for row in core.alarms.rows())
        sends = office.house.custody.orders.sends
        for_desk.look()
        assert for_desk.closing.done() and office.house.custody.orders.sends == sends, "once for a breach"

    run(tmp_path, work)


def test_a_venue_that_does_not_answer_is_halted_and_said_to_be_not_flat(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        from engine import flatten
        from seams.wire import Unsent

        deadline_s, flatten.DEADLINE_S = flatten.DEADLINE_S, 0.0
        house = office.house
        await house.send()
        house.desk.quote(100.0)
        house.clock.advance(3.0)
        await house.clean()
        core = house.custody.core
        core.interlock.raise_hold(
            LIMITS, subject=DRAWDOWN, since_ns=1, source="eng", evidence="deep", level=HoldLevel.HALT
        )
        house.desk.wire.fault = Unsent("no route")
        breaker = DrawdownBreaker(core, office.desk)
        breaker.look()
        assert breaker.closing is not None
        await breaker.closing
        flatten.DEADLINE_S = deadline_s
        assert core.kill.level is KillLevel.HALT_ALL and "NOT FLAT" in core.kill.record.reason

    run(tmp_path, work)


def test_a_milder_breach_only_holds_new_risk(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        breaker = await fall(office, DRAWDOWN, HoldLevel.CLOSE_ONLY)
        assert breaker.closing is None and await _held(office)
        assert office.house.custody.core.kill.level is KillLevel.CLEAR

    run(tmp_path, work)
