"""Slippage, performance and carried exposure are limits: they latch, outlive a restart, and clear by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import update

from engine.conduct import FILLS, PERFORMANCE, SLIPPAGE, Traded, profit_factor
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.limits import EXPOSURE, NEAR, clear_limits, latch_conduct, watch_limits
from engine.store.tables import SESSIONS
from engine.trading.ledger import Ledger
from safety.interlock import HoldLevel
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import NS_PER_S, FixedClock
from seams.disk import RealDisk
from seams.rng import Rng
from tests.engine.test_limits import _lose
from tests.engine.test_risk_memory import running
from tests.store.looking import trades_of
from venues.types import Fill, Side

D = Decimal


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1_700_000_000 * NS_PER_S)


def core_of(home: Path, clock: FixedClock) -> Core:
    return build_core(Seams(clock, None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())


def fill(
    clock: FixedClock, bps: float = 0.0, pnl: str = "0", side: Side = Side.BUY, who: str = "s"
) -> Traded:
    price = D(100) * (1 + side.sign * D(str(bps)) / 10_000)
    return Traded(clock.now_ns(), who, "close", side.sign, price, D(100), D(pnl))


@pytest.mark.parametrize("side", list(Side))
def test_the_median_of_twenty_fills_latches_and_one_bad_fill_does_not(
    tmp_path: Path, clock: FixedClock, side: Side
) -> None:
    core = core_of(tmp_path, clock)
    for number in range(FILLS):
        latch_conduct(core, "S", fill(clock, 9_000 if number == 3 else 10, side=side))
    assert core.interlock.level is HoldLevel.CLEAR
    for _ in range(FILLS // 2):
        latch_conduct(core, "S", fill(clock, -60, side=side))
    assert core.interlock.level is HoldLevel.CLEAR, "better than the mark is no slippage"
    for _ in range(FILLS // 2 + 1):
        latch_conduct(core, "S", fill(clock, 60, side=side))
    assert core.interlock.has("limits", SLIPPAGE) and core.interlock.level is HoldLevel.CLOSE_ONLY
    assert any(row.code == SLIPPAGE for row in core.alarms.rows())
    core.store.close()
    core = core_of(tmp_path, clock)
    assert core.interlock.has("limits", SLIPPAGE), "a restart does not help"
    with pytest.raises(Refusal, match="operator_required"):
        clear_limits(core, "", "because")
    clock.advance(1.0)
    clear_limits(core, "ana", "the feed was stale")
    clock.advance(1.0)
    latch_conduct(core, "S", fill(clock, 60))
    assert core.interlock.level is HoldLevel.CLEAR, "fills count anew"
    core.store.close()


def test_a_strategy_that_only_loses_is_held_and_another_is_not_counted_with_it(
    tmp_path: Path, clock: FixedClock
) -> None:
    core = core_of(tmp_path, clock)
    count = core.settings.risk.performance_trades
    for number in range(count - 1):
        latch_conduct(core, "S", fill(clock, pnl="-1" if number % 2 else "0.1", who="bad"))
        latch_conduct(core, "S", fill(clock, pnl="-1" if number % 2 else "2", who="good"))
    assert core.interlock.level is HoldLevel.CLEAR, "too few trades say nothing"
    latch_conduct(core, "S", fill(clock, pnl="2", who="good"))
    assert core.interlock.level is HoldLevel.CLEAR
    latch_conduct(core, "S", fill(clock, pnl="-1", who="bad"))
    hold = next(hold for hold in core.interlock.holds if hold.subject == PERFORMANCE)
    assert hold.code == "limits" and "bad: profit factor 0.10" in hold.evidence
    core.store.close()


def test_many_small_gains_and_no_loss_are_no_breach_and_too_few_gains_are() -> None:
    assert profit_factor([D(1), D(2)]) == float("inf") and profit_factor([D(-2), D(1)]) == 0.5


@pytest.mark.parametrize(("usd", "is_held"), [("40000", False), ("49999", False), ("50001", True)])
def test_what_is_carried_far_beyond_its_cap_is_held(
    tmp_path: Path, clock: FixedClock, usd: str, is_held: bool
) -> None:
    core, ledger = core_of(tmp_path, clock), Ledger(D(1_000_000))
    ledger.book(
        Fill(
            client_order_id="O", fill_id="F", symbol="BTC-USD", side=Side.SELL, quantity=D(1), price=D(usd),
            fee=D(0), is_maker=False, at_ns=clock.now_ns(),
        )
    )  # fmt: skip
    ledger.mark("BTC-USD", D(usd), clock.now_ns())
    core.risk_memory.keep(ledger)
    watch_limits(core, [])
    assert core.interlock.has("limits", EXPOSURE) is is_held
    assert any(row.code == EXPOSURE for row in core.alarms.rows()) is is_held
    if is_held:
        clear_limits(core, "ana", "reducing it")
        watch_limits(core, [])
        assert core.interlock.has("limits", EXPOSURE), "it returns while it stands"
    core.store.close()


def test_a_loss_rings_before_its_limit_and_calms_when_it_is_gone(tmp_path: Path, clock: FixedClock) -> None:
    core = core_of(tmp_path, clock)

    def near() -> set[str]:
        return {subject for code, subject in core.standing if code == NEAR}

    watch_limits(core, [running("-2399")])
    assert not near()
    watch_limits(core, [running("-2400")])
    assert near() == {"desk desk_daily_loss_limit"} and core.interlock.level is HoldLevel.CLEAR
    watch_limits(core, [running("-100")])
    assert not near()
    watch_limits(core, [running("-3000")])
    assert not near() and core.interlock.level is HoldLevel.CLOSE_ONLY
    core.store.close()


def test_a_loss_that_trembles_at_its_warning_or_its_limit_rings_once(
    tmp_path: Path, clock: FixedClock
) -> None:
    core = core_of(tmp_path, clock)

    def rung() -> int:
        return sum(row.kind == "alarm" and "loss_near" in row.text for row in core.events.page())

    for usd in ("-2400", "-2399", "-2410", "-2330", "-2401"):
        watch_limits(core, [running(usd)])
    assert rung() == 1, "it stays until the loss is well below where it began"
    watch_limits(core, [running("-2200")])
    watch_limits(core, [running("-2500")])
    assert rung() == 2
    for usd in ("-3001", "-2999", "-3001", "-2990"):
        watch_limits(core, [running(usd)])
    assert rung() == 2 and core.interlock.has("limits", "desk_daily_loss_limit"), (
        "what is held is near no more"
    )
    core.store.close()


def test_a_fill_without_a_mark_says_nothing_about_slippage() -> None:
    assert Traded(1, "s", "open", 1, D(1), None, D(0)).slippage_bps is None


async def test_what_was_traded_is_read_again_at_a_start_and_replays_never(tmp_path: Path) -> None:
    engine = await _lose(tmp_path, "daily_loss_close_only_usd: 90000, daily_loss_halt_usd: 90000")
    store, ended = engine.core.store, engine.desk.ended[-1]
    try:
        trades = trades_of(store.orders._link, ended.session_id)
        assert len(trades) > 4 and store.risk.traded_since(0, 1_000) == []
        store.orders._link.run(update(SESSIONS).values(feed="sandbox"))
        found = store.risk.traded_since(0, 1_000)
        assert sorted(each.price for each in found) == sorted(row.price for row in trades)
        assert sum(each.pnl_usd for each in found) == sum(row.pnl_usd - row.fee_usd for row in trades)
        assert all(each.mark is not None and each.slippage_bps is not None for each in found)
        assert [each.at_ns for each in found] == sorted(each.at_ns for each in found)
        newest = store.risk.traded_since(0, 3)
        assert newest == found[-3:] and store.risk.traded_since(found[-1].at_ns, 3) == []
    finally:
        await engine.close()
