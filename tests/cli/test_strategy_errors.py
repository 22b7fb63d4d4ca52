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


@pytest.mark.parametrize(
    ("source", "place", "says"),
    [
        ("class A(Strategy):\n    def on_bar(self, bar)\n        return 1\n", 3, "expected ':'"),
        ("class A(Strategy):\n    fast = param(9, low=20, high=40)\n", 3, "outside"),
        ("import nowhere_at_all\n", 2, "No module named"),
    ],
)
def test_a_file_that_does_not_load_says_to_correct_it_at_its_line(run, tmp_path, source, place, says):
    file = tmp_path / "bad.py"
    file.write_text(f"from interlock import Strategy, param\n{source}")
    code, said = run("--strategy", str(file))
    assert (code, said["code"]) == (1, "strategy_invalid")
    assert said["message"].startswith(f"{file}:{place}: ") and says in said["message"]
    assert "line" in said["correction"]


@pytest.mark.parametrize("answer", ["'long'", "0.7", "float('nan')", "[1]", "object", "2"])
def test_an_answer_that_is_no_wish_is_named_as_it_was_given(run, tmp_path, answer):
    file = tmp_path / "bad.py"
    head = "from interlock import Strategy\nclass A(Strategy):\n    def on_bar(self, bar):\n"
    file.write_text(f"{head}        return {answer}\n")
    code, said = run("--strategy", str(file))
    assert (code, said["code"]) == (1, "strategy_failed")
    assert "on_bar must return None, -1, 0, +1 or a Signal, got" in said["message"]


def test_unknown_text_for_a_choice_is_refused_with_what_there_is(run):
    code, said = run("--strategy", "trend_atr", "--set", "macd_mode=fast")
    assert (code, said["code"]) == (2, "invalid_request")
    assert "none, sign, accel" in said["message"]


def test_a_choice_is_set_by_its_name(run):
    code, said = run("--strategy", "trend_atr", "--set", "macd_mode=none", "--max-bars", "2000")
    assert code == 0 and said["run"]["params"]["macd_mode"] == 0.0
