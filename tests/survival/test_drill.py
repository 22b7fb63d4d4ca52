"""The drills end to end: real processes, real signals, evidence on the disk."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.drill import rehearse
from engine.ops.drill_evidence import SealedDrill, is_intact


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["dead-man", "flatten", "kill"])
async def test_a_drill_is_performed_and_measured(tmp_path: Path, kind: str) -> None:
    path = await rehearse(tmp_path, {}, kind, "ada", "test", lambda said: None)
    kept = msgspec.json.decode(path.read_bytes(), type=SealedDrill)
    assert kept.drill.problem == "" and is_intact(kept, None)
    figures = {goal.name: goal.value for goal in kept.drill.goals}
    assert all(value >= 0 for value in figures.values()), "a figure is missing"
    left = {"dead-man": "orders_left", "flatten": "positions_left", "kill": "orders_after_block"}[kind]
    assert figures[left] == 0
    assert not (tmp_path / "run" / "drill").exists(), "the rehearsal desk is swept away"
