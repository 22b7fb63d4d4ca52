"""Runs and sweeps driven from files, offline and deterministic, read by documented fields."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.consumer import Documented, Undocumented, outcome, signals

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = Path(__file__).resolve().parents[2]
SIGNAL_KEYS = {"schema_version", "event", "status", "mode", "request_id", "timestamp"}


def drive(home: Path, *words: str) -> tuple[int, dict[str, object]]:
    """Run a command in the folder of the fixtures; return its exit code and its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "interlock", *words, "--json"],
        cwd=FIXTURES,
        env={**os.environ, "INTERLOCK_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_run_from_a_file_is_found_by_documented_fields_and_is_deterministic(tmp_path: Path) -> None:
    found = []
    for home in (tmp_path / "a", tmp_path / "b"):
        home.mkdir()
        code, _ = drive(home, "run", "start", "--json-request", "run.json", "--signal-file", str(home / "s"))
        assert code == 0
        first, last = signals(home / "s")
        assert (first["event"], first["status"]) == ("SESSION_STARTED", "running")
        assert (last["event"], last["status"]) == ("SESSION_COMPLETED", "success")
        assert set(first) == SIGNAL_KEYS
        assert set(last) == SIGNAL_KEYS | {"run_id", "artifacts_path", "report_path", "runs_index_json"}
        assert {line["request_id"] for line in (first, last)} == {"R-fixture-1"}
        seen = outcome(Path(str(last["report_path"])))
        assert seen["request_id"] == "R-fixture-1" and seen["run_id"] == last["run_id"]
        metadata = Documented.read(Path(str(last["artifacts_path"])) / "metadata.json", "run.metadata")
        assert metadata["request_id"] == "R-fixture-1"
        index = Documented.read(Path(str(last["runs_index_json"])), "runs_index")
        assert index["n_runs"] == 1
        found.append({name: value for name, value in seen.items() if name not in ("run_id",)})
    assert found[0] == found[1]
    assert found[0]["contract_type"] == "interlock.run.result" and found[0]["status"] == "success"
    assert found[0]["rows"] == found[0]["trades"] == 45
    assert found[0]["reproduce"] == (
        "interlock run start --data BTCUSD_1h.csv --strategy ema_cross --set fast=10 --set slow=40"
    )


def test_a_sweep_from_a_file(tmp_path: Path) -> None:
    code, _ = drive(
        tmp_path, "sweep", "start", "--json-request", "sweep.json", "--signal-file", str(tmp_path / "s")
    )
    assert code == 0
    last = signals(tmp_path / "s")[-1]
    assert (last["event"], last["mode"], last["request_id"]) == ("SESSION_COMPLETED", "sweep", "R-fixture-2")
    seen = outcome(Path(str(last["report_path"])))
    assert (seen["contract_type"], seen["mode"]) == ("interlock.sweep.result", "sweep")
    assert "leaderboard.csv" in seen["files"]


def test_a_forward_session_and_a_portfolio_from_files(tmp_path: Path) -> None:
    params = {"strategy": "ema_cross", "data": "BTCUSD_1h.csv", "params": {"fast": 10, "slow": 40}}
    seen = []
    for command, wanted, words in (
        ("forward", params, ("forward", "start")),
        ("portfolio", {"mode": "equal_weight", "compares": True}, ("portfolio", "aggregate")),
    ):
        request, told = tmp_path / f"{command}.json", tmp_path / f"{command}.signals"
        body = {"schema_version": "1.0", "request_id": f"R-{command}", "command": command, "params": wanted}
        request.write_text(json.dumps(body))
        code, answer = drive(tmp_path, *words, "--json-request", str(request), "--signal-file", str(told))
        assert code == 0, answer
        first, last = signals(told)
        assert (first["event"], last["event"]) == ("SESSION_STARTED", "SESSION_COMPLETED")
        assert {line["request_id"] for line in (first, last)} == {f"R-{command}"}
        seen.append(json.loads(Path(str(last["report_path"])).read_bytes()))
    assert seen[0]["bars"] == 1_500 and seen[0]["trades"] == 45
    assert (seen[1]["mode"], seen[1]["request_id"]) == ("equal_weight", "R-portfolio")


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": "2.0"},
        {"command": "sweep"},
        {"params": {"data": "BTCUSD_1h.csv", "strategy": "ema_cross", "speed": 9}},
        {"params": {"strategy": "ema_cross"}},
        {"surprise": 1},
        {"request_id": 7},
    ],
    ids=["version", "command", "unknown parameter", "no data", "unknown key", "id"],
)
def test_a_wrong_request_exits_2_and_says_so(tmp_path: Path, change: dict[str, object]) -> None:
    request = {**json.loads((FIXTURES / "run.json").read_bytes()), **change}
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request))
    code, body = drive(tmp_path, "run", "start", "--json-request", str(path))
    assert (code, body["ok"]) == (2, False)


def test_a_sweep_without_a_file_exits_2(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text('{"schema_version": "1.0", "command": "sweep", "params": {}}')
    told = tmp_path / "signals"
    words = ("--json-request", str(path), "--signal-file", str(told))
    code, body = drive(tmp_path, "sweep", "start", *words)
    assert code == 2 and "config_path" in str(body["message"])
    path.write_text("no request")
    assert drive(tmp_path, "run", "start", *words)[0] == 2
    assert [(line["event"], line["mode"], line["exit_code"]) for line in signals(told)] == [
        ("SESSION_FAILED", "sweep", 2), ("SESSION_FAILED", "run", 2)
    ]  # fmt: skip


def test_a_failing_run_signals_its_failure_and_an_unwritable_file_does_not_fail_a_run(tmp_path: Path) -> None:
    words = ("run", "start", "--json-request", "run.json", "--strategy", "nope")
    code, body = drive(tmp_path, *words, "--signal-file", str(tmp_path / "s"))
    last = signals(tmp_path / "s")[-1]
    assert (last["event"], last["status"], last["exit_code"]) == ("SESSION_FAILED", "error", code)
    assert last["error_type"] == body["code"] == "unknown_strategy" and last["message"]
    missing = tmp_path / "no" / "folder" / "s"
    assert (
        drive(tmp_path, "run", "start", "--json-request", "run.json", "--signal-file", str(missing))[0] == 0
    )


def test_the_consumer_cannot_read_what_no_document_promises(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"status": "success", "secret": 1}')
    metrics = Documented.read(path, "run.metrics")
    assert metrics["status"] == "success"
    with pytest.raises(Undocumented):
        metrics["secret"]


def test_every_field_of_a_signal_is_in_the_consumers_runbook() -> None:
    text = (ROOT / "runbooks" / "consumers.md").read_text(encoding="utf-8")
    for name in (*SIGNAL_KEYS, "run_id", "artifacts_path", "report_path", "runs_index_json", "exit_code",
                 "error_type", "message", "config_path", "machine_contract", "trust"):  # fmt: skip
        assert f"`{name}`" in text, name
