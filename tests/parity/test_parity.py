"""A back-test and a paper session over the same bars decide the same, byte for byte."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from engine.api.commands import PaperStart
from engine.api.data import AS_IT_IS, import_shaped
from engine.api.demo import write_demo_bars
from engine.api.run_views import SessionRow
from engine.daemon import Engine, Seams, build_core
from engine.research.run import RunRequest, RunResult, run_backtest
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
BARS = SHARED / "data" / "licensed" / "bars_1m" / "binance_um" / "BTCUSDT_1m.parquet"
needs_shared = pytest.mark.skipif(not BARS.is_file(), reason=f"no {BARS.name} under INTERLOCK_SHARED")
SANDBOX, REAL = "sandbox/BTC-PERP/1m", "binance_um/BTCUSDT/1m"
USER_STRATEGY = '''
from native.strategy import Bar, Strategy


class ThreeUp(Strategy):
    """Long after three rising closes, flat after a falling one."""

    def __init__(self):
        self.last = 0.0
        self.rises = 0

    def on_bar(self, bar):
        self.rises = self.rises + 1 if bar.close > self.last else 0
        self.last = bar.close
        if self.rises >= 3:
            return 1.0
        return 0.0 if self.rises == 0 else None
'''


async def _paper(home: Path, start: PaperStart) -> tuple[SessionRow, int]:
    """Run one session to its end in an engine of its own; return its row and its closed trades."""
    clock, disk = SystemClock(), RealDisk()
    core = build_core(Seams(clock, None, Rng(1), disk), home, {}, KillByte.anonymous())
    engine = Engine(core)
    try:
        entry = engine.desk.start_paper(start, "tester", "R-1")
        assert entry.task is not None
        while not entry.task.done():
            await engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        await entry.task
        assert entry.session.counts.denied == 0, "a denial makes another decision: see docs/assumptions.md"
        return engine.desk.ended[-1], len(entry.session.kernel.trades())
    finally:
        await engine.close()


def _widen_limits(home: Path) -> None:
    """The generated market loses more in a day than the desk allows: that is not what is compared here."""
    (home / "config").mkdir()
    limits = "daily_loss_close_only_usd: 900000\n  daily_loss_halt_usd: 950000\n"
    (home / "config" / "interlock.yaml").write_text(
        f"risk:\n  {limits}  drawdown_close_only: 0.9\n  drawdown_halt: 0.95\n"
    )


def _run(home: Path, request: RunRequest) -> RunResult:
    return run_backtest(request, home, RealDisk(), SystemClock())


async def _assert_same(
    home: Path, data: str, *, preset: str = "", strategy: str = "", max_bars: int = 0
) -> RunResult:
    ran = _run(home, RunRequest(strategy=strategy, preset=preset, data=data, max_bars=max_bars))
    strategies = (strategy,) if strategy else ()
    start = PaperStart(
        strategies=strategies, preset=preset, feed=f"replay:{data}", speed=0.0, max_bars=max_bars
    )
    row, trades = await _paper(home, start)
    assert (row.status, row.bars) == ("success", ran.bars)
    assert (row.decision_sha256, trades) == (ran.decision_sha256, ran.trades)
    return ran


@pytest.mark.parametrize("preset", ["oracle-flip", "trend-rsi"])
async def test_generated_bars_decide_the_same(preset: str, tmp_path: Path) -> None:
    write_demo_bars(tmp_path, 1)
    _widen_limits(tmp_path)
    ran = await _assert_same(tmp_path, SANDBOX, preset=preset, max_bars=3_000)
    assert ran.trades > 10


async def test_a_file_of_the_user_decides_the_same(tmp_path: Path) -> None:
    write_demo_bars(tmp_path, 1)
    file = tmp_path / "three_up.py"
    file.write_text(USER_STRATEGY)
    ran = await _assert_same(tmp_path, SANDBOX, strategy=f"{file}:ThreeUp", max_bars=1_500)
    assert ran.trades > 10


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("preset", ["oracle-flip", "trend-rsi"])
async def test_real_bars_decide_the_same(preset: str, tmp_path: Path) -> None:
    import_shaped(BARS, "binance_um", "BTCUSDT", "1m", tmp_path, AS_IT_IS, ())
    ran = await _assert_same(tmp_path, REAL, preset=preset, max_bars=3_000)
    assert ran.trades > 10


@needs_shared
@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_month_of_real_bars_decides_the_same(tmp_path: Path) -> None:
    import_shaped(BARS, "binance_um", "BTCUSDT", "1m", tmp_path, AS_IT_IS, ())
    ran = await _assert_same(tmp_path, REAL, preset="oracle-flip")
    assert (ran.bars, ran.trades) == (43_199, 1_544)
