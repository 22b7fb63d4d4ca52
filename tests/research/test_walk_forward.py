"""Walk-forward: windows never touch, the choice is the training's, and the tables say what was done."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.api import research
from engine.research.choice import RunFailed
from engine.research.sweep.trials import Result
from engine.research.walk_forward import Selection, read_walk, select, walk
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

HOUR = 3_600 * 10**9
FILE = """
strategy: ema_cross
data: {data}
param_grid: {{fast: [5, 10, 20], slow: [40, 80]}}
selection: {{sort_by: total_pnl, top_k: 2}}
embargo_bars: 24
{splits}
"""
ROLLING = "rolling: {train_days: 60, test_days: 20}"


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1h.csv", 3_600, minutes=60)


def text(bars: Path, splits: str = ROLLING) -> bytes:
    return FILE.format(data=bars, splits=splits).encode()


def test_every_split_chooses_by_training_and_tests_after_the_embargo(tmp_path: Path, bars: Path) -> None:
    result = research.walk_forward(text(bars), tmp_path, clock=FixedClock())
    folder = Path(result.path)
    assert {entry.name for entry in folder.iterdir()} == {
        "walkforward.csv", "walkforward_summary.json", "oos_leaderboard.csv", "oos_equity_timeseries.csv",
        "selected_configs.json", "split_metrics.json", "config.json", "report.md", "report.json", "artifacts",
    }  # fmt: skip
    splits = json.loads((folder / "split_metrics.json").read_bytes())
    assert len(splits) == result.splits == 4
    for split in splits:
        gap = np.datetime64(split["test_start"][:-1]) - np.datetime64(split["train_end"][:-1])
        assert gap >= np.timedelta64(25, "h") and split["embargo_bars"] == 24
        assert (split["trials"], split["selected"]) == (6, 2)
    rows = list(csv.DictReader((folder / "walkforward.csv").open()))
    assert len(rows) == result.tested == 8
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert float(first["train_total_return"]) >= float(second["train_total_return"])
    curve = list(csv.DictReader((folder / "oos_equity_timeseries.csv").open()))
    returns = [float(row["test_total_return"]) for row in rows if row["rank"] == "1"]
    assert float(curve[-1]["equity"]) == pytest.approx(np.prod([1 + each for each in returns]))
    assert result.oos_return == pytest.approx(float(curve[-1]["equity"]) - 1)


def test_a_test_figure_is_that_of_a_run_warmed_before_it(tmp_path: Path, bars: Path) -> None:
    request, columns, config, _ = read_walk(text(bars), tmp_path, RealDisk())
    walked = walk(request, columns, config)
    first = walked.tested[0]
    begin = int(np.datetime64(walked.splits[0].test_start[:-1], "ns").astype(np.int64))
    end = int(np.datetime64(walked.splits[0].test_end[:-1], "ns").astype(np.int64)) + HOUR
    run = research.start_run(
        research.run_request(
            {"strategy": "ema_cross", "data": str(bars), "params": first.params, "end_ns": end}
        ),
        tmp_path,
    )
    rows = csv.DictReader((Path(run.path) / "trades.csv").open())
    exits = [int(np.datetime64(row["exit_at"][:-1], "ns").astype(np.int64)) for row in rows]
    # Always in the market: the warmed strategy enters at once and then turns when the whole run turns.
    inside = sum(at > begin + HOUR for at in exits)
    assert int(first.test["trades"] or 0) == inside > 5


def test_the_future_does_not_change_what_was_chosen(tmp_path: Path, bars: Path) -> None:
    """Bars after the last training window must not move any choice of it."""
    request, columns, config, _ = read_walk(text(bars), tmp_path, RealDisk())
    before = walk(request, columns, config)
    cut = int(np.searchsorted(columns.ts_ns, request.splits[0].train_end_ns))
    names = ("open", "high", "low", "close")
    other = {name: getattr(columns, name).copy() for name in names}
    for column in other.values():
        column[cut:] *= np.linspace(1.0, 3.0, len(column) - cut)
    after = walk(request, msgspec.structs.replace(columns, **other), config)
    assert [each.config_id for each in before.tested[:2]] == [each.config_id for each in after.tested[:2]]
    assert before.tested[0].train == after.tested[0].train
    assert before.tested[0].test != after.tested[0].test


@pytest.mark.parametrize(
    ("splits", "code"),
    [
        ("splits: [{name: a, train: {start: 2023-11-15, end: 2024-01-20}, "
         "test: {start: 2024-01-10, end: 2024-02-01}}]", "invalid_request"),
        ("splits: [{name: a, train: {start: 2023-11-15, end: 2024-01-20}, "
         "test: {start: 2024-01-20, end: 2024-01-21}}]", "no_bars"),
        ("splits: [{name: a, train: {start: 2023-11-15}}]", "invalid_request"),
        ("", "invalid_request"),
        ("rolling: {train_days: 600, test_days: 20}", "invalid_request"),
        (ROLLING + "\nselection: {sort_by: luck}", "invalid_request"),
    ],
    ids=["overlap", "embargo eats the test", "no test", "no windows", "too short", "unknown key"],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path: Path, bars: Path, splits: str, code: str) -> None:
    with pytest.raises(RunFailed) as caught:
        research.walk_forward(text(bars, splits), tmp_path)
    assert caught.value.code == code
    assert not list((tmp_path / "outputs").glob("walkforward/2*"))


def test_constraints_leave_a_split_without_a_choice_rather_than_a_bad_one(tmp_path: Path, bars: Path) -> None:
    result = research.walk_forward(
        text(bars, f"{ROLLING}\nconstraints: {{min_trade_trades: 100000}}"), tmp_path
    )
    assert (result.tested, result.oos_return) == (0, None)


def test_a_damaged_walk_forward_does_not_hide_the_others(tmp_path: Path, bars: Path) -> None:
    good = research.walk_forward(text(bars), tmp_path, clock=FixedClock())
    other = Path(good.path).with_name("20260101_000000_walkforward_0000000")
    other.mkdir()
    (other / "walkforward_summary.json").write_text('{"walk_id": "x", "of_another_build": 1}')
    assert [row.walk_id for row in research.list_walks(tmp_path)] == [good.walk_id]


def test_selection_sorts_both_ways_and_ties_go_by_id() -> None:
    results = [
        Result(number=number, params={}, config_id=name, total_pnl=pnl, max_drawdown=fall)
        for number, (name, pnl, fall) in enumerate([("b", 5.0, 0.1), ("a", 5.0, 0.2), ("c", 9.0, 0.3)])
    ]
    best = select(results, Selection(sort_by="total_pnl", top_k=2), HOUR)
    assert [each.config_id for each in best] == ["c", "a"]
    calm = select(results, Selection(sort_by="max_drawdown", ascending=True, top_k=1), HOUR)
    assert [each.config_id for each in calm] == ["b"]
