"""`run start --export-trades FILE --trace FILE`: the run's own record, and nothing is replaced (OC-24)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from console.cli.app import run as command_line
from engine.api.demo import write_demo_bars
from engine.journal import read_table
from native.codes import Action, Reason

START = ["run", "start", "--strategy", "ema_cross", "--data", "sandbox/BTC-PERP/1m", "--max-bars", "1500",
         "--set", "fast=3", "--set", "slow=8", "--json"]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    write_demo_bars(tmp_path / "home", seed=1)
    return tmp_path


def test_trades_and_trace_are_the_runs_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trades, trace = home / "trades.csv", home / "trace.jsonl"
    assert command_line([*START, "--export-trades", str(trades), "--trace", str(trace)]) == 0
    made = json.loads(capsys.readouterr().out)
    folder = Path(made["run"]["path"])
    assert [each["what"] for each in made["exports"]] == ["trades", "trace"]
    assert trades.read_bytes() == (folder / "trades.csv").read_bytes()
    rows = list(csv.DictReader(trades.open()))
    assert len(rows) == made["run"]["trades"] == made["exports"][0]["rows"] > 20
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    kept = read_table(folder / "journal.h5", "decisions")
    assert len(lines) == len(kept) == made["exports"][1]["rows"] > 40
    for line, row in zip(lines, kept, strict=True):
        assert (line["ts_ns"], line["step"], line["side"], line["price"]) == (
            row["ts_ns"], row["step"], row["side"], row["price"],
        )  # fmt: skip
        assert line["action"] == Action(row["action"]).name.lower() and line["symbol"] == "BTC-PERP"
        assert line["reason"] == Reason(row["reason"]).code and line["quantity"] == row["units"] / 1e6
    assert {"open", "close"} <= {line["action"] for line in lines}


@pytest.mark.parametrize("option", ["--export-trades", "--trace"])
def test_a_file_that_is_there_stops_the_run_before_it_starts(
    home: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = home / "taken"
    taken.write_text("mine")
    assert command_line([*START, option, str(taken)]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "export_exists"
    assert taken.read_text() == "mine" and not list((home / "home" / "outputs").glob("runs/2*"))


def test_one_name_for_both_and_a_folder_that_is_not_there_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = str(home / "both")
    assert command_line([*START, "--export-trades", both, "--trace", both]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "export_exists"
    assert command_line([*START, "--trace", str(home / "nowhere" / "trace")]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "not_found"
