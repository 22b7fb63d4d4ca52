"""Drills asked for from the console: what stands, what is refused, and one that really runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.drills import DRILL_KINDS, DrillRun
from engine.core import Core
from engine.ops import drill_runs
from engine.ops.drill_evidence import Drill, Goal, keep, seal
from engine.ops.drill_runs import DrillRuns
from safety.reasons import Refusal
from seams.clock import NS_PER_S
from tests.ops.cores import make_core
from tests.survival.conftest import eventually


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = make_core(tmp_path / "home")
    yield made
    made.store.close()


def drill(core: Core, kind: str, days_ago: float) -> Drill:
    return Drill(
        kind=kind,
        scope="rehearsal",
        ok=True,
        problem="",
        operator="ada",
        reason="weekly",
        began_ns=core.clock.now_ns() - round(days_ago * 86_400 * NS_PER_S),
        goals=(Goal(name="verified_ms", value=9.0, at_most=10.0, is_met=True),),
        facts={},
        engine_version="0",
        commit="0" * 40,
        kernel_sha256=core.kernel_sha256,
    )


async def ended(runs: DrillRuns) -> DrillRun:
    """Wait for the end of the drill under way."""

    def is_over() -> bool:
        run = runs.view().run
        return run is not None and run.exit_code >= 0

    await eventually(is_over, seconds=200.0)
    run = runs.view().run
    assert run is not None
    return run


def test_each_kind_says_whether_its_last_drill_counts(core: Core) -> None:
    keep(core.paths.outputs, core.disk, seal(drill(core, "kill", 2.0), None))
    keep(core.paths.outputs, core.disk, seal(drill(core, "dead-man", 31.0), None))
    rows = {row.kind: row for row in DrillRuns(core).view().rows}
    assert tuple(rows) == DRILL_KINDS
    assert [rows[kind].problem for kind in DRILL_KINDS] == ["", "stale", "absent"]
    assert rows["kill"].days_left == pytest.approx(28.0, abs=0.1) and rows["dead-man"].days_left == 0
    assert rows["kill"].figures[0].value == 9.0 and not rows["kill"].is_signed


async def test_one_runs_at_a_time_and_its_end_is_told(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_runs, "ROOT", Path(__file__).resolve().parents[2])
    runs = DrillRuns(core)
    for kind, reason, code in (("nonsense", "x", "invalid_request"), ("kill", " ", "reason_required")):
        with pytest.raises(Refusal) as refused:
            runs.start(kind, "ada", reason)
        assert refused.value.code == code
    monkeypatch.setenv("INTERLOCK_WATCHDOG__DRILL_KEY_FILE", str(core.paths.home / "no-such-key"))
    runs.start("kill", "ada", "weekly")  # the key cannot be used: it ends before it begins
    with pytest.raises(Refusal) as refused:
        runs.start("flatten", "ben", "weekly")
    assert refused.value.code == "drill_running"
    run = await ended(runs)
    assert run.exit_code > 0 and run.said and run.operator == "ada"
    assert {row.text for row in core.events.page() if row.kind == "drill"} >= {"kill begun: weekly"}
    await runs.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_drill_from_the_console_leaves_evidence(core: Core) -> None:
    runs = DrillRuns(core)
    runs.start("dead-man", "ada", "monthly")
    run = await ended(runs)
    row = next(row for row in runs.view().rows if row.kind == "dead-man")
    assert row.operator == "ada" and row.reason == "monthly" and row.figures
    assert (run.exit_code == 0) == (row.problem == "")
