"""Every bundled file passes the forge, and forged decides bit for bit as interpreted."""

from __future__ import annotations

import pytest

from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import load
from engine.strategies import BUNDLED, load_strategy
from native.codes import Reason
from native.forged import Forged
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.rules import ExchangeRules
from native.strategy import Strategy, StrategyFailed
from tests.strategies.markets import REAL, Columns, real, replayed, walk

COLUMNS = ("ts_ns", "open", "high", "low", "close", "volume")
EVERYTHING = {"pullback": 1, "slow_drift": 1, "min_confidence": "low", "partial_atr": 1.0, "use_macro": 1}
CASES: list[tuple[str, dict[str, float | str]]] = [
    *((name, {}) for name in BUNDLED),
    ("ema_cross", {"bracket": 1}),
    ("donchian_breakout", {"entry": 55, "exit": 20, "hold_bars": 30}),
    ("trend_atr", EVERYTHING),
]


def both(name: str, params: dict[str, float | str]) -> tuple[Strategy, Forged]:
    """The interpreted instance and the forged one."""
    bundled = BUNDLED[name]
    built = build(plan_source(bundled.file.read_bytes(), bundled.file.name, bundled.kind.__name__))
    interpreted = bundled.kind(**params)
    return interpreted, load(built.record, built.artifact).instance(interpreted.values())


def assert_same(name: str, params: dict[str, float | str], bars: Columns, config: KernelConfig) -> None:
    interpreted, forged = both(name, params)
    wanted, got = replayed(interpreted, bars, config), replayed(forged, bars, config)
    assert got.decision_hash() == wanted.decision_hash()
    assert got.trades_sha256() == wanted.trades_sha256()
    assert got.equity_curve().tobytes() == wanted.equity_curve().tobytes()
    assert len(wanted.decisions()) > 0


@pytest.mark.parametrize(("name", "params"), CASES)
def test_forged_decides_as_interpreted(name, params):
    for seed in (1, 2):
        for stops in ("intrabar", "next_open"):
            assert_same(name, params, walk(seed, 4_000, drift=0.0008), KernelConfig(stops=stops))


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL.name} under INTERLOCK_SHARED")
@pytest.mark.parametrize(("name", "params"), CASES)
def test_forged_decides_as_interpreted_on_real_bars(name, params):
    assert_same(name, params, real(43_199), KernelConfig())


LIMITED = '''
from interlock import Signal, Strategy, ZScore


class Limited(Strategy):
    """Rests its entries away from the close, or not."""

    def on_start(self):
        self.score = ZScore(20)

    def on_bar(self, bar):
        z = self.score.update(bar.close)
        if z < -1.5:
            return Signal(1, stop=bar.close * 0.01, limit=bar.close * 0.0005)
        if z > 1.5:
            return Signal(-1, target=bar.close * 0.01, limit=None if z > 2.0 else 0.0)
        return None
'''


def test_a_forged_limit_is_the_interpreted_one(tmp_path):
    file = tmp_path / "limited.py"
    file.write_text(LIMITED)
    loaded, built = load_strategy(str(file)), build(plan_source(LIMITED.encode(), "limited.py"))
    bars, config = walk(1, 4_000), KernelConfig(exchange=ExchangeRules(entry_limit_bps=2.0))
    wanted = replayed(loaded.build({}), bars, config)
    got = replayed(load(built.record, built.artifact).instance({}), bars, config)
    assert got.decision_hash() == wanted.decision_hash()
    assert got.trades_sha256() == wanted.trades_sha256()
    assert len(wanted.trades()) > 20
    # Where the exchange takes no limit entries, both refuse: neither becomes a market order.
    for strategy in (loaded.build({}), load(built.record, built.artifact).instance({})):
        with pytest.raises(StrategyFailed):
            replayed(strategy, bars)
    fresh = load(built.record, built.artifact).instance({})
    stepped = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=fresh)])
    rows = zip(*(bars[name].tolist() for name in COLUMNS), strict=True)
    with pytest.raises(StrategyFailed, match="outside what the kernel takes"):
        [stepped.close(0, *row) for row in rows]


LADDERED = '''
from interlock import Signal, Strategy, ZScore


class Laddered(Strategy):
    """Part exits and a move to the entry, both nearer than the target, or only one of them."""

    def on_start(self):
        self.score = ZScore(20)

    def on_bar(self, bar):
        z = self.score.update(bar.close)
        near, far = bar.close * 0.004, bar.close * 0.05
        if z < -2.0:
            return Signal(1, stop=far, target=far, trail=far, partial=0.5, partial_target=near)
        if z < -1.5:
            return Signal(1, stop=far, target=far, breakeven=near)
        if z > 2.0:
            return Signal(-1, stop=far, target=far, partial=0.25, partial_target=near, breakeven=near * 0.5)
        return None
'''


@pytest.mark.parametrize("stops", ["intrabar", "next_open"])
def test_a_forged_ladder_is_the_interpreted_one(tmp_path, stops):
    file = tmp_path / "laddered.py"
    file.write_text(LADDERED)
    loaded, built = load_strategy(str(file)), build(plan_source(LADDERED.encode(), "laddered.py"))
    bars, config = walk(3, 4_000), KernelConfig(stops=stops)
    wanted = replayed(loaded.build({}), bars, config)
    forged = load(built.record, built.artifact).instance({})
    got = replayed(forged, bars, config)
    assert forged.answers_ahead, "the quick way over quiet bars is the one under test"
    assert got.decision_hash() == wanted.decision_hash()
    assert got.trades_sha256() == wanted.trades_sha256()
    assert got.equity_curve().tobytes() == wanted.equity_curve().tobytes()
    assert Reason.PARTIAL_TARGET in wanted.decisions()["reason"]
    assert Reason.TRAILING_STOP in wanted.trades()["reason"] and len(wanted.trades()) > 20
