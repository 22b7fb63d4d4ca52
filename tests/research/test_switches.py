"""Switches of a run: each reaches the kernel, is in config.json where it is on, and keeps runs apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import research, switches
from engine.journal import read_table
from engine.research.choice import RunFailed
from engine.research.sweep.request import make_request
from engine.research.switching import rules_of
from engine.strategies.presets import PRESETS, Preset
from native.intents import KernelConfig
from seams.clock import FixedClock
from tests.research.market import write_bars

MINUTE_NS = 60 * 10**9
ON: dict[str, switches.Value] = {
    "min_notional_usd": 50.0, "min_hold_minutes": 3.0, "max_hold_minutes": 9.0,
    "k_atr": 0.1, "slippage_low_bps": 1.0, "slippage_high_bps": 9.0, "maker_fee_bps": -1.0,
    "entry_limit_bps": 2.0, "limit_bars": 3, "touch_fill_probability": 0.5, "partial_fill_share": 0.2,
    "tif": "ioc", "latency_ms": 70.0, "latency_jitter_ms": 5.0, "reject_probability": 0.1,
    "timeout_probability": 0.1, "timeout_ms": 900.0, "leverage": 5.0,
    "maintenance_margin": "0:0.005,100000:0.01", "liquidation_fee_bps": 10.0, "gap_limit_bars": 4,
    "glitch_pct": 20.0, "glitch_atr": 8.0, "cooldown_bars": 5.0, "sizing": "kelly", "size_fraction": 0.1,
    "kelly_multiplier": 0.25, "kelly_prior": 5.0, "kelly_min_trades": 3, "max_notional_usd": 9_000.0,
    "max_entries": 2, "max_positions": 3, "portfolio_notional_usd": 5e4, "rank": "momentum",
    "symbol_notional_usd": 2e4, "strategy_notional_usd": 3e4, "alt_longs_usd": 1e4, "alt_shorts_usd": 1e4,
    "majors": "BTC,ETH", "max_heat": 0.05, "sub_data": "x",
    "close_at_end": True,
}  # fmt: skip
"""Every switch, at a value that is not off."""


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1m.csv", 2_000)


def start(home: Path, bars: Path, **fields: object) -> research.RunResult:
    request = research.run_request({"preset": "oracle-flip", "data": str(bars), **fields})
    return research.start_run(request, home, clock=FixedClock())


def config_of(result: research.RunResult) -> dict[str, object]:
    found = json.loads((Path(result.path) / "config.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_every_switch_changes_one_rule_of_the_kernel_and_off_is_the_kernels_default() -> None:
    assert set(ON) == set(switches.KEPT)
    plain = rules_of({}, "fixed", MINUTE_NS)
    off = {row.name: row.off for row in switches.SWITCHES if row.part != "account" and row.off is not None}
    assert rules_of(off, "fixed", MINUTE_NS) == plain
    for name, value in ON.items():
        row = switches.BY_NAME[name]
        changed = rules_of(switches.read({name: value}), "fixed", MINUTE_NS)
        differing = {part for part in plain if changed[part] != plain[part]}
        wanted = {row.field if row.part == "kernel" else row.part}
        wanted = {"exchange"} if name == "sub_data" else set() if name == "close_at_end" else wanted
        assert differing == wanted, name
    KernelConfig(**rules_of(ON, "atr", MINUTE_NS))
    guards = rules_of(ON, "atr", MINUTE_NS)["guards"]
    assert (guards.glitch_move, guards.cooldown_s) == (pytest.approx(0.2), 300.0)


def test_what_is_off_is_not_in_config_json_and_hashes_stay(tmp_path: Path, bars: Path) -> None:
    plain = start(tmp_path, bars)
    named = start(tmp_path, bars, latency_ms=0.0, sizing="fixed", tif="gtc", slippage_mode="fixed")
    assert "switches" not in config_of(plain)
    for name in ("config_hash", "decision_sha256", "trades_sha256"):
        assert getattr(plain, name) == getattr(named, name)


def test_doubling_the_fee_lowers_the_return(tmp_path: Path, bars: Path) -> None:
    returns = [start(tmp_path, bars, fee_bps=fee).metrics["total_return"] for fee in (2.0, 4.0, 8.0)]
    assert returns == sorted(returns, key=lambda each: -float(each or 0.0)) and len(set(returns)) == 3


@pytest.mark.parametrize(("k_atr", "bound_bps"), [(1e-4, 2.0), (999.0, 30.0), (0.4, None)])
def test_slippage_by_atr_meets_both_clamps(
    tmp_path: Path, bars: Path, k_atr: float, bound_bps: float | None
) -> None:
    """Fills against the open they happened at; between the clamps it moves with the ATR."""
    result = start(tmp_path, bars, slippage_mode="atr", k_atr=k_atr)
    trades = read_table(Path(result.path) / "journal.h5", "trades")
    opens = np.loadtxt(bars, delimiter=",", skiprows=1, usecols=1)[trades["entry_bar"]]
    slip_bps = trades["side"] * (trades["entry_fill"] / opens - 1.0) * 1e4
    assert len(trades) > 20
    if bound_bps is None:
        assert np.all((slip_bps > 2.0 - 1e-6) & (slip_bps < 30.0 + 1e-6)) and len(np.unique(slip_bps)) > 10
    else:
        assert slip_bps == pytest.approx(bound_bps, abs=1e-6)
    assert result.metrics["slippage_usd"] is None, "not one figure for all fills"


def test_different_assumptions_do_not_compare(tmp_path: Path, bars: Path) -> None:
    plain = start(tmp_path, bars)
    for name, value in (("latency_ms", 1.0), ("cooldown_bars", 3), ("close_at_end", True)):
        other = start(tmp_path, bars, **{name: value})
        found = research.compare_runs(tmp_path, (plain.run_id, other.run_id))
        assert (found.contract, found.mixed_keys) == ("mixed_contract", (name,))
        assert found.contract_hashes[0] != found.contract_hashes[1]
        assert name in found.config_delta
    twin = start(tmp_path, bars, close_at_end=True, params={"fast": 9})
    assert research.compare_runs(tmp_path, (twin.run_id, other.run_id)).contract == "same"


def test_close_at_end_closes_what_is_open_and_the_equity_follows(tmp_path: Path, bars: Path) -> None:
    whole, closed = start(tmp_path, bars), start(tmp_path, bars, close_at_end=True)
    assert closed.trades == whole.trades + 1
    trades = read_table(Path(closed.path) / "journal.h5", "trades")
    assert "end_of_data" in (Path(closed.path) / "trades.csv").read_text().splitlines()[-1]
    assert closed.final_equity == pytest.approx(1e6 + float(np.sum(trades["pnl"])), abs=1e-9)
    assert closed.final_equity < whole.final_equity, "closing costs fee and slippage"
    assert closed.trust == whole.trust == "passed"


def test_sub_bars_are_walked_and_named_by_their_content(tmp_path: Path) -> None:
    fine = write_bars(tmp_path / "BTCUSD_1m.csv", 3_000)
    rows = np.loadtxt(fine, delimiter=",", skiprows=1).reshape(-1, 5, 6)
    columns = (rows[:, 0, 0], rows[:, 0, 1], rows[:, :, 2].max(1), rows[:, :, 3].min(1), rows[:, -1, 4])
    table = np.column_stack([*columns, rows[:, :, 5].sum(1)])
    coarse = tmp_path / "BTCUSD_5m.csv"
    np.savetxt(coarse, table, delimiter=",", fmt=["%d", *["%.6f"] * 5], comments="",
               header="ts_ms,open,high,low,close,volume")  # fmt: skip
    asked: dict[str, object] = {"latency_ms": 1.0}
    plain = start(tmp_path, coarse, **asked)
    walked = start(tmp_path, coarse, **asked, sub_data=str(fine))
    assert plain.trades_sha256 != walked.trades_sha256, "an order acts at the next finer bar"
    assert config_of(walked)["switches"] == {"latency_ms": 1.0, "sub_data": fine.name}
    look_ahead = next(check for check in walked.checks if check.name == "look_ahead")
    assert look_ahead.status == "passed"
    found = research.compare_runs(tmp_path, (plain.run_id, walked.run_id))
    assert found.mixed_keys == ("sub_data_sha256",)
    with pytest.raises(RunFailed, match="do not divide"):
        start(tmp_path, fine, sub_data=str(coarse))


def test_liquidation_marks_the_run(tmp_path: Path, bars: Path) -> None:
    result = start(tmp_path, bars, preset="hold", leverage=100.0, cash=200.0, notional_usd=19_000.0)
    assert {check.name: check.reason for check in result.checks}["liquidation"] == "liquidated"
    assert result.trust == "failed"
    safe = start(tmp_path, bars, leverage=2.0)
    assert {check.name: check.status for check in safe.checks}["liquidation"] == "passed"


def test_draws_follow_the_seed_and_the_warm_up_says_why_it_was_not_checked(
    tmp_path: Path, bars: Path
) -> None:
    one, two = (start(tmp_path, bars, reject_probability=0.3, seed=4) for _ in range(2))
    other = start(tmp_path, bars, reject_probability=0.3, seed=5)
    assert one.decision_sha256 == two.decision_sha256 != other.decision_sha256
    reasons = {check.name: (check.status, check.reason) for check in one.checks}
    assert reasons == {"look_ahead": ("passed", ""), "warm_up": ("not_checked", "seeded_draws")}


def test_a_preset_brings_its_switches_and_a_request_wins(
    tmp_path: Path, bars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = PRESETS["oracle-flip"]
    slow = Preset(
        strategy=base.strategy, doc="", config=base.config, params=base.params,
        switches={"latency_ms": 90_000.0, "cooldown_bars": 2},
    )  # fmt: skip
    monkeypatch.setitem(PRESETS, "slow", slow)
    assert config_of(start(tmp_path, bars, preset="slow"))["switches"] == {
        "latency_ms": 90_000.0,
        "cooldown_bars": 2.0,
    }
    assert config_of(start(tmp_path, bars, preset="slow", latency_ms=0.0))["switches"] == {
        "cooldown_bars": 2.0
    }


def test_a_sweeps_file_names_them_and_what_a_trial_cannot_assume_is_refused() -> None:
    fields: dict[str, object] = {"strategy": "ema_cross", "data": "x", "param_grid": {"fast": [5, 9]}}
    request = make_request({**fields, "latency_ms": 5, "slippage_mode": "atr"})
    assert (request.base.switches, request.base.slippage_mode) == ({"latency_ms": 5.0}, "atr")
    assert make_request({**fields, "close_at_end": True}).base.switches == {"close_at_end": True}
    with pytest.raises(RunFailed, match="max_entries"):
        make_request({**fields, "max_entries": 2})


@pytest.mark.parametrize(
    "fields",
    [
        {"latency_ms": "fast"},
        {"sizing": "huge"},
        {"stops": "never"},
        {"slippage_mode": "ATR"},
        {"maintenance_margin": "a:b", "leverage": 2.0},
        {"partial_fill_share": 3.0},
        {"switches": {"nope": 1}},
    ],
)
def test_a_wrong_value_is_refused_by_code(tmp_path: Path, bars: Path, fields: dict[str, object]) -> None:
    with pytest.raises(RunFailed) as caught:
        start(tmp_path, bars, **fields)
    assert caught.value.code == "invalid_request"


def test_the_words_of_a_run_switch_on_what_it_had(tmp_path: Path, bars: Path) -> None:
    result = start(tmp_path, bars, latency_ms=70.0, close_at_end=True, fee_bps=0.0, slippage_mode="atr")
    command = json.loads((Path(result.path) / "report.json").read_bytes())["reproduce"]["command"]
    for words in ("--latency-ms 70", "--close-at-end", "--taker-fee-bps 0", "--slippage-mode atr"):
        assert words in command
    assert "latency_ms=70" in (Path(result.path) / "report.md").read_text()
