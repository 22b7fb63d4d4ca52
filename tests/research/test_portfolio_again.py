"""A portfolio run is executed again from its folder: replayed, held against its record, and stressed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from engine.api import data, parity, research
from engine.lifecycle.parity.report import ReplayReport
from engine.lifecycle.parity.trace import Cause
from engine.research.choice import RunFailed
from seams.clock import FixedClock
from tests.research.market import write_bars

LEVELS = """
from interlock import Signal, Strategy, param


class Levels(Strategy):
    period = param(12, low=2, high=60)

    def on_start(self):
        self.closes = []

    def on_bar(self, bar):
        self.closes = [*self.closes[-self.period :], bar.close]
        mean = sum(self.closes) / len(self.closes)
        return Signal(1 if bar.close > mean else -1, strength=0.5, stop=0.5, target=1.0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for at, symbol in enumerate(("AAA", "BBB", "CCC")):
        write_bars(tmp_path / f"{symbol}_1m.csv", 2_500 - 400 * at, seed=at)
    (tmp_path / "levels.py").write_text(LEVELS)
    return tmp_path


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


def start(folder: Path, **fields: object) -> research.RunResult:
    names = [str(folder / f"{symbol}_1m.csv") for symbol in ("AAA", "BBB", "CCC")]
    asked = {"data": names[0], "more_data": names[1:], "max_positions": 3, **fields}
    return research.start_run(research.run_request(asked), folder / "home", clock=FixedClock())


def mixed(folder: Path, **fields: object) -> research.RunResult:
    strategies = {"strategy": "ema_cross", "more_strategies": [str(folder / "levels.py")]}
    return start(folder, **strategies, params={"fast": 5, "Levels.period": 20}, max_bars=2_000, **fields)


def replay(home: Path, run: research.RunResult, **words: str) -> ReplayReport:
    return parity.replay(home, run.run_id, clock=FixedClock(), **words)  # type: ignore[arg-type]


def test_a_portfolio_replays_to_the_bit_from_its_folder_alone(folder: Path, home: Path) -> None:
    run = mixed(folder, close_at_end=True)
    assert run.params["Levels.period"] == 20.0 and run.params["ema_cross.fast"] == 5.0
    made = replay(home, run)
    assert (made.verdict, made.is_evidence, made.is_bit_equal, made.differences) == ("pass", True, True, ())
    assert made.recorded == made.replayed and made.recorded.trades == run.trades > 50


def test_its_files_are_found_where_they_were_moved_or_by_their_content(folder: Path, home: Path) -> None:
    run = mixed(folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for path in [*folder.glob("*_1m.csv"), folder / "levels.py"]:
        path.rename(elsewhere / path.name)
    with pytest.raises(RunFailed, match="--strategy") as error:
        replay(home, run)
    assert error.value.code == "not_reproducible"
    found = {"data": str(elsewhere), "strategy": str(elsewhere / "levels.py")}
    assert replay(home, run, **found).verdict == "pass"
    for path in elsewhere.glob("*_1m.csv"):
        data.import_shaped(path, "desk", path.name[:3], "1m", home, data.AS_IT_IS, ())
        path.unlink()
    assert replay(home, run, strategy=found["strategy"]).verdict == "pass"


def _alter_decision(file: h5py.File) -> None:
    rows = file["decisions"][:]
    rows["side"][-3] = -rows["side"][-3]
    file["decisions"][...] = rows


def _alter_equity(file: h5py.File) -> None:
    file["equity"][-1] += 1.0


@pytest.mark.parametrize("edit", [_alter_decision, _alter_equity])
def test_a_changed_record_is_found(folder: Path, home: Path, edit: Callable[[h5py.File], None]) -> None:
    run = start(folder, preset="oracle-flip")
    with h5py.File(Path(run.path) / "journal.h5", "r+") as file:
        edit(file)
    made = replay(home, run)
    assert made.verdict == "fail" and made.is_bit_equal is False and made.counts


def test_other_bars_of_one_symbol_are_a_cause_of_their_own(folder: Path, home: Path) -> None:
    run = start(folder, preset="oracle-flip")
    write_bars(folder / "BBB_1m.csv", 2_100, seed=77)
    made = replay(home, run)
    assert made.verdict == "invalid" and made.differences[0].cause == Cause.DATA
    with pytest.raises(RunFailed, match="differs: data_sha256, lanes") as error:
        research.validate_run(home, run.run_id)
    assert error.value.code == "not_reproducible"


def test_a_portfolio_is_stressed_as_a_single_run_is(folder: Path, home: Path) -> None:
    run = start(folder, preset="oracle-flip", max_positions=2)
    made = research.validate_run(home, run.run_id, iterations=100)
    gates = {gate.name: gate for gate in made.gates}
    assert gates["trust"].status == "passed" and gates["trades"].status == "passed"
    table = json.loads((Path(run.path) / "metrics.json").read_bytes())["tables"]["per_symbol"]
    results = [row["pnl_usd"] for row in table]
    share = made.concentration.largest_symbol_share
    assert share == (pytest.approx(max(results) / sum(results)) if sum(results) > 0 else None)
    assert [row["slippage_bps"] for row in made.costs.rows] == sorted(
        {
            0.0,
            1.0,
            2.0,
            5.0,
            10.0,
            20.0,
            40.0,
            json.loads((Path(run.path) / "config.json").read_bytes())["slippage_bps"],
        }
    )
    own = next(row for row in made.costs.rows if row["slippage_bps"] == 1.0)
    assert own["total_pnl"] == pytest.approx(run.final_equity - 1e6, abs=1e-6)
    for row in made.sensitivity.rows:
        again = start(
            folder, preset="oracle-flip", max_positions=2, params={str(row["parameter"]): row["value"]}
        )
        assert row["total_pnl"] == pytest.approx(again.final_equity - 1e6, abs=1e-6)
        assert (row["trades"], row["max_drawdown"]) == (
            again.trades,
            pytest.approx(again.metrics["max_drawdown"]),
        )
    assert made.sensitivity.tried == len(made.sensitivity.rows) >= 8
