"""Figures as people read them: by their unit, numbers to the right, nothing as Python writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.cli import output
from tests.research.market import write_bars

from .conftest import Shell


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max_drawdown", 0.0086826, "0.87 %"),
        ("max_drawdown", 6.6e-05, "0.0066 %"),
        ("final_equity", 1e6, "1,000,000.00"),
        ("longest_drawdown_s", 52_700_400.0, "610.0 days"),
        ("trades", 20_128, "20,128"),
        ("fast", 12.0, "12"),
        ("pid", 20_128, "20128"),
        ("sortino", None, "-"),
        ("largest", {"after_ns": 7, "missing": None}, "after_ns 7, missing -"),
        ("after_ns", 1_546_855_200_000_000_000, "2019-01-07T10:00:00.000Z"),
        ("latency_ns", 60_000_000_000, "60000000000"),
        ("notes", ["line one skipped", "column x ignored"], "line one skipped; column x ignored"),
    ],
)
def test_a_cell_is_written_by_the_unit_of_its_name(name: str, value: object, said: str) -> None:
    assert output.cell(value, output.MAX_FACT, name) == said


def test_numbers_end_alike_and_words_begin_alike() -> None:
    rows = [
        {"name": "a", "trades": 5, "total_return": None},
        {"name": "bcd", "trades": 1500, "total_return": 0.5},
    ]
    assert output.table(rows, ("name", "trades", "total_return"), "").splitlines() == [
        "name  trades  total_return",
        "a          5             -",
        "bcd    1,500       50.00 %",
    ]


def test_a_run_is_shown_in_reading_order_with_why_a_figure_is_null(shell: Shell, home: Path) -> None:
    bars = str(write_bars(home / "BTC_1m.csv", 600))
    run = shell("run", "start", "--strategy", "buy_and_hold", "--data", bars, "--json").body["run"]
    assert isinstance(run, dict) and run["status"] == "success"
    text = shell("run", "show", str(run["run_id"])).out
    assert text.index("total_return") < text.index("sharpe_simple") < text.index("win_rate")
    assert "-  (no_closed_trades)" in text and "look_ahead" in text
    exposure = next(line for line in text.splitlines() if line.startswith("exposure"))
    assert exposure.split()[1:] == ["99.83", "%"]


def test_strategies_are_listed_and_shown_with_bounds_and_presets(shell: Shell, home: Path) -> None:
    listed = shell("strategy", "ls").out
    for name in ("buy_and_hold", "ema_cross", "trend_atr", "oracle-flip"):
        assert name in listed
    shown = shell("strategy", "show", "trend_atr").out
    assert "none sign accel" in shown and "trend-all" in shown
    file = home / "mine.py"
    file.write_text(
        "from interlock import Strategy, param\nclass Mine(Strategy):\n    fast = param(9, 2, 400)\n"
    )
    body = shell("strategy", "show", str(file), "--json").body["strategy"]
    assert isinstance(body, dict) and body["name"] == "Mine"
    assert [(p["name"], p["default"], p["low"], p["high"]) for p in body["params"]] == [
        ("fast", 9.0, 2.0, 400.0)
    ]
    assert shell("strategy", "show", "nowhere").code == 1
