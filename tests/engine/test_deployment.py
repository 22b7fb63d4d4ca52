"""A sweep's candidate runs as a session only with its replay report, and exactly as it was swept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api import parity, sweep
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.daemon import Engine, Seams, build_core
from engine.research.sweep.trials import config_id
from engine.trading.inputs import read_journal
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng


async def test_a_candidate_is_deployed_unchanged_and_only_after_its_replay(tmp_path: Path) -> None:
    data = write_demo_bars(tmp_path, 1)
    made = sweep.start_sweep(
        None,
        {"strategy": "ema_cross", "data": data, "param_grid": {"fast": [4, 6], "slow": [15, 25]}},
        tmp_path,
    )
    best = made.report.best.config_id
    name = f"{made.run_id}:{best}"
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    engine = Engine(core)
    start = PaperStart(strategies=(), candidate=name, feed=f"replay:{data}", speed=0.0, max_bars=300)
    other = PaperStart(strategies=("ema_cross",), candidate=name, feed=f"replay:{data}", speed=0.0)
    try:
        with pytest.raises(Refusal) as refused:
            engine.desk.start_paper(start, "tester", "R-1")
        assert refused.value.code == "candidate_unproven"
        assert parity.replay(tmp_path, made.run_id, top=1).verdict == "pass"
        with pytest.raises(Refusal) as refused:
            engine.desk.start_paper(other, "tester", "R-2")
        assert refused.value.code == "config_mutated"
        entry = engine.desk.start_paper(start, "tester", "R-3")
        assert entry.task is not None
        await asyncio.wait_for(entry.task, 60)
        (lane,) = read_journal((entry.folder.folder / "artifacts" / "journal.h5").read_bytes()).facts.lanes
        assert config_id(lane.strategy, lane.params) == best
    finally:
        await engine.close()
