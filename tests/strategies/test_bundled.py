"""The bundled files: the same decisions as the compiled kinds, sane trades, state that survives."""

from __future__ import annotations

import numpy as np
import pytest

from engine.strategies import BUNDLED, PRESETS, load_strategy
from engine.strategies.bundled.buy_and_hold import BuyAndHold
from engine.strategies.bundled.donchian_breakout import DonchianBreakout
from engine.strategies.bundled.ema_cross import EmaCross
from engine.strategies.bundled.mean_reversion_z import MeanReversionZ
from engine.strategies.bundled.rsi_ma_cross import RsiMaCross
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.lanes import BUILTINS
from tests.strategies.markets import NAMES, REAL, real, replayed, walk

CASES = [
    ("ema_cross", EmaCross, {"fast": 12, "slow": 26}),
    ("ema_cross", EmaCross, {"fast": 5, "slow": 50}),
    ("ema_cross", EmaCross, {"fast": 9, "slow": 21, "bracket": 1}),
    ("ema_cross", EmaCross, {"bracket": 1, "stop_atr": 1.5, "target_atr": 4.0, "trail_atr": 0.0}),
    ("rsi_ma_cross", RsiMaCross, {}),
    ("rsi_ma_cross", RsiMaCross, {"rsi_period": 7, "ma_fast": 5, "ma_slow": 20, "rsi_buy_max": 60}),
    ("buy_and_hold", BuyAndHold, {}),
]


def assert_same(name, kind, params, bars, config):
    compiled = replayed(name, bars, config, **params)
    interpreted = replayed(kind(**params), bars, config)
    assert interpreted.decision_hash() == compiled.decision_hash()
    assert interpreted.trades_sha256() == compiled.trades_sha256()
    assert interpreted.equity_curve().tolist() == compiled.equity_curve().tolist()
    assert len(compiled.decisions()) > 0


@pytest.mark.parametrize("stops", ["intrabar", "next_open"])
@pytest.mark.parametrize(("name", "kind", "params"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_file_decides_as_the_compiled_kind(name, kind, params, stops, seed):
    assert_same(name, kind, params, walk(seed, 3_000, drift=0.0005), KernelConfig(stops=stops))


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL.name} under INTERLOCK_SHARED")
@pytest.mark.parametrize(("name", "kind", "params"), CASES)
def test_file_decides_as_the_compiled_kind_on_real_bars(name, kind, params):
    assert_same(name, kind, params, real(43_199), KernelConfig())


def test_a_compiled_kind_has_the_parameters_of_its_file():
    for name, defaults in BUILTINS.items():
        assert {spec.name: float(spec.default) for spec in BUNDLED[name].params} == defaults


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_loads_and_trades(preset):
    chosen = PRESETS[preset]
    loaded = load_strategy(chosen.strategy)
    values = loaded.complete(chosen.params)
    built = loaded.build(values)
    params = values if isinstance(built, str) else {}
    kernel = replayed(built, walk(5, 20_000, drift=0.0004), chosen.config, **params)
    assert len(kernel.decisions()) > 0
    assert preset == "hold" or len(kernel.trades()) > 10


@pytest.mark.parametrize("name", BUNDLED)
def test_state_goes_round_and_on_bit_for_bit(name):
    loaded = load_strategy(name)
    values = loaded.complete({})
    bars = walk(9, 3_000, drift=0.0005)

    def build() -> Kernel:
        built = loaded.build(values)
        params = values if isinstance(built, str) else {}
        return Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=built, params=params)])

    def part(kernel: Kernel, start: int, stop: int) -> None:
        kernel.replay(0, bars["ts_ns"][start:stop], *(bars[column][start:stop] for column in NAMES))

    whole, first, second = build(), build(), build()
    part(whole, 0, 3_000)
    part(first, 0, 1_207)
    second.import_state(first.export_state())
    part(second, 1_207, 3_000)
    assert second.state_hash() == whole.state_hash()


def test_a_breakout_enters_above_the_channel_of_the_bars_before():
    bars = walk(3, 4_000, drift=0.0005)
    kernel = replayed(DonchianBreakout(entry=20, exit=10), bars)
    entries = [d for d in kernel.decisions() if d["action"] == 1]
    assert len(entries) > 20
    for entry in entries:
        t = int(entry["step"])
        if entry["side"] > 0:
            assert bars["close"][t] > bars["high"][t - 20 : t].max()
        else:
            assert bars["close"][t] < bars["low"][t - 20 : t].min()
    assert {entry["side"] for entry in entries} == {-1, 1}


def test_a_breakout_that_may_not_sell_short_never_does():
    kernel = replayed(DonchianBreakout(allow_short=0), walk(3, 4_000, drift=0.0005))
    assert set(kernel.trades()["side"].tolist()) == {1}


def test_a_holding_time_ends_the_trade():
    kernel = replayed(DonchianBreakout(hold_bars=5, stop_atr=50.0), walk(3, 4_000, drift=0.0005))
    held = kernel.trades()["exit_bar"] - kernel.trades()["entry_bar"]
    assert held.max() == 5


def test_reversion_enters_against_the_score_and_leaves_at_the_mean():
    bars = walk(7, 6_000)
    kernel = replayed(MeanReversionZ(length=50, max_adx=100.0), bars)
    entries = [d for d in kernel.decisions() if d["action"] == 1]
    assert len(entries) > 20 and {entry["side"] for entry in entries} == {-1, 1}
    for entry in entries:
        window = bars["close"][int(entry["step"]) - 49 : int(entry["step"]) + 1]
        score = (window[-1] - window.mean()) / window.std()
        assert -entry["side"] * score >= 2.0 - 1e-9


def test_reversion_does_not_enter_a_trend():
    quiet = replayed(MeanReversionZ(max_adx=0.0), walk(7, 6_000))
    assert len(quiet.decisions()) == 0
    assert np.all(quiet.equity_curve() == 1e6)
