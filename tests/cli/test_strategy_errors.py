"""What the command line says when a strategy cannot be used or fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.api.demo import write_demo_bars

INTERLOCK = str(Path(sys.executable).with_name("interlock"))
FAILING = """from interlock import Strategy


class Bad(Strategy):
    def on_bar(self, bar):
        return 1 // (bar.index - 100)
"""


@pytest.fixture
def run(tmp_path):
    write_demo_bars(tmp_path, 1)

    def start(*arguments: str) -> tuple[int, dict]:
        command = [INTERLOCK, "--home", str(tmp_path), "run", "start", "--data", "sandbox/BTC-PERP/1m"]
        done = subprocess.run([*command, *arguments, "--json"], capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    return start


def test_a_failing_strategy_is_a_refusal_that_names_the_line(run, tmp_path):
    file = tmp_path / "bad.py"
    file.write_text(FAILING)
    code, said = run("--strategy", str(file))
    assert (code, said["ok"], said["code"]) == (1, False, "strategy_failed")
    assert said["message"].startswith(f"{file}:6: ZeroDivisionError: ")


def test_unknown_text_for_a_choice_is_refused_with_what_there_is(run):
    code, said = run("--strategy", "trend_atr", "--set", "macd_mode=fast")
    assert (code, said["code"]) == (2, "invalid_request")
    assert "none, sign, accel" in said["message"]


def test_a_choice_is_set_by_its_name(run):
    code, said = run("--strategy", "trend_atr", "--set", "macd_mode=none", "--max-bars", "2000")
    assert code == 0 and said["run"]["params"]["macd_mode"] == 0.0
