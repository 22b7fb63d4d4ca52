"""What the desk watches besides orders: the clock, and storms. Each raises its hold by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.api.views import PromotionRow
from engine.clock_watch import ClockWatch
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.lifecycle.parity.report import judge_blocker
from engine.limits import clear_limits
from engine.replay_gate import ReplayGate
from engine.storm import latch_storm, watch_cancels
from engine.trading.custody import Custody
from engine.trading.feed_watch import watch_feed
from engine.trading.orders import OrderManager
from engine.trading.traffic import Traffic
from engine.views import hold_rows
from safety.facts import Preflight
from safety.intent import ExecutionIntent
from safety.interlock import GOOD_SAMPLES_NEEDED, Action, HoldLevel, permits
from safety.killbyte import KillByte, KillLevel
from seams.clock import NS_PER_S
from seams.disk import RealDisk
from seams.rng import Rng
from tests.assurance.assessment import ROOT
from tests.engine.test_risk_memory import WallStep
from venues.types import Environment, Mode


@pytest.fixture
def clock() -> WallStep:
    return WallStep()


@pytest.fixture
def core(tmp_path: Path, clock: WallStep) -> Iterator[Core]:
    made = build_core(Seams(clock, None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    yield made
    made.store.close()


def custody(offset_ms: float | None) -> Custody:
    return cast(Custody, SimpleNamespace(offset_ms=lambda: offset_ms))


@pytest.mark.parametrize("offset_ms", [1_001.0, -1_001.0, float("nan")])
def test_a_clock_that_is_off_holds_new_risk_until_five_good_samples(core: Core, offset_ms: float) -> None:
    ClockWatch(core, custody(None)).look()
    ClockWatch(core, custody(1_000.0)).look()
    assert core.interlock.level is HoldLevel.CLEAR
    now = {"ms": offset_ms}
    watch = ClockWatch(core, cast(Custody, SimpleNamespace(offset_ms=lambda: now["ms"])))
    watch.look()
    assert core.interlock.has("clock_drift", "venue") and core.interlock.level is HoldLevel.CLOSE_ONLY
    assert ("clock_drift", "venue") in core.standing
    now["ms"] = 3.0
    for number in range(GOOD_SAMPLES_NEEDED):
        assert core.interlock.has("clock_drift", "venue"), number
        watch.look()
    assert not core.interlock.has("clock_drift", "venue") and ("clock_drift", "venue") not in core.standing


def test_a_clock_behind_the_record_holds_new_risk_and_a_bad_sample_begins_the_count_anew(
    core: Core, clock: WallStep
) -> None:
    watch = ClockWatch(core, None)
    clock.offset_ns = -10 * NS_PER_S
    watch.look()
    assert core.interlock.has("clock_drift", "host")
    clock.offset_ns = 0
    clock.advance(1.0)
    for _ in range(GOOD_SAMPLES_NEEDED - 1):
        watch.look()
    clock.offset_ns = -20 * NS_PER_S
    watch.look()
    clock.offset_ns = 0
    clock.advance(1.0)
    for _ in range(GOOD_SAMPLES_NEEDED - 1):
        watch.look()
    assert core.interlock.has("clock_drift", "host")
    watch.look()
    assert core.interlock.level is HoldLevel.CLEAR


def book(core: Core) -> OrderManager:
    made: Any = SimpleNamespace(
        traffic=Traffic(), traffic_ns=core.clock.now_ns, venue=SimpleNamespace(name="v")
    )
    return cast(OrderManager, made)


def test_a_strategy_that_hammers_at_a_throttle_is_a_storm(core: Core, clock: WallStep) -> None:
    orders, most = book(core), core.settings.risk.storm_refusals
    wish = cast(ExecutionIntent, SimpleNamespace(strategy_id="trend"))
    slow = Preflight(allowed=False, reasons=("message_rate_exceeded",), checks=())
    other = Preflight(allowed=False, reasons=("market_gap",), checks=())
    for _ in range(most):
        latch_storm(core, orders, wish, slow)
        latch_storm(core, orders, wish, other)
    assert core.interlock.level is HoldLevel.CLEAR
    clock.advance(61.0)
    latch_storm(core, orders, wish, slow)
    assert core.interlock.level is HoldLevel.CLEAR, "a minute ago is over"
    for _ in range(most):
        latch_storm(core, orders, wish, slow)
    assert core.interlock.has("order_storm", "trend") and core.interlock.level is HoldLevel.CLOSE_ONLY
    assert any(row.code == "order_storm" and row.subject == "trend" for row in core.store.risk.latched())
    clear_limits(core, "ana", "the loop is mended")
    latch_storm(core, orders, wish, slow)
    assert core.interlock.level is HoldLevel.CLEAR


def test_a_storm_of_cancels_holds_and_those_of_a_kill_do_not(core: Core) -> None:
    orders, most = book(core), core.settings.risk.cancels_per_minute
    for _ in range(most):
        orders.traffic.cancel(core.clock.now_ns())
    watch_cancels(core, [orders])
    assert core.interlock.level is HoldLevel.CLEAR
    orders.traffic.cancel(core.clock.now_ns())
    watch_cancels(core, [orders])
    assert core.interlock.has("order_storm", "cancels")
    clear_limits(core, "ana", "it was a test")
    watch_cancels(core, [orders])
    assert core.interlock.level is HoldLevel.CLEAR, "what was told is not told again"
    core.kill.trip(KillLevel.CLOSE_ONLY, by="ana", reason="test", source="test")
    for _ in range(most + 1):
        orders.traffic.cancel(core.clock.now_ns())
    watch_cancels(core, [orders])
    assert not core.interlock.has("order_storm", "cancels")


def test_where_money_moves_a_strategy_without_fresh_replay_evidence_holds_new_risk(core: Core) -> None:
    rows: list[PromotionRow] = []
    plan = SimpleNamespace(lanes=(("BTC", "trend"), ("ETH", "trend")))
    desk: Any = SimpleNamespace(sessions=[SimpleNamespace(plan=plan)])
    gate = ReplayGate(core, desk, lambda: tuple(rows))
    gate.look()
    assert core.interlock.level is HoldLevel.CLEAR, "no money moves"
    core.mode, core.environment = Mode.LIVE, Environment.TESTNET

    def held() -> str:
        gate.look()
        return next((hold.evidence for hold in core.interlock.holds if hold.code == "replay_gate"), "")

    assert held() == "no_successful_run" and core.interlock.has("replay_gate", "trend")
    for data in (None, b"{", b'{"blocked":false'):
        rows[:] = [PromotionRow(strategy="trend", stage="paper", blockers=judge_blocker(data, 10**12))]
        assert held(), "what is missing or damaged blocks"
    fresh = PromotionRow(strategy="trend", stage="paper", blockers=("clean_paper_sessions_1_of_5",))
    rows[:] = [fresh]
    assert not held(), "only replay evidence is this hold's"
    rows[:] = [PromotionRow(strategy="trend", stage="paper", blockers=("replay_stale",))]
    level = HoldLevel.CLOSE_ONLY
    assert held() and core.interlock.level is level and permits(Action.REDUCE, level)
    desk.sessions.clear()
    assert not held()


def test_a_silent_feed_holds_new_risk_until_five_good_samples(core: Core) -> None:
    age = {"ms": 100}
    hub = SimpleNamespace(
        symbols=lambda: ("BTC",), age_ms=lambda _: age["ms"], is_stale=lambda _: age["ms"] > 5_000
    )
    plan = SimpleNamespace(uses_market_time=False)
    session: Any = SimpleNamespace(plan=plan, hub=hub, hub_name="feed", core=core, stale_good={})
    watch_feed(session)
    assert core.interlock.level is HoldLevel.CLEAR
    age["ms"] = 5_001
    watch_feed(session)
    assert core.interlock.has("stale_data", "BTC") and core.interlock.level is HoldLevel.CLOSE_ONLY
    assert ("feed_stale", "BTC") in core.standing
    age["ms"] = 100
    for _ in range(GOOD_SAMPLES_NEEDED - 1):
        watch_feed(session)
    age["ms"] = 5_001
    watch_feed(session)
    age["ms"] = 100
    for number in range(GOOD_SAMPLES_NEEDED):
        assert core.interlock.has("stale_data", "BTC"), number
        watch_feed(session)
    assert not core.interlock.has("stale_data", "BTC") and ("feed_stale", "BTC") not in core.standing
    plan.uses_market_time, age["ms"] = True, 5_001
    watch_feed(session)
    assert not core.interlock.has("stale_data", "BTC"), "a replay has no age"


@pytest.mark.parametrize(
    ("code", "subject", "runbook"),
    [
        ("limits", "slippage_limit", "kill-and-resume.md#slippage-limit"),
        ("limits", "desk_drawdown_limit", "kill-and-resume.md#desk-drawdown-limit"),
        ("limits", "exposure_breach", "kill-and-resume.md#exposure-breach"),
        ("order_storm", "cancels", "rejected-orders.md#order-storm"),
        ("clock_drift", "host", "stale-feed.md#clock-drift"),
        ("replay_gate", "trend", "replay-parity.md"),
        ("watchdog", "", "kill-and-resume.md"),
    ],
)
def test_a_hold_names_the_runbook_of_its_cause(core: Core, code: str, subject: str, runbook: str) -> None:
    core.interlock.raise_hold(code, subject=subject, since_ns=1, source="test", evidence="test")
    assert [row.runbook for row in hold_rows(core)] == [runbook]
    name, _, heading = runbook.partition("#")
    text = (ROOT / "runbooks" / name).read_text(encoding="utf-8")
    assert f"### {heading}\n" in text or not heading
