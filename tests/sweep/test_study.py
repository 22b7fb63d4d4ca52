"""Sweeps: complete, reproducible, the same for any number of workers and after any interruption."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from engine.api import research
from engine.research.choice import RunFailed
from engine.research.run import RunCancelled
from engine.research.sweep import evaluate
from engine.research.sweep.evaluate import Field, LocalExecutor
from engine.research.sweep.plan import make_plan
from engine.research.sweep.proposals import next_trials
from engine.research.sweep.request import make_request
from engine.research.sweep.study import NothingToResume, SweepExists, list_unfinished, sweeps_folder
from engine.research.sweep.trial_store import SweepDamaged
from seams.clock import FixedClock
from seams.disk import RealDisk

from .conftest import Sweep, request_of, tables, write_bars

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = {"strategy": "ema_cross", "fee_bps": 0.1, "slippage_bps": 0.0}
THREE = {"fast": [3, 5, 9], "slow": [21, 34, 55], "trail_atr": [1, 2, 3]}


def test_a_grid_of_three_by_three_by_three_has_27_rows_and_the_best_is_the_argmax(sweep: Sweep) -> None:
    result = sweep(param_grid=THREE, params={"bracket": 1})
    rows = list(csv.DictReader(io.StringIO((Path(result.path) / "leaderboard.csv").read_text())))
    assert len(rows) == 27 == result.report.trials
    assert {(row["fast"], row["slow"], row["trail_atr"]) for row in rows} == {
        (str(float(f)), str(float(s)), str(float(t)))
        for f in (3, 5, 9)
        for s in (21, 34, 55)
        for t in (1, 2, 3)
    }
    best = max(rows, key=lambda row: float(row["total_pnl"]))
    assert rows[0]["config_id"] == best["config_id"] == result.report.best.config_id
    config = json.loads((Path(result.path) / "best_config.json").read_bytes())
    assert {name: config["params"][name] for name in THREE} == result.report.best.params
    assert [float(row["total_pnl"]) for row in rows] == sorted(
        (float(row["total_pnl"]) for row in rows), reverse=True
    )


@pytest.mark.parametrize("params", [{}, {"bracket": 1}])
def test_every_row_is_the_run_of_its_window(
    sweep: Sweep, bars: Path, tmp_path: Path, params: dict[str, float]
) -> None:
    result = sweep(params=params)
    searched = result.report.searched_bars
    assert (searched, result.report.embargo_bars, result.report.held_out_bars) == (1_750, 25, 725)
    for row in result.leaderboard:
        request = research.run_request(
            {**ACCOUNT, "data": str(bars), "max_bars": searched, "params": {**params, **row.params}}
        )  # fmt: skip
        single = research.start_run(request, tmp_path / "single", clock=FixedClock())
        assert (single.final_equity, single.trades, single.wins) == (
            row.final_equity,
            row.total_trades,
            row.wins,
        )
        assert single.metrics["fees_usd"] == row.fees
        for name in ("max_drawdown", "sharpe_simple", "profit_factor"):
            assert single.metrics[name] == pytest.approx(getattr(row, name), rel=1e-8)


def test_held_out_figures_are_plain_runs_after_the_embargo(sweep: Sweep, bars: Path, tmp_path: Path) -> None:
    decay = sweep().report.out_of_sample[0]
    first_ns = (1_700_000_040_000 + (1_750 + 25) * 60_000) * 1_000_000
    request = research.run_request(
        {**ACCOUNT, "data": str(bars), "start_ns": first_ns, "params": decay.params}
    )  # fmt: skip
    single = research.start_run(request, tmp_path / "single", clock=FixedClock())
    assert single.bars == 725
    assert single.final_equity - 1_000_000.0 == decay.out_pnl and single.trades == decay.out_trades
    assert single.metrics["sharpe_simple"] == pytest.approx(decay.out_sharpe, rel=1e-8)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "grid"},
        {"method": "random", "trials": 20, "seed": 4, "param_grid": {"fast": "2:20:1", "slow": "10:90:5"}},
        {"method": "tpe", "trials": 60, "seed": 4, "generation": 8,
         "param_grid": {"fast": {"low": 2, "high": 40, "whole": True}, "slow": "10:190:3"}},
    ],
)  # fmt: skip
def test_any_number_of_workers_gives_the_same_tables(sweep: Sweep, changes: dict[str, object]) -> None:
    one = sweep("one", workers=1, **changes)
    three = sweep("three", workers=3, **changes)
    assert tables(one) == tables(three)
    assert one.report.trials == (changes.get("trials") or 9)


def test_an_interpreted_strategy_runs_in_processes_and_gives_the_same(
    sweep: Sweep, bars: Path, strategy: Path, tmp_path: Path
) -> None:
    changes = {"strategy": str(strategy), "param_grid": {"rise": [2, 5, 20], "idle": [1, 2]}}
    one, two = sweep("one", workers=1, **changes), sweep("two", workers=2, **changes)
    assert tables(one) == tables(two)
    verdicts = {axis.name: axis.verdict for axis in one.report.axes}
    assert verdicts == {"rise": "alive", "idle": "dead_axis"}


def test_another_seed_tries_other_combinations(sweep: Sweep) -> None:
    axes = {"fast": {"low": 2, "high": 90, "whole": True}, "slow": "100:400:1"}
    space = {"method": "random", "trials": 15, "param_grid": axes}
    tried = [
        {tuple(row.params.values()) for row in sweep(f"h{seed}", seed=seed, **space).leaderboard}
        for seed in (1, 2)
    ]  # fmt: skip
    assert len(tried[0]) == len(tried[1]) == 15 and tried[0] != tried[1]


def test_combinations_that_make_no_sense_are_rejected_rows_not_failures(sweep: Sweep) -> None:
    result = sweep(param_grid={"fast": [5, 30], "slow": [21, 34]})
    assert (result.report.trials, result.report.rejected) == (4, 1)
    last = result.leaderboard[-1]
    assert last.rejected and last.rank == 0 and "invalid_request" in last.reject_reason
    with pytest.raises(RunFailed, match="below slow"):
        sweep(param_grid={"fast": [50], "slow": [21, 34]})


def test_a_cancelled_sweep_is_resumed_to_the_same_tables(sweep: Sweep, tmp_path: Path) -> None:
    changes = {
        "method": "tpe",
        "trials": 40,
        "generation": 8,
        "param_grid": {"fast": "2:30:1", "slow": "31:200:1"},
    }
    whole = sweep("whole", **changes)
    seen: list[int] = []
    with pytest.raises(RunCancelled):
        sweep(
            "cut",
            on_progress=lambda done, _: seen.append(done),
            is_cancelled=lambda: len(seen) == 3,
            **changes,
        )
    left = list_unfinished(tmp_path / "cut", RealDisk())
    assert [(each.done, each.trials) for each in left] == [(24, 40)]
    with pytest.raises(SweepExists, match="--resume"):
        sweep("cut", **changes)
    assert tables(sweep("cut", resume=True, **changes)) == tables(whole)
    assert list_unfinished(tmp_path / "cut", RealDisk()) == []
    with pytest.raises(NothingToResume):
        sweep("cut", resume=True, **changes)


KILLED = """
    import os, sys
    from pathlib import Path
    from tests.sweep.conftest import request_of
    from engine.research.sweep import evaluate
    from engine.research.sweep.study import run_sweep
    from seams.clock import FixedClock
    from seams.disk import RealDisk

    evaluate.LANE_CHUNK = 3
    def report(done, total):
        print(done, flush=True)
        sys.stdin.readline()
    request = request_of(Path(sys.argv[1]), param_grid={"fast": "2:9:1", "slow": "10:90:10"})
    run_sweep(request, Path(sys.argv[2]), RealDisk(), FixedClock(), on_progress=report)
"""


def test_a_sweep_killed_at_any_moment_is_resumed_to_the_same_tables(
    sweep: Sweep, bars: Path, tmp_path: Path
) -> None:
    grid = {"param_grid": {"fast": "2:9:1", "slow": "10:90:10"}}
    whole = sweep("whole", **grid)
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(bars), str(tmp_path / "cut")]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        for _ in range(5):
            done = int(child.stdout.readline())
            child.stdin.write("\n")
            child.stdin.flush()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert 15 <= done < 72
    trials = next(sweeps_folder(tmp_path / "cut").iterdir()) / "trials.jsonl"
    with trials.open("ab") as file:
        file.write(b'{"number":70,"params":{"fa')  # what a crash tears off
    assert tables(sweep("cut", resume=True, **grid)) == tables(whole)


def test_a_damaged_store_is_refused(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(RunCancelled):
        sweep(is_cancelled=lambda: True)
    trials = next(sweeps_folder(tmp_path / "home").iterdir()) / "trials.jsonl"
    lines = trials.read_bytes().splitlines(keepends=True)
    trials.write_bytes(b"".join([lines[0], b"{]\n", *lines[1:]]))
    with pytest.raises(SweepDamaged):
        sweep(resume=True)
    other = json.loads(lines[1])
    trials.write_bytes(b"".join([*lines, json.dumps({**other, "wins": 99}).encode() + b"\n"]))
    with pytest.raises(SweepDamaged, match="two different results"):
        sweep(resume=True)


def test_a_sweep_is_listed_as_a_run_of_its_own_mode(sweep: Sweep, tmp_path: Path) -> None:
    result = sweep(name="first look")
    found = research.list_runs(tmp_path / "home").runs
    assert [(row.run_id, row.mode) for row in found] == [(result.run_id, "sweep")]
    assert "_sweep_" in result.run_id
    report = json.loads((Path(result.path) / "report.json").read_bytes())
    assert report["machine_contract"]["contract_type"] == "interlock.sweep.result"
    assert report["machine_contract"]["artifacts"]["leaderboard_csv"] == "leaderboard.csv"
    assert research.show_run(tmp_path / "home", result.run_id).row.mode == "sweep"


def test_two_thousand_cells_take_seconds(tmp_path: Path, sweep: Sweep) -> None:
    write_bars(tmp_path / "BTCUSD_1m.csv", 20_000)
    began = time.monotonic()
    result = sweep(param_grid={"fast": "2:41:1", "slow": "50:99:1"}, in_sample=1.0)
    assert result.report.trials == 2_000
    assert time.monotonic() - began < 60.0
    assert result.report.out_of_sample == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"param_grid": {}}, "at least one parameter"),
        ({"param_grid": {"fast": "9:5:1"}}, "step must be above 0"),
        ({"param_grid": {"fast": [3, 3]}}, "each value once"),
        ({"param_grid": {"fast": ["x"]}}, "not a number"),
        ({"param_grid": {"fast": {"low": 2, "high": 9}}}, "needs values for every parameter"),
        ({"params": {"fast": 3}}, "fixed or swept"),
        ({"trials": 5}, "the grid has 9"),
        ({"method": "random"}, "trials must be"),
        ({"method": "annealing"}, "Invalid enum value"),
        ({"in_sample": 0}, "in_sample"),
        ({"tickets": 3}, "a sweep has no tickets"),
        ({"in_sample": 0.99, "embargo_bars": 100}, "leave nothing"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    sweep: Sweep, bars: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(RunFailed, match=says):
        sweep(**changes)


def test_axes_are_written_in_many_ways(bars: Path) -> None:
    request = request_of(bars, method="random", trials=3, param_grid={
        "fast": "5:50:5", "slow": {"start": 60, "stop": 61, "step": 0.25}, "stop_atr": "1,2.5",
        "trail_atr": 3, "target_atr": {"low": 0.5, "high": 50, "log": True},
    })  # fmt: skip
    axes = {axis.name: axis for axis in request.axes}
    assert axes["fast"].values == tuple(float(value) for value in range(5, 51, 5))
    assert axes["slow"].values == (60.0, 60.25, 60.5, 60.75, 61.0)
    assert axes["stop_atr"].values == (1.0, 2.5) and axes["trail_atr"].values == (3.0,)
    assert axes["target_atr"].is_log and axes["target_atr"].high == 50.0
    with pytest.raises(RunFailed, match="at least one"):
        make_request({"strategy": "ema_cross", "data": "x.csv"})


def test_a_strategy_in_the_subset_is_forged_and_one_outside_it_interpreted_with_the_same_bits(
    bars: Path, strategy: Path, tmp_path: Path
) -> None:
    request = request_of(bars, strategy=str(strategy), param_grid={"rise": [2, 5, 20]})
    plan = make_plan(request, tmp_path, RealDisk())
    field = Field(request.base, plan.config, plan.searched)
    trials = next_trials(request, {}, plan.interval_ns)
    choice = field.choose(trials[0])
    assert not field.is_interpreted(choice)
    outside = tmp_path / "outside.py"
    outside.write_text(strategy.read_text().replace("before = self.last", STRANGE))
    same = request_of(bars, strategy=str(outside), param_grid={"rise": [2, 5, 20]})
    other = Field(same.base, plan.config, plan.searched)
    assert other.is_interpreted(other.choose(trials[0]))
    assert other.results(trials, 1) == field.results(trials, 2)


def test_flip_lanes_tell_how_far_they_are_before_a_second_is_over(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk is as large as its bars allow, so progress comes while they run; the results are the same."""
    request = request_of(bars, strategy="ema_cross", param_grid={"fast": "2:20:1", "slow": "21:40:1"})
    plan = make_plan(request, tmp_path, RealDisk())
    field = Field(request.base, plan.config, plan.searched)
    trials = next_trials(request, {}, plan.interval_ns)
    assert len(trials) == 380 and field.is_flip(field.choose(trials[0]))
    with LocalExecutor(field, 2) as executor:
        (whole,) = executor.results(trials)
        monkeypatch.setattr(evaluate, "LANE_BARS", 50 * field.count)
        parts = list(executor.results(trials))
        monkeypatch.setattr(evaluate, "LANE_BARS", 1)
        least = next(iter(executor.results(trials)))
    assert [len(part) for part in parts] == [100, 100, 100, 80] and len(least) == 2
    assert [result for part in parts for result in part] == whole


STRANGE = "before = [self.last for _ in range(1)][0]"


def test_a_combination_whose_strategy_raises_is_rejected(sweep: Sweep, strategy: Path) -> None:
    strategy.write_text(strategy.read_text().replace("change =", "change = 0.0 / (self.idle - 2.0) +"))
    result = sweep(strategy=str(strategy), param_grid={"idle": [1, 2, 3]})
    (reason,) = [row.reject_reason for row in result.leaderboard if row.rejected]
    assert re.fullmatch(r"strategy_failed: \w+\.py:\d+", reason)


def test_bars_that_do_not_pass_are_refused_not_rejected(sweep: Sweep, bars: Path) -> None:
    lines = bars.read_text().splitlines()
    lines[40] = lines[40].replace(",5.0", ",-5.0")
    bars.write_text("\n".join(lines) + "\n")
    with pytest.raises(Exception, match=r"row|volume"):
        sweep()
