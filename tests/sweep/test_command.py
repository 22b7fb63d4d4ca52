"""`interlock sweep` and `interlock bench` as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import sweep as sweep_benchmark
from console.cli import bench
from console.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
SLOW = '''
import os
import time
from interlock import Strategy, param, Bar


class Slow(Strategy):
    """One decision, after a while."""

    nth = param(5, low=1, high=500)

    def on_bar(self, bar: Bar):
        if bar.index == self.nth:
            time.sleep(0.05 if self.nth <= 32 else float(os.environ["REST_S"]))
            return 1
        return None
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = run([*words, "--json"])
    body = json.loads(capsys.readouterr().out)
    assert isinstance(body, dict)
    return code, body


def test_a_file_and_the_command_line_make_one_sweep(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"strategy: ema_cross\ndata: {bars}\nobjective: score_v1\nfee_bps: 1.5e-1\n"
        "param_grid:\n  fast: [3, 5]\n  slow: 20:40:10\n"
    )
    code, body = call(
        capsys, "sweep", "start", str(file), "fast=7,9,11", "--in-sample", "1", "--workers", "1"
    )
    assert code == 0, body
    result = body["sweep"]
    assert code == 0 and isinstance(result, dict)
    assert result["report"]["trials"] == 9 and result["report"]["request"]["objective"] == "score_v1"
    assert {row["params"]["fast"] for row in result["leaderboard"]} == {7.0, 9.0, 11.0}
    code, body = call(capsys, "sweep", "list")
    assert [row["run_id"] for row in body["sweeps"]] == [result["run_id"]] and body["unfinished"] == []  # type: ignore[attr-defined]
    code, body = call(capsys, "sweep", "show", "--top", "2")
    assert len(body["sweep"]["leaderboard"]) == 2  # type: ignore[index,arg-type]
    code, body = call(capsys, "sweep", "best", result["run_id"])
    assert body["sweep"]["best"] == result["report"]["best"]  # type: ignore[index]
    assert run(["sweep", "show"]) == 0
    text = capsys.readouterr().out
    assert "rank" in text and "without skill" in text
    code, body = call(capsys, "sweep", "best", "20200101_000000_sweep_0000000")
    assert (code, body["code"]) == (1, "unknown_run")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--grid", "fast"], "bad_parameter", "name=values"),
        (["--grid", "fast=1:2:1", "fast=3"], "bad_parameter", "given twice"),
        (["no-such.yaml"], "not_found", "no-such.yaml"),
        (["--strategy", "ema_cross", "--data", "x.csv"], "invalid_request", "at least one parameter"),
        (["--strategy", "nope", "--data", "x.csv", "a=1"], "unknown_strategy", "nope"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_code(
    words: list[str], code: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, body = call(capsys, "sweep", "start", *words)
    assert status in (1, 2) and body["code"] == code and says in str(body["message"])


def _hear_interrupts() -> None:
    """A shell starts what it puts in the background deaf to Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_a_sweep_that_can_be_resumed(tmp_path: Path, bars: Path, home: Path) -> None:
    strategy = tmp_path / "slow.py"
    strategy.write_text(SLOW)
    words = [sys.executable, "-m", "interlock", "sweep", "start", "--strategy", str(strategy), "--json",
             "--data", str(bars), "--grid", "nth=1:60:1", "--workers", "2", "--in-sample", "1"]  # fmt: skip
    child = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "REST_S": "3"}, preexec_fn=_hear_interrupts,
    )  # fmt: skip
    trials = home / "outputs" / "sweeps"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(file.read_bytes().count(b"\n") for file in trials.glob("*/*")) >= 17:
            break
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    body = json.loads(out)
    assert body["code"] == "interrupted" and "--resume" in body["correction"]
    again = subprocess.run(
        [*words, "--resume"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "REST_S": "0.01"},
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["sweep"]["report"]["trials"] == 60


def test_benchmarks_that_are_not_here_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    code, body = call(capsys, "bench", "sweep")
    assert (code, body["code"]) == (2, "not_installed") and "checkout" in str(body["correction"])


def test_a_benchmark_shows_ours_c_and_their_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = sweep_benchmark.measure
    monkeypatch.setattr(sweep_benchmark, "measure", lambda: measure(bars=3_000, rounds=1))
    code, body = call(capsys, "bench", "sweep")
    assert code == 0
    rows = body["rows"]
    assert isinstance(rows, list) and len(rows) == 6
    assert all(row["ours"] > 0 and row["c"] > 0 and row["ratio"] > 0 for row in rows)
    monkeypatch.setattr(sweep_benchmark, "rows", lambda: ([], False))
    code, body = call(capsys, "bench", "sweep")
    assert (code, body["code"]) == (1, "checks_failed")
