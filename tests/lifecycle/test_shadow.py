"""A twin beside a paper session: it agrees with its source, rings where it does not, and never acts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from engine.api import parity
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.api.shadow import ShadowView, stored_shadow
from engine.daemon import Engine, Seams, build_core
from engine.trading import twin as twins
from engine.trading.shadow import KEPT, WINDOW, Shadow, in_direction
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Strategy
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

FEED = "replay:sandbox/BTC-PERP/1m"
PARAMS: dict[str, float | str] = {"fast": 3.0, "slow": 8.0}


class Watched:
    """What one session left: id, alarms that rang, its shadow."""

    def __init__(self, session_id: str, alarms: set[str], status: str, view: ShadowView | None) -> None:
        self.session_id, self.alarms, self.status, self.view = session_id, alarms, status, view


async def trade(home: Path, start: PaperStart) -> Watched:
    engine = Engine(
        build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    )
    try:
        entry = engine.desk.start_paper(start, "tester", "R-1")
        assert entry.task is not None
        while not entry.task.done():
            await engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        session_id = entry.session.plan.session_id
        rang = {code for code, _ in engine.core.standing if code.startswith("shadow")}
        row = next(row for row in engine.desk.rows() if row.session_id == session_id)
        view = engine.desk.shadow(session_id) if start.shadow else None
        return Watched(session_id, rang, row.status, view)
    finally:
        await engine.close()


def start(strategy: str = "ema_cross", **words: object) -> PaperStart:
    fields = {
        "strategies": (strategy,), "feed": FEED, "params": PARAMS if strategy == "ema_cross" else {},
        "speed": 0.0, "max_bars": 600, **words,
    }  # fmt: skip
    return msgspec.convert(fields, PaperStart)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    return home


@pytest.mark.parametrize("strategy", ["ema_cross", "rsi_ma_cross", "donchian_breakout", "trend_atr"])
def test_the_interpreted_twin_agrees_with_every_decision(home: Path, strategy: str) -> None:
    seen = asyncio.run(trade(home, start(strategy)))
    assert seen.status == "success" and seen.alarms == set() and seen.view is not None
    assert (seen.view.state, seen.view.agreement, seen.view.disagreements) == ("agrees", 1.0, ())
    assert seen.view.bars == 600 and (seen.view.compared > 4 or strategy == "trend_atr")
    assert stored_shadow(home, seen.session_id) == seen.view


def test_a_sandbox_session_of_several_lanes_is_shadowed_after_its_warm_up(tmp_path: Path) -> None:
    names = ("ema_cross", "rsi_ma_cross")
    asked = start(strategies=names, feed="sandbox", speed=200.0, params={}, max_bars=60)
    seen = asyncio.run(trade(tmp_path, asked))
    assert seen.view is not None and seen.view.state == "agrees" and seen.view.bars > 100
    assert seen.view.disagreements == ()


def test_an_injected_divergence_rings_and_changes_no_decision(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = asyncio.run(trade(home, start(shadow="")))
    changed = twins.BUNDLED["ema_cross"].kind

    class Late(changed):  # type: ignore[misc, valid-type]
        """The same, but it sleeps through every third decision."""

        def on_start(self) -> None:
            super().on_start()
            self.told = 0

        def on_bar(self, bar: object) -> object:
            wish = super().on_bar(bar)
            self.told += 1
            return None if wish is not None and self.told % 3 == 0 else wish

    monkeypatch.setattr(twins, "_reference", lambda choice: Late(**choice.params))
    seen = asyncio.run(trade(home, start()))
    assert seen.alarms == {"shadow_diverged"} and seen.status == "success" and seen.view is not None
    assert seen.view.state == "diverged" and 0.0 < seen.view.agreement < 0.95
    assert 0 < len(seen.view.disagreements) <= KEPT
    assert any("nothing" in each.twin and "open" in each.decided for each in seen.view.disagreements)
    mine, others = (parity.replay(home, each.session_id, clock=FixedClock()) for each in (seen, plain))
    assert mine.verdict == others.verdict == "pass" and mine.replayed is not None
    assert mine.replayed == others.replayed, "a shadow decides nothing"


def test_a_twin_that_fails_rings_and_the_session_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Strategy):
        def on_bar(self, bar: object) -> None:
            raise RuntimeError("no more")

    monkeypatch.setattr(twins, "_reference", lambda choice: Broken())
    seen = asyncio.run(trade(home, start()))
    assert seen.alarms == {"shadow_failed"} and seen.status == "success" and seen.view is not None
    assert seen.view.state == "failed" and "no more" in seen.view.failure and seen.view.bars == 0


def test_a_twin_that_cannot_be_built_rings_and_the_session_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(choice: object) -> Strategy:
        raise OSError("its file is gone")

    monkeypatch.setattr(twins, "_reference", broken)
    seen = asyncio.run(trade(home, start()))
    assert seen.alarms == {"shadow_failed"} and seen.status == "success" and seen.view is not None
    assert "its file is gone" in seen.view.failure


def test_another_strategy_is_compared_by_direction(home: Path) -> None:
    seen = asyncio.run(trade(home, start(shadow="rsi_ma_cross")))
    assert seen.view is not None and seen.view.twin == "rsi_ma_cross" and seen.view.compared > 10
    assert seen.view.agreement < 1.0 and seen.status == "success"
    with pytest.raises(Refusal) as error:
        asyncio.run(trade(home, start(shadow="nobody")))
    assert error.value.code == "unknown_strategy"


def test_the_window_forgets_and_fifty_disagreements_are_kept() -> None:
    class Says(Strategy):
        def __init__(self, sides: list[int]) -> None:
            super().__init__()
            self.sides = sides

        def on_bar(self, bar: object) -> int:
            return self.sides[bar.index]  # type: ignore[attr-defined]

    count = WINDOW + 400
    sides = [1 if at % 2 else -1 for at in range(count)]
    wrong = [-side if at < 300 else side for at, side in enumerate(sides)]

    def kernel(said: list[int]) -> Kernel:
        lane = LaneSpec(symbol="X", strategy=Says(said))
        return Kernel(KernelConfig(), [lane], matching="external", run_id="s")

    deciding, shadow = kernel(sides), Shadow("other", kernel(wrong), in_direction)
    lows = []
    for at in range(count):
        bar = (at * 60 * 10**9, 100.0, 101.0, 99.0, 100.0, 1.0)
        wishes = deciding.close(0, *bar)
        shadow.closed(0, bar, wishes, deciding.place(0))
        for wish in wishes:
            deciding.fill(0, wish.intent_id, wish.units, 100.0, 0.0, bar[0], wish.side)
            shadow.filled(0, wish.intent_id, wish.units, 100.0, 0.0, bar[0], wish.side)
        shadow.catch_up()
        lows.append(shadow.agreement)
    assert shadow.failure == "" and shadow.compared == count and len(shadow.agreed) == WINDOW
    assert min(lows) < 0.05 and shadow.agreement == 1.0 and not shadow.is_alarming
    assert len(shadow.kept) == KEPT and shadow.kept[-1].at_ns == 299 * 60 * 10**9
    assert deciding.place(0) == shadow.twin.place(0), "the twin follows the account"
