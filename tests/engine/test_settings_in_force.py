"""Settings that bound trading do: the hold window ends positions, entries that are off stay off."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api import parity, research
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.config import Reloader
from engine.config.risk import RiskBlock
from engine.daemon import Engine, Seams, build_core
from engine.journal import read_rows
from engine.reloading import Reloading
from engine.trading.pipeline import bounds_of
from native.codes import Reason
from native.rules import hold_window
from safety.interlock import Action, permits
from safety.killbyte import KillByte
from seams.clock import FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

FEED = "replay:sandbox/BTC-PERP/1m"
WINDOW = "risk: {minHoldMinutes: 2, maxHoldMinutes: 6}\n"
START = PaperStart(
    strategies=("ema_cross",), feed=FEED, params={"fast": 3.0, "slow": 8.0}, speed=0.0, max_bars=600
)


def configured(home: Path, text: str) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "interlock.yaml").write_text(text)


def engine_of(home: Path) -> Engine:
    return Engine(build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous()))


async def traded(engine: Engine) -> tuple[str, float]:
    """Run one session to its end; return its id and how far its twin agreed."""
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        assert entry.task is not None
        while not entry.task.done():
            await engine.desk.tend()
            await asyncio.wait([entry.task], timeout=1.0)
        assert entry.session.shadow is not None
        return entry.session.plan.session_id, entry.session.shadow.agreement
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    return home


def test_a_session_leaves_at_the_end_of_the_hold_window_and_says_so(home: Path) -> None:
    configured(home, WINDOW)
    session_id, agreement = asyncio.run(traded(engine_of(home)))
    journal = home / "outputs" / "paper_sessions" / session_id / "artifacts" / "journal.h5"
    count, _ = read_rows(journal, "trades", 0, 0)
    trades = read_rows(journal, "trades", 0, count)[1]
    held = trades["exit_bar"] - trades["entry_bar"]
    assert count > 20 and held.max() == 6 and agreement == 1.0
    reasons = {Reason(code) for code in set(trades["reason"].tolist())}
    assert Reason.TIME_EXIT in reasons
    assert Reason.NONE not in reasons
    assert set(held[trades["reason"] == Reason.TIME_EXIT].tolist()) == {6}
    assert parity.replay(home, session_id, clock=FixedClock()).verdict == "pass"


def test_a_run_without_a_preset_keeps_the_same_window_and_its_evidence_names_it(home: Path) -> None:
    configured(home, WINDOW)
    fields: dict[str, object] = {"data": "sandbox/BTC-PERP/1m", "max_bars": 600}
    loaded = research.load_config_with_origins(home, {})
    plain = {"strategy": "ema_cross", "params": {"fast": 3, "slow": 8}, **fields}

    def longest(given: dict[str, object]) -> tuple[int, dict[str, object]]:
        made = research.start_run(research.run_request(given), home, loaded=loaded, clock=FixedClock())
        folder = Path(made.path)
        trades = read_rows(folder / "journal.h5", "trades", 0, made.trades)[1]
        switches = json.loads((folder / "config.json").read_bytes()).get("switches", {})
        return int((trades["exit_bar"] - trades["entry_bar"]).max()), switches

    held, switches = longest(plain)
    assert (held, switches) == (6, {"min_hold_minutes": 2.0, "max_hold_minutes": 6.0})
    assert longest({**plain, "max_hold_minutes": 4.0})[0] == 4
    held, switches = longest({"preset": "oracle-flip", **fields})
    assert held > 6 and switches == {}


def test_entries_that_are_off_are_held_until_the_configuration_allows_them(home: Path) -> None:
    configured(home, "engine: {overlay: flat}\n")
    engine = engine_of(home)
    core = engine.core
    reloading = Reloading(core, Reloader(home, {}, {}, RealDisk()))
    assert core.interlock.has("entries_off") and not permits(Action.ADD_RISK, core.interlock.level)
    assert permits(Action.REDUCE, core.interlock.level)
    configured(home, "engine: {overlay: primary}\n")
    reloading.look()
    assert not core.interlock.has("entries_off")
    configured(home, "decision: {allowsEntries: false}\n")
    reloading.look()
    assert core.interlock.has("entries_off")
    session_id, _ = asyncio.run(traded(engine))
    (row,) = [row for row in research.list_sessions(home) if row.session_id == session_id]
    assert row.status == "success"
    assert (row.decisions, row.orders, row.fills) == (0, 0, 0), "under a hold entries are not even decided"


def test_the_tighter_of_two_drawdown_bounds_counts() -> None:
    assert bounds_of(RiskBlock(max_drawdown=0.03))["max_drawdown"] == Decimal("0.03")
    assert bounds_of(RiskBlock())["max_drawdown"] == Decimal("0.05")


@pytest.mark.parametrize(
    ("window", "interval_min", "bars"),
    [((0, 0), 0, (0, 0)), ((45, 360), 1, (45, 360)), ((45, 360), 60, (1, 6)), ((45, 360), 1440, (1, 1)),
     ((0, 90), 60, (0, 1)), ((45, 0), 30, (2, 0))],
)  # fmt: skip
def test_minutes_become_bars_that_never_pass_the_end(
    window: tuple[int, int], interval_min: int, bars: tuple[int, int]
) -> None:
    found = hold_window(*map(float, window), interval_min * 60 * 10**9)
    assert (found["min_hold_bars"], found["max_hold_bars"]) == bars
