"""A session under holds: no entry is decided, its replay is the same, its lanes are seen (QX-41, QX-42)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from engine.api import parity
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.api.lane_views import page_path
from engine.daemon import Engine, Seams, build_core
from engine.desk import Running
from engine.trading.inputs import Kind
from native.codes import Action, Gate
from safety.interlock import Clearance, HoldLevel
from safety.killbyte import KillByte, KillLevel
from safety.state_page import ExecutionState, StateReader
from safety.strategy_state import StrategyState
from seams.clock import FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

PROOF = Clearance(operator="ann", reason="looked", evidence="tested", good_samples=5)
Act = Callable[[Engine, int], None]


def engine_at(home: Path) -> Engine:
    return Engine(build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous()))


async def held(home: Path, act: Act) -> tuple[str, list[str], list[StrategyState]]:
    """Run a replayed session, acting after each bar; return its id, what was denied, and its states."""
    engine = engine_at(home)
    denied: list[str] = []
    states: list[StrategyState] = []
    try:
        start = PaperStart(
            strategies=("ema_cross",), feed="replay:sandbox/BTC-PERP/1m", params={"fast": 3.0, "slow": 8.0},
            speed=0.0, max_bars=600,
        )  # fmt: skip
        entry = engine.desk.start_paper(start, "tester", "R-1")
        session = entry.session
        session.on_denied.append(lambda intent, verdict: denied.append(intent.intent_category))
        inner = session.hub._barrier
        assert inner is not None

        async def barrier() -> None:
            await inner()
            states.append(session.board.states[0])
            act(engine, session.counts.bars)

        session.hub.set_barrier(barrier)
        assert entry.task is not None
        await entry.task
        return session.plan.session_id, denied, states
    finally:
        await engine.close()


def on_and_off(engine: Engine, bar: int) -> None:
    """Hold from bar 100 to 200, halt from 300 to 400."""
    lock, now_ns = engine.core.interlock, engine.core.clock.now_ns()
    if bar == 100:
        lock.raise_hold("stale_data", since_ns=now_ns, source="test", evidence="test")
    if bar == 300:
        lock.raise_hold("incident", since_ns=now_ns, source="test", evidence="test")
    if bar in (200, 400):
        lock.clear_hold("stale_data" if bar == 200 else "incident", PROOF)


@pytest.fixture(scope="module")
def under_holds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[str], list[StrategyState]]:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    return home, *asyncio.run(held(home, on_and_off))


def test_under_a_hold_no_entry_is_even_decided(
    under_holds: tuple[Path, str, list[str], list[StrategyState]],
) -> None:
    home, name, denied, _ = under_holds
    with h5py.File(home / "outputs" / "paper_sessions" / name / "artifacts" / "journal.h5") as file:
        inputs, decisions = file["inputs"][:], file["decisions"][:]
    levels = inputs[inputs["kind"] == Kind.INTERLOCK]["units"].tolist()
    assert levels == [HoldLevel.CLOSE_ONLY, HoldLevel.CLEAR, HoldLevel.HALT, HoldLevel.CLEAR]
    blocked = decisions[(decisions["gates"] & Gate.INTERLOCK) != 0]
    assert len(blocked) > 0 and set(blocked["action"].tolist()) == {Action.BLOCKED}
    opened = decisions[decisions["action"] == Action.OPEN]["step"]
    for low, high in ((100, 200), (300, 400)):
        assert not ((opened >= low) & (opened < high)).any(), "an entry was decided under a hold"
    assert "risk_increase" not in denied, "what is not decided need not be denied"


def test_a_session_that_was_held_replays_to_the_bit(
    under_holds: tuple[Path, str, list[str], list[StrategyState]],
) -> None:
    home, name, _, _ = under_holds
    made = parity.replay(home, name, clock=FixedClock())
    assert (made.verdict, made.is_bit_equal, made.differences) == ("pass", True, ())


def test_without_its_interlock_rows_the_replay_is_another_one(
    under_holds: tuple[Path, str, list[str], list[StrategyState]],
) -> None:
    """The rows are what makes it equal: a replay that is not told of the holds decides entries."""
    from engine.lifecycle.parity.runs import Where
    from engine.lifecycle.parity.sessions import drive, read_session, session_kernel

    home, name, _, _ = under_holds
    _, journal = read_session(name, home, RealDisk())
    kernel, _ = session_kernel(journal, Where())
    drive(kernel, journal.inputs[journal.inputs["kind"] != Kind.INTERLOCK])
    assert kernel.decisions().tobytes() != journal.decisions.tobytes()


def test_the_states_follow_the_holds(under_holds: tuple[Path, str, list[str], list[StrategyState]]) -> None:
    states = under_holds[3]
    S = StrategyState
    assert states[0] is S.VOID and S.ENGAGED in states[:100] and set(states[8:100]) <= {S.VIGIL, S.ENGAGED}
    assert set(states[100:200]) == {S.HEDGE} and set(states[300:400]) == {S.HALT}
    assert set(states[200:300]) | set(states[400:]) <= {S.VIGIL, S.ENGAGED}


async def test_a_running_session_is_seen_through_its_page_and_a_kill_at_once(tmp_path: Path) -> None:
    engine = engine_at(tmp_path)
    try:
        start = PaperStart(strategies=("ema_cross",), symbols=("BTC-PERP", "ETH-PERP"), speed=100.0, seed=3)
        entry: Running = engine.desk.start_paper(start, "tester", "R-1")
        path = page_path(engine.core.paths.run, entry.session.plan.session_id)
        reader = StateReader.opened(path)
        before = entry.session.kernel.bar_count(0)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if (block := reader.block(0)) is not None and block.steps > before + 3:
                break
        assert block is not None and block.steps > before + 3, "the page follows the kernel"
        assert block.strategy_state in (StrategyState.VIGIL, StrategyState.ENGAGED)
        assert block.execution_state in set(ExecutionState) and block.epoch == engine.core.epoch
        await engine.desk.kill(KillLevel.CLOSE_ONLY, "ann", "drill", "test", cancels=False)
        assert reader.interlock(0) is reader.interlock(1) is HoldLevel.CLOSE_ONLY
        assert {each.strategy_state for each in reader.blocks()} == {StrategyState.HEDGE}
        await engine.desk.stop_paper(entry.session.plan.session_id, "ann")
        assert not path.exists() and reader.block(0) is not None
    finally:
        await engine.close()
