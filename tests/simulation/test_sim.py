"""The simulator: seeds hold every invariant, and a seed is its trace, byte for byte, in any process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from engine.sim.campaign import doubt_times, run_on
from engine.sim.faults import RATES, Fault, draw
from engine.sim.runner import in_fresh_folder, make_template, run_seed
from engine.sim.world import World
from seams import chaos

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(1, 9)
PINNED = (9, 16, 21, 23, 551, 1003303)
"""Seeds that once broke an invariant, ours or the simulator's own: docs/reliability.md names the bugs."""
HASHES = """
import sys, tempfile
from pathlib import Path
from engine.sim.runner import make_template, run_seed
template = make_template(Path(tempfile.mkdtemp()))
print([run_seed(int(seed), template)[0].sha256 for seed in sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("seed", [*SEEDS, *PINNED])
def test_a_seed_breaks_no_invariant(seed: int, template: Path) -> None:
    result, _ = run_seed(seed, template)
    assert result.violations == ()
    assert sum(result.checks.values()) > 50 and result.events > 30


def test_without_faults_the_desk_trades_and_nothing_fails(template: Path) -> None:
    result, _ = run_seed(5, template, only=frozenset())
    assert result.violations == () and result.faults == {} and result.crashes == 0
    assert result.orders > 5 and result.fills > 5


@pytest.mark.timeout(600)
def test_a_seed_is_its_trace_in_fresh_processes_under_any_hash_seed(template: Path) -> None:
    seeds = ("3", "11", "18")
    mine = str([run_seed(int(seed), template)[0].sha256 for seed in seeds])
    for hash_seed in ("0", "1", "31337"):
        done = subprocess.run(
            [sys.executable, "-c", HASHES, *seeds],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == mine


def test_another_seed_is_another_world(template: Path) -> None:
    assert run_seed(3, template)[0].sha256 != run_seed(4, template)[0].sha256


def test_every_kind_of_fault_is_drawn_by_some_seed_and_missing_in_another() -> None:
    plans = [draw(seed).chances for seed in range(60)]
    assert set(RATES) == set(Fault)
    for fault in Fault:
        assert any(plan[fault] for plan in plans), fault


def test_nothing_but_the_simulator_installs_a_chaos_hook() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for floor in ("native", "seams", "venues", "safety", "engine", "console")
        for path in (ROOT / floor).rglob("*.py")
        if "chaos.installed" in path.read_text()
    ]
    assert sorted(found) == ["engine/sim/kills.py", "engine/sim/runner.py"]
    chaos.point("nowhere")  # with no hook it does nothing


def test_the_command_line_runs_seeds_and_replays_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "interlock", "sim"]
    done = subprocess.run(
        [*command, "run", "--seeds", "2", "--from", "3", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["sim"]
    assert report["seeds"] == 2 and report["violations"] == 0 and report["events"] > 0
    trace = tmp_path / "trace.txt"
    done = subprocess.run(
        [*command, "replay", "3", "--trace", str(trace)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "start 1" in done.stdout
    assert trace.read_bytes().count(b"\n") > 50


def test_a_long_run_may_be_stopped_and_goes_on_where_its_file_ends(tmp_path: Path) -> None:
    out, heard = tmp_path / "long.jsonl", []

    def run(seeds: int) -> dict[str, object]:
        return run_on(out, 3, seeds, 0, None, 1, lambda result, _: heard.append(result.seed))

    run(2)
    out.write_bytes(out.read_bytes() + b'{"cut off')
    out.write_bytes(out.read_bytes() + b"\n")
    told = run(3)
    assert heard == [3, 4, 5, 6, 7]
    assert told["seeds"] == 5 and told["violations"] == 0
    kinds = told["faults_by_kind"]
    assert isinstance(kinds, dict) and sum(kinds.values()) == told["faults"]


def test_doubt_is_told_by_its_median_its_tail_and_its_longest() -> None:
    told = doubt_times([*range(1_000, 101_000, 1_000)])
    assert told == {"resolved": 100, "resolved_p50_s": 51.0, "resolved_p95_s": 96.0, "resolved_max_s": 100.0}
    assert doubt_times([]) == {"resolved": 0}


def test_a_dead_engine_is_swept_out_though_a_task_of_it_swallows_its_cancel(template: Path) -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    async def story(world: World) -> int:
        await asyncio.sleep(0.1)
        dead = world.incarnation
        assert dead is not None
        dead.tasks.append(world.loop.create_task(stubborn()))
        await asyncio.sleep(0.1)
        world.die(dead.number, "drawn")
        await asyncio.sleep(3.0)
        return world.started

    with in_fresh_folder():
        world = World(1, draw(1, frozenset()), template)
        keeper = world.loop.create_task(world.keep_alive())
        try:
            assert world.loop.run_until_complete(story(world)) == 2
        finally:
            assert not keeper.done()
            world.close()
