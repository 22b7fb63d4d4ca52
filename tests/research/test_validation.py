"""Robustness by hand, and the bundle of a run that is first made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import research
from engine.research.choice import RunFailed
from engine.research.robustness import break_even, concentration, monte_carlo, neighbours
from engine.research.validation import Validation
from native.kernel import TRADE_DTYPE
from seams.clock import FixedClock
from tests.research.market import write_bars

DAY = 86_400 * 10**9


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1h.csv", 3_000, minutes=60)


def start(home: Path, bars: Path, **fields: object) -> research.RunResult:
    request = research.run_request({"preset": "oracle-flip", "data": str(bars), **fields})
    return research.start_run(request, home, clock=FixedClock())


def test_break_even_lies_on_the_line_between_two_costs() -> None:
    assert break_even([(0.0, 30.0), (10.0, 10.0), (20.0, -30.0)]) == pytest.approx(12.5)
    assert break_even([(0.0, 30.0), (10.0, 10.0)]) is None
    assert break_even([(0.0, -1.0), (10.0, -9.0)]) is None


def test_neighbours_move_one_parameter_and_whole_ones_stay_whole() -> None:
    own = {"fast": 10.0, "k": 0.5, "zero": 0.0}
    found = neighbours(own)
    assert [each["fast"] for each in found[:4]] == [8.0, 9.0, 11.0, 12.0]
    assert [each["k"] for each in found[4:]] == pytest.approx([0.4, 0.45, 0.55, 0.6])
    assert all(
        sum(each[name] != {"fast": 10.0, "k": 0.5, "zero": 0.0}[name] for name in each) == 1 for each in found
    )


def test_monte_carlo_of_known_chance() -> None:
    # 100 trades of +-1: the sum has mean 0 and deviation 10.
    pnl = np.tile([1.0, -1.0], 50)
    found = monte_carlo(pnl, 1_000.0, 4_000, seed=1)
    assert found.iterations == 4_000
    assert found.pnl_median == pytest.approx(0.0, abs=1.0)
    assert found.pnl_high_95 == pytest.approx(16.4, abs=2.5)
    assert found.chance_of_loss == pytest.approx(0.46, abs=0.04)
    assert found == monte_carlo(pnl, 1_000.0, 4_000, seed=1) != monte_carlo(pnl, 1_000.0, 4_000, seed=2)
    sure = monte_carlo(np.full(30, 2.0), 1_000.0, 200, seed=1)
    assert (sure.chance_of_loss, sure.pnl_low_05, sure.max_drawdown_high_95) == (0.0, 60.0, 0.0)
    assert monte_carlo(np.ones(1), 1.0, 100, seed=1).reason == "fewer_than_2_trades"


def test_many_trades_are_resampled_within_the_budget() -> None:
    assert monte_carlo(np.ones(60_000), 1.0, 5_000, seed=1).iterations == 100


def test_concentration_by_hand() -> None:
    rows = np.zeros(10, TRADE_DTYPE)
    rows["pnl"] = [50, 10, 10, 10, 10, 5, 5, -20, -10, 30]
    rows["lane"] = [0] * 5 + [1] * 5
    equity = np.array([110.0, 110.0, 200.0])
    times = np.array(
        [np.datetime64(text, "ns").astype(np.int64) for text in ("2024-01-31", "2024-02-28", "2024-03-31")]
    )
    found = concentration(rows, equity, times, 100.0)
    assert found.share_of_best == pytest.approx(1.1)
    assert found.pnl_without_best == pytest.approx(-10.0)
    assert found.share_of_best_percent == pytest.approx(0.5)
    assert found.largest_symbol_share == pytest.approx(0.9)
    assert found.share_of_best_month == pytest.approx((9 / 11) / (9 / 11 + 0.1))


def test_a_run_is_made_again_and_stressed(tmp_path: Path, bars: Path) -> None:
    run = start(tmp_path, bars, params={"fast": 10, "slow": 50})
    made = research.validate_run(tmp_path, run.run_id, data=str(bars), iterations=200)
    assert json.loads(Path(made.path).read_bytes())["verdict"] == made.verdict
    levels = {row["slippage_bps"]: row["total_pnl"] for row in made.costs.rows}
    assert levels[1.0] == pytest.approx(run.final_equity - 1_000_000.0)
    assert list(levels.values()) == sorted(levels.values(), reverse=True)
    assert levels[20.0] == made.costs.pnl_at_20_bps > made.costs.rows[-1]["total_pnl"]
    assert made.costs.pnl_costs_doubled < levels[1.0]
    assert {row["parameter"] for row in made.sensitivity.rows} >= {"fast", "slow"}
    assert made.sensitivity.tried == len(made.sensitivity.rows) > made.sensitivity.rejected
    neighbour = next(
        row for row in made.sensitivity.rows if row["parameter"] == "slow" and row["value"] == 55.0
    )
    again = start(tmp_path, bars, params={"fast": 10, "slow": 55})
    assert neighbour["total_pnl"] == pytest.approx(again.final_equity - 1_000_000.0)
    gates = {gate.name: gate.status for gate in made.gates}
    assert gates["trust"] == "passed" and gates["trades"] == "passed"
    assert (gates["median_oos_daily_return"], gates["largest_symbol"]) == ("not_checked", "not_checked")
    assert made == research.validate_run(tmp_path, run.run_id, data=str(bars), iterations=200)


def test_what_cannot_be_made_again_is_not_validated(tmp_path: Path, bars: Path) -> None:
    run = start(tmp_path, bars)
    other = write_bars(tmp_path / "other_1h.csv", 3_000, seed=8, minutes=60)
    for data in (str(other), ""):
        with pytest.raises(RunFailed) as caught:
            research.validate_run(tmp_path, run.run_id, data=data)
        assert caught.value.code == "not_reproducible"
    report = Path(run.path) / "report.json"
    report.write_text(report.read_text().replace(run.decision_sha256, "0" * 64))
    with pytest.raises(RunFailed, match="decisions differ"):
        research.validate_run(tmp_path, run.run_id, data=str(bars))
    with pytest.raises(research.UnknownRun):
        research.validate_run(tmp_path, "20260101_000000_run_0000000")


def test_a_walk_forward_on_the_same_data_closes_its_gate(tmp_path: Path, bars: Path) -> None:
    run = start(tmp_path, bars)
    text = (
        f"strategy: ema_cross\ndata: {bars}\nparam_grid: {{fast: [5, 10], slow: [40]}}\n"
        "rolling: {train_days: 60, test_days: 20}\nembargo_bars: 24\n"
    )
    walked = research.walk_forward(text.encode(), tmp_path)
    made = research.validate_run(tmp_path, run.run_id, data=str(bars), walk_id=walked.walk_id)
    gate = next(each for each in made.gates if each.name == "median_oos_daily_return")
    assert gate.status == ("passed" if (walked.median_oos_daily_return or 0) > 0 else "failed")
    other = write_bars(tmp_path / "other_1h.csv", 3_000, seed=8, minutes=60)
    foreign = research.walk_forward(text.replace(str(bars), str(other)).encode(), tmp_path)
    with pytest.raises(RunFailed) as caught:
        research.validate_run(tmp_path, run.run_id, data=str(bars), walk_id=foreign.walk_id)
    assert caught.value.code == "mixed_contract"


def test_the_gates_pin_the_baseline_they_were_judged_against(tmp_path: Path, bars: Path) -> None:
    """The reference is named with its decisions' hash; it is not held against itself or other costs."""
    own: dict[str, object] = {"preset": "", "strategy": "ema_cross"}
    slow = start(tmp_path, bars, **own, params={"fast": 20, "slow": 60})
    fast = start(tmp_path, bars, **own, params={"fast": 5, "slow": 13})
    dear = start(tmp_path, bars, **own, params={"fast": 5, "slow": 13}, fee_bps=9.0)
    assert research.validate_run(tmp_path, slow.run_id, data=str(bars), iterations=50).baseline is None
    research.set_baseline(tmp_path, slow.run_id)

    def judged(run_id: str) -> tuple[Validation, str]:
        made = research.validate_run(tmp_path, run_id, data=str(bars), iterations=50)
        written = json.loads(Path(made.path).read_bytes())["baseline"]
        assert written["run_id"] == slow.run_id and written["decision_sha256"] == slow.decision_sha256
        return made, next((gate.status for gate in made.gates if gate.name == "baseline_return"), "")

    made, status = judged(fast.run_id)
    mine, theirs = (float(run.metrics["total_return"] or 0.0) for run in (fast, slow))
    assert status == ("passed" if mine >= theirs else "failed") and mine != theirs
    assert made.baseline is not None and made.baseline.total_return == theirs
    made, status = judged(slow.run_id)
    assert status == "" and made.baseline is not None and made.baseline.is_itself
    made, status = judged(dear.run_id)
    assert status == "not_checked" and made.baseline is not None and not made.baseline.is_comparable
