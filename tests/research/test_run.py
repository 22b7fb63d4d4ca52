"""Runs: reproducible, atomic, indexed, comparable."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.api import research
from engine.research import artifacts, publish
from engine.research.choice import RunFailed
from engine.research.run import RunCancelled, RunRequest
from seams.clock import FixedClock
from seams.disk import RealDisk

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    rng = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.002, 3_000)))
    path = tmp_path / "BTCUSD_1m.csv"
    lines = ["ts_ms,open,high,low,close,volume"]
    before = 100.0
    for at, price in enumerate(close):
        high, low = max(before, price) * 1.0005, min(before, price) * 0.9995
        lines.append(f"{1_700_000_040_000 + at * 60_000},{before:.6f},{high:.6f},{low:.6f},{price:.6f},5.0")
        before = price
    path.write_text("\n".join(lines) + "\n")
    return path


def start(home: Path, bars: Path, clock: FixedClock | None = None, **fields: object) -> research.RunResult:
    request = research.run_request({"preset": "oracle-flip", "data": str(bars), **fields})
    return research.start_run(request, home, clock=clock or FixedClock())


def test_same_inputs_give_the_same_hashes_and_metrics(tmp_path: Path, bars: Path) -> None:
    one = start(tmp_path / "a", bars)
    two = start(tmp_path / "b", bars, FixedClock(1_790_000_777 * 10**9))
    for name in ("trades_sha256", "decision_sha256", "data_sha256", "kernel_sha256", "config_hash"):
        assert getattr(one, name) == getattr(two, name) != ""
    for name in ("metrics.json", "config.json", "trades.csv"):
        assert (Path(one.path) / name).read_bytes() == (Path(two.path) / name).read_bytes()


def test_a_run_folder_is_complete_and_strict(tmp_path: Path, bars: Path) -> None:
    result = start(tmp_path, bars)
    folder = Path(result.path)
    assert artifacts.RUN_ID.fullmatch(folder.name)
    assert {*publish.FILES.values(), "artifacts"} == {entry.name for entry in folder.iterdir()}

    def refuse(text: str) -> None:
        raise AssertionError(text)

    for name in ("metadata.json", "config.json", "metrics.json", "report.json"):
        json.loads((folder / name).read_bytes(), parse_constant=refuse)
    report = json.loads((folder / "report.json").read_bytes())
    assert report["artifact_type"] == "interlock.run_report"
    assert report["machine_contract"]["contract_type"] == "interlock.run.result"
    assert len((folder / "trades.csv").read_text().splitlines()) == result.trades + 1


def test_one_line_of_h5py_rebuilds_the_equity_curve(tmp_path: Path, bars: Path) -> None:
    result = start(tmp_path, bars)
    equity = h5py.File(f"{result.path}/journal.h5")["equity"][:]
    assert len(equity) == result.bars == 3_000
    assert equity[-1] == pytest.approx(result.final_equity, abs=1e-6)


def test_two_runs_in_one_second_get_two_folders(tmp_path: Path, bars: Path) -> None:
    assert start(tmp_path, bars).run_id + "_2" == start(tmp_path, bars).run_id


def test_no_trades_is_a_status_not_a_failure(tmp_path: Path, bars: Path) -> None:
    result = start(tmp_path, bars, params={"fast": 100, "slow": 9_000})
    assert (result.status, result.trades) == ("no_trades", 0)
    assert research.list_runs(tmp_path).runs[0].status == "no_trades"


@pytest.mark.parametrize("name", ["metadata.json", "trades.csv", "journal.h5", "report.json", "publish"])
def test_a_crash_at_any_file_leaves_no_run(
    tmp_path: Path, bars: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put = artifacts.Staging.put

    def failing(self: artifacts.Staging, file: str, content: artifacts.Fill) -> artifacts.Artifact:
        if file == name:
            raise OSError(28, "No space left on device")
        return put(self, file, content)

    def unpublished(self: artifacts.Staging) -> Path:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(artifacts.Staging, "put", failing)
    if name == "publish":
        monkeypatch.setattr(artifacts.Staging, "publish", unpublished)
    with pytest.raises(OSError):
        start(tmp_path, bars)
    assert list((tmp_path / "outputs" / "runs").iterdir()) == []
    note = json.loads(next((tmp_path / "outputs" / "failed").iterdir()).read_bytes())
    assert note["error_type"] == "OSError"


def test_what_a_killed_process_left_is_swept_and_never_listed(tmp_path: Path, bars: Path) -> None:
    left = tmp_path / "outputs" / "runs" / ".staging-20260101_000000_run_0000000-999999999"
    left.mkdir(parents=True)
    assert research.list_runs(tmp_path).excluded == ()
    start(tmp_path, bars)
    assert not left.exists()


def test_the_three_index_files_agree_and_damage_is_named(tmp_path: Path, bars: Path) -> None:
    damaged = tmp_path / "outputs" / "runs" / "20260101_000000_run_0000000"
    damaged.mkdir(parents=True)
    (damaged / "report.json").write_text("{")
    (damaged / "metadata.json").write_text("{}")
    start(tmp_path, bars)
    start(tmp_path, bars, preset="oracle-bracket")
    outputs = tmp_path / "outputs"
    index = json.loads((outputs / "runs_index.json").read_bytes())
    rows = list(csv.DictReader((outputs / "runs_index.csv").open()))
    ids = [row["run_id"] for row in index["runs"]]
    assert index["n_runs"] == 2 and [row["run_id"] for row in rows] == ids
    markdown = (outputs / "runs_index.md").read_text().splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in markdown] == ids
    assert index["excluded"] == [{"path": damaged.name, "reason": "damaged_report"}]


def test_comparison_shows_the_delta_and_flags_mixed_contracts(tmp_path: Path, bars: Path) -> None:
    one, two = start(tmp_path, bars), start(tmp_path, bars, params={"fast": 9})
    same = research.compare_runs(tmp_path, (one.run_id, two.run_id, "20260101_000000_run_0000000"))
    assert same.contract == "same" and set(same.config_delta) == {"params"}
    assert [each.run_id for each in same.excluded] == ["20260101_000000_run_0000000"]
    dear = start(tmp_path, bars, fee_bps=9.0)
    mixed = research.compare_runs(tmp_path, (one.run_id, dear.run_id))
    assert (mixed.contract, mixed.mixed_keys) == ("mixed_contract", ("fee_bps",))
    best = research.best_run(tmp_path, "total_return")
    assert best is not None and best.run_id != dear.run_id
    report = Path(best.path) / "report.json"
    report.write_text(json.dumps(json.loads(report.read_bytes()) | {"trust": "failed"}))
    other = research.best_run(tmp_path, "total_return")
    assert other is not None and other.run_id not in (best.run_id, dear.run_id)
    detail = research.show_run(tmp_path, one.run_id, points=100)
    assert 50 < len(detail.curve_ns) == len(detail.equity) <= 100
    assert max(detail.drawdown) == detail.metrics["max_drawdown"]
    assert [check.name for check in detail.checks] == ["look_ahead", "warm_up"]
    with pytest.raises(research.UnknownRun):
        research.show_run(tmp_path, "../../etc")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"preset": "", "strategy": "nope"}, "unknown_strategy"),
        ({"preset": "nope"}, "invalid_request"),
        ({"params": {"nope": 1}}, "invalid_request"),
        ({"data": "no-such-set"}, "invalid_request"),
        ({"start_ns": 1, "end_ns": 2}, "no_bars"),
    ],
)
def test_a_wrong_request_is_refused_by_code(
    tmp_path: Path, bars: Path, fields: dict[str, object], code: str
) -> None:
    with pytest.raises(RunFailed) as caught:
        start(tmp_path, bars, **fields)
    assert caught.value.code == code


def test_cancelling_writes_nothing_and_progress_reaches_the_end(tmp_path: Path, bars: Path) -> None:
    seen: list[tuple[int, int]] = []
    request = RunRequest(preset="oracle-flip", data=str(bars))
    with pytest.raises(RunCancelled):
        research.start_run(request, tmp_path, is_cancelled=lambda: True)
    assert RealDisk().list(tmp_path / "outputs" / "runs") == []
    research.start_run(request, tmp_path, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3_000, 3_000)


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "oracles" / "backtest.json").exists(), reason="no shared material")
@pytest.mark.parametrize("preset", ["flip", "bracket"])
def test_known_answers(tmp_path: Path, preset: str) -> None:
    oracle = json.loads((SHARED / "oracles" / "backtest.json").read_bytes())
    for case in oracle["cases"]:
        path = next((SHARED / "data").rglob(case["file"]), None)
        if path is None or case["rows"] != "all" or case[preset]["bars"] > 100_000:
            continue
        params = {"fast": case["fast"], "slow": case["slow"]}
        result = start(tmp_path, path, preset=f"oracle-{preset}", params=params)
        assert (result.trades, result.wins) == (case[preset]["trades"], case[preset]["wins"])
        assert result.final_equity == pytest.approx(case[preset]["final_equity"], abs=1e-6)
        assert result.trades_sha256 == case[preset]["trades_sha256"]
