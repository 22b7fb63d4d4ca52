"""The desk's loss and high-water survive restart, clock steps and the day's edge; breaches stay latched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.core import Core
from engine.daemon import Seams, build_core
from engine.limits import DESK_DRAWDOWN, DESK_LOSS, clear_limits, latch_repetition, watch_limits
from engine.risk_memory import RiskMemory
from engine.store import Store, database_path
from engine.trading.ledger import Holding
from engine.trading.session import PaperSession
from safety.canonical import changed
from safety.facts import Check, CheckResult, Preflight
from safety.intent import ExecutionIntent
from safety.interlock import HoldLevel
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import NS_PER_S, FixedClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.types import Mode

D = Decimal
DAY_S = 86_400


class WallStep(FixedClock):
    """A clock whose wall time can be set without any time going by."""

    offset_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.offset_ns


@dataclass
class FakeLedger:
    cash_usd: Decimal = Decimal(1000)
    equity_usd: Decimal = Decimal(1000)
    day_pnl_usd: Decimal = Decimal(0)
    drawdown: float = 0.0
    gross_usd: Decimal = Decimal(0)

    def open_holdings(self) -> list[Holding]:
        return []


@dataclass
class FakeSession:
    """What the memory reads of a session."""

    ledger: FakeLedger = field(default_factory=FakeLedger)
    plan: Any = field(default_factory=lambda: SimpleNamespace(uses_market_time=False, session_id="S-1"))


def running(pnl: str, *, is_replay: bool = False) -> PaperSession:
    session = FakeSession(FakeLedger(equity_usd=D(1000) + D(pnl)))
    session.plan.uses_market_time = is_replay
    return cast(PaperSession, session)


@pytest.fixture
def clock() -> WallStep:
    return WallStep()


@pytest.fixture
def store(tmp_path: Path, clock: WallStep) -> Iterator[Store]:
    opened = Store.open(database_path(tmp_path, Mode.PAPER), Mode.PAPER, clock)
    yield opened
    opened.close()


def test_a_loss_and_the_high_water_survive_a_restart(store: Store, clock: WallStep) -> None:
    memory = RiskMemory(store.risk, clock)
    memory.observe([running("40")])
    memory.observe([running("-25")])
    memory.save()
    again = RiskMemory(store.risk, clock)
    again.observe([running("-5")])
    assert (again.day_pnl_usd, again.peak_usd, again.total_usd) == (D(-30), D(40), D(-30))
    assert again.drawdown(D(960)) == D("0.07")


def test_a_session_that_ends_keeps_counting_and_a_replay_never_does(store: Store, clock: WallStep) -> None:
    memory = RiskMemory(store.risk, clock)
    first, other = running("-12"), running("-3")
    memory.observe([first, other])
    memory.settle(first, [other])
    memory.observe([other, running("-500", is_replay=True)])
    assert memory.day_pnl_usd == D(-15)


def test_a_step_of_the_clock_begins_no_new_day_and_time_does(store: Store, clock: WallStep) -> None:
    memory = RiskMemory(store.risk, clock)
    memory.observe([running("-12")])
    for step_s in (3 * DAY_S, -3 * DAY_S):
        clock.offset_ns = step_s * NS_PER_S
        memory.observe([running("-12")])
        assert memory.day_pnl_usd == D(-12)
    clock.offset_ns = 0
    clock.advance(DAY_S)
    memory.observe([running("-13")])
    assert memory.day_pnl_usd == D(-1), "what the new day's first look found belongs to it"


def test_a_restart_under_an_earlier_clock_stays_in_the_later_day(store: Store, clock: WallStep) -> None:
    memory = RiskMemory(store.risk, clock)
    memory.observe([running("-12")])
    memory.save()
    clock.offset_ns = -2 * DAY_S * NS_PER_S
    again = RiskMemory(store.risk, clock)
    assert (again.day, again.day_pnl_usd) == (memory.day, D(-12))


def _core(home: Path, clock: WallStep) -> Core:
    return build_core(Seams(clock, None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())


def test_a_breach_of_the_desk_latches_at_once_outlives_a_restart_and_clears_by_name(
    tmp_path: Path, clock: WallStep
) -> None:
    core = _core(tmp_path, clock)
    watch_limits(core, [running("-2999")])
    assert not core.interlock.has("limits", DESK_LOSS)
    watch_limits(core, [running("-3000")])
    assert core.interlock.has("limits", DESK_LOSS) and core.interlock.level is HoldLevel.CLOSE_ONLY
    watch_limits(core, [running("-5000")])
    assert core.interlock.level is HoldLevel.HALT
    core.risk_memory.save()
    core.store.close()
    core = _core(tmp_path, clock)
    assert core.interlock.level is HoldLevel.HALT
    assert any(row.code == DESK_LOSS for row in core.alarms.rows())
    with pytest.raises(Refusal, match="operator_required"):
        clear_limits(core, "", "because")
    clear_limits(core, "ana", "looked at it")
    assert core.interlock.level is HoldLevel.CLEAR and core.store.risk.latched() == []
    watch_limits(core, [])
    assert core.interlock.has("limits", DESK_LOSS), "the day's loss is not forgotten by clearing it"
    core.store.close()


def test_a_cleared_drawdown_begins_a_new_high_water_mark(tmp_path: Path, clock: WallStep) -> None:
    core = _core(tmp_path, clock)
    watch_limits(core, [running("20000")])
    clock.advance(DAY_S)
    watch_limits(core, [running("20000")])
    watch_limits(core, [running("13500")])
    assert core.interlock.has("limits", DESK_DRAWDOWN)
    clock.advance(DAY_S)
    watch_limits(core, [running("13500")])
    clear_limits(core, "ana", "a new strategy mix")
    watch_limits(core, [running("13500")])
    assert not core.interlock.has("limits", DESK_DRAWDOWN) and core.risk_memory.peak_usd == D(13500)
    core.store.close()


def test_a_figure_that_is_not_a_number_latches(tmp_path: Path, clock: WallStep) -> None:
    core = _core(tmp_path, clock)
    broken = running("0")
    broken.ledger.drawdown = float("nan")  # type: ignore[misc]
    watch_limits(core, [broken])
    assert core.interlock.level is HoldLevel.HALT
    core.store.close()


def test_repetition_latches_until_a_person_re_enables(tmp_path: Path, clock: WallStep) -> None:
    core = _core(tmp_path, clock)
    check = Check(
        name="repeated_execution", now="40", after="41", limit="40", result=CheckResult.FAIL,
        reason="repeated_execution",
    )  # fmt: skip
    calm = Preflight(allowed=False, reasons=("market_gap",), checks=(check,))
    wish = cast(ExecutionIntent, SimpleNamespace(side="buy", symbol="BTC", strategy_id="trend"))
    latch_repetition(core, "S-1", wish, calm)
    assert core.interlock.level is HoldLevel.CLEAR
    latch_repetition(core, "S-1", wish, changed(calm, reasons=("repeated_execution",)))
    assert core.interlock.has("order_storm", "BTC buy")
    core.store.close()
    core = _core(tmp_path, clock)
    assert core.interlock.level is HoldLevel.CLOSE_ONLY
    clear_limits(core, "ana", "the loop is repaired")
    assert core.interlock.level is HoldLevel.CLEAR
    core.store.close()
