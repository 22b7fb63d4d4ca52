"""What a single run can assume a sweep's trials can: every cell is the run of its window, bit for bit."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.api import research
from engine.api.switches import BY_NAME, SEARCHED, Value
from engine.market.catalogue import load
from engine.market.funding import FundingIncomplete
from engine.market.funding_store import import_funding
from engine.market.importer import import_file
from engine.research.kernels import NOTHING
from engine.research.request import RunResult
from engine.research.schemas import RunConfig
from engine.research.sweep import wire
from engine.research.sweep.plan import Plan, make_plan
from engine.research.sweep.publish import SweepResult
from engine.research.sweep.request import make_request
from engine.research.sweep.study import run_sweep
from engine.research.sweep.trials import Result
from engine.research.walk_forward import read_walk, walk
from seams.clock import FixedClock
from seams.disk import RealDisk

HOURS, HOUR_MS, T0_MS = 1_200, 3_600_000, 1_700_006_400_000
FINE, GAP_EVERY, GAP_MS = 6, 25, 3 * HOUR_MS
"""Finer bars in an hour; after so many hours three are missing."""
ACCOUNT = {
    "strategy": "ema_cross",
    "data": "v/X/1h",
    "fee_bps": 2.0,
    "slippage_bps": 0.5,
    "params": {"bracket": 1},
}
GRID = {"fast": [3, 5], "slow": [13, 21], "trail_atr": [1, 2]}
ON: dict[str, Value] = {
    "min_notional_usd": 10_000.0, "slippage_mode": "atr", "stops": "next_open", "seed": 7, "lot": 0.01,
    "tick": 0.05, "cash": 50_000.0, "notional_usd": 9_999.0, "fee_bps": 7.0, "slippage_bps": 3.0,
    "k_atr": 0.4, "slippage_low_bps": 1.0, "slippage_high_bps": 9.0, "maker_fee_bps": -1.0,
    "entry_limit_bps": 5.0, "limit_bars": 3, "touch_fill_probability": 0.5, "partial_fill_share": 0.2,
    "tif": "ioc", "latency_ms": 90_000.0, "latency_jitter_ms": 5_000_000.0, "reject_probability": 0.3,
    "timeout_probability": 0.3, "timeout_ms": 9e6, "leverage": 40.0, "maintenance_margin": "0.02",
    "liquidation_fee_bps": 10.0, "gap_limit_bars": 1, "glitch_pct": 0.8, "glitch_atr": 1.5,
    "cooldown_bars": 9.0, "sizing": "kelly", "size_fraction": 0.1, "kelly_multiplier": 0.25,
    "kelly_prior": 5.0, "kelly_min_trades": 3, "max_notional_usd": 5_000.0, "sub_data": "v/X/10m",
    "close_at_end": True, "min_hold_minutes": 120.0, "max_hold_minutes": 300.0,
}  # fmt: skip
"""Every assumption of a trial at a value that these bars notice."""
SMALL: dict[str, object] = {"cash": 300.0, "notional_usd": 10_000.0, "params": {}}
WITH: dict[str, dict[str, object]] = {
    "k_atr": {"slippage_mode": "atr"},
    "slippage_low_bps": {"slippage_mode": "atr", "k_atr": 0.01},
    "slippage_high_bps": {"slippage_mode": "atr", "k_atr": 9.0},
    "maker_fee_bps": {"entry_limit_bps": 5.0},
    "limit_bars": {"entry_limit_bps": 60.0},
    "touch_fill_probability": {"entry_limit_bps": 5.0, "tick": 0.5},
    "tif": {"partial_fill_share": 0.2},
    "timeout_ms": {"timeout_probability": 0.5},
    "leverage": SMALL,
    "maintenance_margin": {**SMALL, "leverage": 40.0},
    "liquidation_fee_bps": {**SMALL, "leverage": 40.0, "maintenance_margin": "0.02"},
    "size_fraction": {"sizing": "fraction"},
    "kelly_multiplier": {"sizing": "kelly", "kelly_min_trades": 3},
    "kelly_prior": {"sizing": "kelly", "kelly_min_trades": 3},
    "kelly_min_trades": {"sizing": "kelly"},
    "min_notional_usd": {"lot": 0.5},
    "seed": {"reject_probability": 0.5},
    "sub_data": {"latency_ms": 900_000.0},
}
"""What must be on beside it for a switch to matter."""
UNSEEN = {"touch_fill_probability", "min_hold_minutes"}
"""These bars never touch a resting order without trading through it; the exchange's own tests do. No
strategy here names a time exit that could be too early; the exits' own tests do."""


def bars_file(path: Path, minutes: int, columns: np.ndarray) -> Path:
    lines = ["ts_ms,open,high,low,close,volume"]
    gap = GAP_MS // (minutes * 60_000)
    for at, row in enumerate(columns):
        late = at // (GAP_EVERY * 60 // minutes) * gap
        lines.append(f"{T0_MS + (at + late) * minutes * 60_000}," + ",".join(f"{x:.6f}" for x in row))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly bars, the ten-minute bars inside them, and funding every eight hours."""
    home = tmp_path_factory.mktemp("home")
    rng, disk, clock = np.random.default_rng(3), RealDisk(), FixedClock()
    close = (100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.002, HOURS * FINE)))).round(6)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
    fine = np.column_stack([open_, high, low, close, rng.uniform(50.0, 400.0, len(close))])
    parts = fine.reshape(HOURS, FINE, 5)
    coarse = np.column_stack(
        [parts[:, 0, 0], parts[:, :, 1].max(1), parts[:, :, 2].min(1), parts[:, -1, 3], parts[:, :, 4].sum(1)]
    )
    import_file(bars_file(home / "fine.csv", 10, fine), "v", "X", "10m", home, disk, clock)
    import_file(bars_file(home / "coarse.csv", 60, coarse), "v", "X", "1h", home, disk, clock)
    rates = [f"{T0_MS + 8 * HOUR_MS * at},{rng.normal(0.0002, 0.0003):.6f}" for at in range(HOURS // 7 + 1)]
    (home / "rates.csv").write_text("\n".join(["ts_ms,funding_rate", *rates]) + "\n")
    import_funding(home / "rates.csv", "v", "X", home, disk, clock)
    return home


def sweep(home: Path, **assumed: object) -> SweepResult:
    request = make_request({**ACCOUNT, **assumed, "param_grid": GRID})
    return run_sweep(request, home, RealDisk(), FixedClock())


def results_of(found: SweepResult) -> list[Result]:
    lines = (Path(found.path) / "trials.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Result) for line in lines]


def demand_single_runs(found: SweepResult, home: Path, **assumed: object) -> None:
    """Hold the first cells, and the first held-out figure, against the runs of their windows."""
    report, cash = found.report, float(str(assumed.get("cash", 1_000_000.0)))
    start_ns = int(load(home, "v", "X", "1h").ts_ns[report.searched_bars + report.embargo_bars])

    def single(params: dict[str, float], **window: int) -> RunResult:
        base = dict(assumed.get("params", {"bracket": 1}))  # type: ignore[call-overload]
        fields = {**ACCOUNT, **assumed, **window, "params": {**base, **params}}
        return research.start_run(research.run_request(fields), home, clock=FixedClock())

    for result in results_of(found)[:2]:
        run = single(result.params, max_bars=report.searched_bars)
        assert (run.final_equity, run.trades, run.wins, run.metrics["fees_usd"]) == (
            result.final_equity, result.trades, result.wins, result.fees,
        )  # fmt: skip
        assert run.metrics["max_drawdown"] == pytest.approx(result.max_drawdown, abs=1e-14)
    decay = report.out_of_sample[0]
    run = single(decay.params, start_ns=start_ns)
    assert (run.final_equity - cash, run.trades) == (decay.out_pnl, decay.out_trades)


@pytest.mark.parametrize("name", SEARCHED)
def test_every_assumption_reaches_every_cell(home: Path, name: str) -> None:
    beside = WITH.get(name, {})
    found = sweep(home, **beside, **{name: ON[name]})
    demand_single_runs(found, home, **beside, **{name: ON[name]})
    differs = results_of(sweep(home, **beside)) != results_of(found)
    assert differs == (name not in UNSEEN), "these bars must notice it"


def test_every_assumption_of_a_run_has_its_case() -> None:
    assert set(ON) == set(SEARCHED) and set(WITH) | UNSEEN <= set(ON)
    assert {BY_NAME[name].part for name in set(BY_NAME) - set(SEARCHED)} == {"portfolio"}


@pytest.mark.parametrize(
    "assumed",
    [
        {"funding": "data"},
        {"funding": "v/X", "funding_marks": "v/X/1h", "close_at_end": True},
        {"funding": "data", "sub_data": "v/X/10m", "latency_ms": 900_000.0, "close_at_end": True},
        {"funding": "data", "params": {}},
        {"close_at_end": True, "params": {}},
    ],
)
def test_funding_finer_bars_and_the_end_reach_every_cell(home: Path, assumed: dict[str, object]) -> None:
    """With plain flips too, which would go through the lanes."""
    grid = {**GRID} if assumed.get("params") != {} else {"fast": [3, 5], "slow": [13, 21]}
    request = make_request({**ACCOUNT, **assumed, "param_grid": grid})
    found = run_sweep(request, home, RealDisk(), FixedClock())
    report = found.report
    plain = run_sweep(
        make_request({**ACCOUNT, "params": assumed.get("params", {"bracket": 1}), "param_grid": grid}),
        home, RealDisk(), FixedClock(),
    )  # fmt: skip
    assert [each.trace for each in results_of(plain)] != [each.trace for each in results_of(found)]
    for result in results_of(found):
        base = {} if assumed.get("params") == {} else {"bracket": 1.0}
        fields = {**ACCOUNT, **assumed, "max_bars": report.searched_bars, "params": {**base, **result.params}}
        run = research.start_run(research.run_request(fields), home, clock=FixedClock())
        assert (run.final_equity, run.trades, run.wins) == (
            result.final_equity, result.trades, result.wins,
        )  # fmt: skip
    best = msgspec.json.decode((Path(found.path) / "config.json").read_bytes(), type=RunConfig)
    single = research.run_request(
        {**ACCOUNT, **assumed, "max_bars": report.searched_bars, "params": best.params}
    )
    config = Path(research.start_run(single, home, clock=FixedClock()).path) / "config.json"
    assert msgspec.json.decode(config.read_bytes(), type=RunConfig) == best


def test_a_sweep_without_its_funding_is_refused_before_the_first_trial(home: Path, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(f"ts_ms,funding_rate\n{T0_MS},0.0001\n{T0_MS + 8 * HOUR_MS},0.0001\n")
    import_funding(tmp_path / "few.csv", "v", "FEW", home, RealDisk(), FixedClock())
    with pytest.raises(FundingIncomplete):
        sweep(home, funding="v/FEW")
    assert sweep(home, funding="v/FEW", max_missing_funding=999).report.trials == 8


def test_a_sweep_is_named_by_what_it_read_not_by_where_that_lay(home: Path) -> None:
    def plan(**assumed: object) -> Plan:
        return make_plan(make_request({**ACCOUNT, **assumed, "param_grid": GRID}), home, RealDisk())

    by_name, by_file = (plan(sub_data=name) for name in ("v/X/10m", str(home / "fine.csv")))
    assert by_name.config.sub_data_sha256 == by_file.config.sub_data_sha256 != ""
    assert plan(funding="data").fingerprint == plan(funding="v/X").fingerprint != plan().fingerprint
    moved = home / "moved"
    moved.mkdir(exist_ok=True)
    (moved / "fine.csv").write_bytes((home / "fine.csv").read_bytes())
    assert plan(sub_data=str(moved / "fine.csv")).fingerprint == by_file.fingerprint


def test_what_stands_beside_the_bars_travels_to_a_cluster_unchanged(home: Path) -> None:
    request = make_request({**ACCOUNT, "funding": "data", "sub_data": "v/X/10m", "param_grid": GRID})
    beside = make_plan(request, home, RealDisk()).beside
    assert beside.funding is not None and beside.sub_bars is not None
    packed = wire.pack_beside(beside)
    found = wire.unpack_beside(packed, wire.digest(packed))
    assert found.funding is not None and found.sub_bars is not None
    assert found.funding.payments.tobytes() == beside.funding.payments.tobytes()
    assert found.funding.content_sha256 == beside.funding.content_sha256
    assert found.sub_bars.close.tobytes() == beside.sub_bars.close.tobytes()
    assert wire.unpack_beside(wire.pack_beside(NOTHING), wire.digest(wire.pack_beside(NOTHING))) == NOTHING
    with pytest.raises(wire.ClusterFailed, match="hash"):
        wire.unpack_beside(packed[:-1], wire.digest(packed))


def test_a_walk_forward_pays_funding_and_closes_at_its_ends(home: Path) -> None:
    text = b"""
strategy: ema_cross
data: v/X/1h
param_grid: {fast: [3, 5], slow: [13, 21]}
embargo_bars: 8
rolling: {train_days: 20, test_days: 10}
"""
    disk = RealDisk()
    walked = {}
    for name, changes in {
        "plain": {}, "funding": {"funding": "data"}, "end": {"close_at_end": True},
        "finer": {"sub_data": "v/X/10m", "latency_ms": 900_000.0}, "late": {"latency_ms": 900_000.0},
    }.items():  # fmt: skip
        request, bars, config, shelf = read_walk(text, home, disk, changes)
        walked[name] = walk(request, bars, config, shelf)
    plain, funding, end = walked["plain"], walked["funding"], walked["end"]
    assert len(plain.splits) >= 2
    assert funding.equity[-1] != plain.equity[-1] and walked["finer"].equity[-1] != walked["late"].equity[-1]
    for open_, closed in zip(plain.tested, end.tested, strict=True):
        if open_.config_id == closed.config_id:
            assert int(closed.test["trades"] or 0) == int(open_.test["trades"] or 0) + 1
    first = funding.splits[0]
    run = research.start_run(
        research.run_request(
            {
                "strategy": "ema_cross", "data": "v/X/1h", "funding": "data", "max_bars": first.train_bars,
                "params": funding.tested[0].params,
            }
        ),
        home, clock=FixedClock(),
    )  # fmt: skip
    assert run.final_equity / 1_000_000.0 - 1.0 == pytest.approx(
        funding.tested[0].train["total_return"], abs=1e-15
    )
    assert run.trades == funding.tested[0].train["trades"]
