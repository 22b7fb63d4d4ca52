"""Live against replay by day: equal where the venue is the model, and else by how much (QX-47)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from console.cli.app import run as command_line
from engine.api import parity
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.lifecycle.parity.drift import DRIFT_FILE, DriftReport
from engine.lifecycle.parity.sessions import read_session
from engine.trading.inputs import Kind, inputs_sha256
from seams.disk import RealDisk
from tests.lifecycle.test_session_replay import paper


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    start = PaperStart(
        strategies=("ema_cross",), feed="replay:sandbox/BTC-PERP/1m", params={"fast": 3.0, "slow": 8.0},
        speed=0.0, max_bars=3_000,
    )  # fmt: skip
    return home, asyncio.run(paper(home, start))


def journal_of(home: Path, name: str) -> Path:
    return home / "outputs" / "paper_sessions" / name / "artifacts" / "journal.h5"


def with_fills(traded: tuple[Path, str], **changes: float) -> DriftReport:
    """Report on the session as if its fills had come otherwise: price by a factor, fee by an amount."""
    home, name = traded
    path = journal_of(home, name)
    whole = path.read_bytes()
    try:
        with h5py.File(path, "r+") as file:
            rows = file["inputs"][:]
            fills = rows["kind"] == Kind.FILL
            rows["close"][fills] *= 1 + changes.get("worse", 0.0) * rows["side"][fills]
            rows["fee"][fills] += changes.get("fee", 0.0)
            file["inputs"][...] = rows
            file.attrs["inputs_sha256"] = np.bytes_(inputs_sha256(rows).encode())
        return parity.drift(home, name)
    finally:
        path.write_bytes(whole)


def test_a_session_whose_venue_is_the_model_does_not_drift(traded: tuple[Path, str]) -> None:
    made = parity.drift(*traded)
    assert made.is_reproduced and made.total is not None and len(made.days) >= 2
    assert made.total.live.fills == made.total.replay.fills > 40
    assert [day.bars for day in made.days] and sum(day.bars for day in made.days) == 3_000
    for day in (*made.days, made.total):
        assert day.agreement == 1.0 and (day.live_only, day.replay_only) == (0, 0)
        assert day.pnl_drift_usd == pytest.approx(0.0, abs=1e-6)
        assert day.live.slippage_bps == pytest.approx(day.replay.slippage_bps, abs=1e-9)
    total = sum(day.live.pnl_usd for day in made.days)
    assert total == pytest.approx(made.total.live.pnl_usd)


def test_the_days_add_up_to_the_sessions_own_result(traded: tuple[Path, str]) -> None:
    home, name = traded
    made = parity.drift(home, name)
    _, journal = read_session(name, home, RealDisk())
    metrics = json.loads((journal_of(home, name).parents[1] / "metrics.json").read_text())["summary"]
    assert made.total is not None and made.total.bars == metrics["bars"]
    won = metrics["final_equity"] - journal.facts.config["cash"]
    assert made.total.live.pnl_usd == pytest.approx(won, abs=1e-6)


def test_worse_fills_are_slippage_and_a_loss_of_that_size(traded: tuple[Path, str]) -> None:
    good, bad = parity.drift(*traded), with_fills(traded, worse=0.001)
    assert good.total is not None and bad.total is not None
    assert bad.total.live.slippage_bps == pytest.approx(
        (good.total.live.slippage_bps or 0.0) + 10.0, rel=1e-2
    )
    assert bad.total.replay == good.total.replay, "the model knows nothing of the venue"
    turnover = sum(fill for fill in _notionals(traded))
    assert bad.total.pnl_drift_usd == pytest.approx(-0.001 * turnover, rel=1e-6)


def _notionals(traded: tuple[Path, str]) -> list[float]:
    with h5py.File(journal_of(*traded)) as file:
        rows = file["inputs"][:]
    fills = rows[rows["kind"] == Kind.FILL]
    return [float(value) for value in fills["close"] * fills["units"] / 1e6]


def test_dearer_fees_are_seen(traded: tuple[Path, str]) -> None:
    good, bad = parity.drift(*traded), with_fills(traded, fee=2.0)
    assert good.total is not None and bad.total is not None
    assert bad.total.pnl_drift_usd == pytest.approx(-2.0 * bad.total.live.fills, abs=1e-6)
    assert bad.total.live.fees_usd == pytest.approx(good.total.live.fees_usd + 2.0 * bad.total.live.fills)


def test_a_strategy_that_nobody_verified_is_warned_about(traded: tuple[Path, str]) -> None:
    warnings = parity.drift(*traded).warnings
    assert [each.code for each in warnings] == ["verify_skipped"] and "ema_cross" in warnings[0].detail


def test_the_command_writes_the_report_and_finds_the_sessions_of_a_day(
    traded: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, name = traded
    monkeypatch.setenv("INTERLOCK_HOME", str(home))
    assert command_line(["drift", name, "--json"]) == 0
    said = capsys.readouterr()
    made = json.loads(said.out)["drift"]
    kept = json.loads((journal_of(home, name).parent / DRIFT_FILE).read_bytes())
    assert kept == made and "verify_skipped" in said.err
    day = made["days"][1]["day"]
    assert command_line(["drift", "--day", day, "--json"]) == 0
    assert [each["session_id"] for each in json.loads(capsys.readouterr().out)["drift"]] == [name]
    assert command_line(["drift", "--day", "1999-01-01", "--json"]) == 1
    assert command_line(["drift", "--json"]) == 2 and command_line(["drift", "--day", "today", "--json"]) == 2
