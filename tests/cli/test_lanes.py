"""`interlock state watch`: lanes of running sessions from their shared state, with no engine asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli.app import run as command_line
from engine.api.lane_views import LaneWatch, page_path, shared_sessions
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from safety.state_page import ExecutionState, LaneBlock, StatePage
from safety.strategy_state import StrategyState
from seams.clock import SystemClock

NAME = "20260101_000000_paper_1-0001"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    return tmp_path


def shared(home: Path) -> StatePage:
    page = StatePage.shared(page_path(home / "run", NAME), 1)
    folder = home / "outputs" / "paper_sessions" / NAME
    folder.mkdir(parents=True)
    (folder / "session_metadata.json").write_text('{"symbols": ["BTC-PERP"]}')
    page.write(
        LaneBlock(
            risk_interlock=HoldLevel.CLOSE_ONLY, execution_state=ExecutionState.HEDGING,
            strategy_state=StrategyState.HEDGE, kill_level=KillLevel.CLEAR, side=-1, lane=0, steps=42,
            decided_ns=1, written_ns=SystemClock().now_ns(), units=1_500_000, last_close=640.5, epoch=3,
        )
    )  # fmt: skip
    return page


def test_watch_shows_the_lanes_that_are_shared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = shared(home)
    assert shared_sessions(home) == (NAME,)
    assert command_line(["state", "watch", "--once", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["lanes"][0]
    assert (row["symbol"], row["strategy_state"], row["execution_state"]) == ("BTC-PERP", "hedge", "hedging")
    assert (row["risk_interlock"], row["quantity"], row["steps"]) == ("close_only", -1.5, 42)
    assert row["age_ms"] < 60_000
    page.set_interlock(HoldLevel.HALT)
    assert command_line(["state", "watch", NAME, "--seconds", "0.25", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["lane"]["risk_interlock"] for line in lines] == ["halt"], "a line only where it changed"


@pytest.mark.parametrize(
    "arguments", [["state", "watch"], ["state", "watch", "nobody"], ["state", "watch", "../x"]]
)
def test_nothing_to_watch_is_said(
    home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line([*arguments, "--once", "--json"]) != 0
    assert json.loads(capsys.readouterr().out)["code"] == "not_found"


def test_a_damaged_page_is_said_not_guessed(home: Path) -> None:
    page = shared(home)
    watched = LaneWatch(home, NAME)
    page.memory[0] = 1
    with pytest.raises(LookupError, match="never whole"):
        watched.rows()
