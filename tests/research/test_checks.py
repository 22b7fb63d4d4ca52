"""Who looks ahead, or depends on where the data begin, is caught; who does not, passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.api import research
from engine.research.schemas import Check
from seams.clock import FixedClock
from tests.research.market import write_bars

HEAD = "from interlock import Bar, Strategy, param\n"

READS_THE_RUN = (
    HEAD
    + '''
import sys


class Peeks(Strategy):
    """Walks up to the frame that holds the bars and reads the next close."""

    def on_bar(self, bar: Bar):
        frame = sys._getframe()
        while frame is not None and "bars" not in frame.f_locals:
            frame = frame.f_back
        closes = frame.f_locals["bars"].close
        ahead = closes[min(bar.index + 3, len(closes) - 1)]
        return 1 if ahead > bar.close else -1
'''
)

KNOWS_THE_FILE = (
    HEAD
    + '''
FUTURE = [float(line.split(",")[4]) for line in open({path!r}).read().splitlines()[1:]]


class Knows(Strategy):
    """Has all closes in a global array."""

    def on_bar(self, bar: Bar):
        ahead = FUTURE[min(bar.index + 10, len(FUTURE) - 1)]
        return 1 if ahead > FUTURE[bar.index] else -1
'''
)

THROWS_DICE = (
    HEAD
    + """
import random


class Dice(Strategy):
    def on_bar(self, bar: Bar):
        return random.choice((-1, 1))
"""
)

NEVER_FORGETS = (
    HEAD
    + """
class Mean(Strategy):
    def on_start(self):
        self.total = 0.0
        self.count = 0

    def on_bar(self, bar: Bar):
        self.total += bar.close
        self.count += 1
        return 1 if bar.close > self.total / self.count else -1
"""
)

CALENDAR = (
    HEAD
    + """
class Calendar(Strategy):
    def on_bar(self, bar: Bar):
        return 1 if bar.ts_ns // 3_600_000_000_000 % 2 else -1
"""
)

HONEST = (
    HEAD
    + """
class Momentum(Strategy):
    fast = param(5, low=1, high=50)

    def on_start(self):
        self.closes = []

    def on_bar(self, bar: Bar):
        self.closes = [*self.closes, bar.close][-self.fast:]
        return 1 if bar.close > self.closes[0] else -1
"""
)


def run(folder: Path, source: str = "", **fields: object) -> research.RunResult:
    bars = write_bars(folder / "BTCUSD_1m.csv", 4_000)
    if source:
        path = folder / "own.py"
        path.write_text(source.replace("{path!r}", repr(str(bars))))
        fields["strategy"] = str(path)
    return research.start_run(research.run_request({"data": str(bars), **fields}), folder, clock=FixedClock())


def found(result: research.RunResult, name: str) -> Check:
    return next(check for check in result.checks if check.name == name)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (READS_THE_RUN, "prefix_differs"),
        (KNOWS_THE_FILE, "knows_the_future"),
        (THROWS_DICE, "prefix_differs"),
    ],
    ids=["reads the bars of the run", "has the future in a global array", "is not deterministic"],
)
def test_a_cheat_fails_the_look_ahead_check_and_loses_trust(tmp_path: Path, source: str, reason: str) -> None:
    result = run(tmp_path, source)
    check = found(result, "look_ahead")
    assert (check.status, check.reason) == ("failed", reason), check.detail
    assert (result.status, result.trust) == ("success", "failed")
    row = research.list_runs(tmp_path).runs[0]
    assert (row.status, row.trust) == ("success", "failed")


def test_a_strategy_that_never_forgets_where_the_data_begin_fails_the_warm_up(tmp_path: Path) -> None:
    result = run(tmp_path, NEVER_FORGETS)
    assert found(result, "look_ahead").status == "passed"
    assert found(result, "warm_up").reason == "never_settles"
    assert result.trust == "failed"


def test_a_calendar_rule_is_told_from_a_cheat(tmp_path: Path) -> None:
    check = found(run(tmp_path, CALENDAR), "look_ahead")
    assert check.status == "passed" and "do not depend on prices" in check.detail


def test_an_honest_strategy_of_ones_own_passes(tmp_path: Path) -> None:
    result = run(tmp_path, HONEST)
    assert result.trust == "passed", result.checks


@pytest.mark.parametrize("preset", ["oracle-flip", "oracle-bracket", "trend-rsi"])
def test_bundled_presets_pass_and_the_evidence_says_how_far_it_looked(tmp_path: Path, preset: str) -> None:
    result = run(tmp_path, preset=preset)
    assert result.trust == "passed", result.checks
    metrics = json.loads((Path(result.path) / "metrics.json").read_bytes())
    assert metrics["trust"] == "passed"
    assert {check["name"] for check in metrics["checks"]} == {"look_ahead", "warm_up"}
    assert all(check["points"] > 0 and check["bars"] > 0 for check in metrics["checks"])
    report = (Path(result.path) / "report.md").read_text()
    assert "trust: **passed**" in report and "mirrored future" in report


def test_what_cannot_be_checked_says_why(tmp_path: Path) -> None:
    result = run(tmp_path, preset="oracle-flip", max_bars=10)
    assert result.trust == "not_checked"
    assert {check.reason for check in result.checks} == {"too_few_bars"}
