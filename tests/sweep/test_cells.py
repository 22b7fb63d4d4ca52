"""Lanes side by side: each cell is what `replay_cell` makes of the lane alone, to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import Library, load
from native import sweep
from native.cells import replay_cells
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.rules import ExchangeRules, GuardRules
from native.strategy import Strategy, StrategyFailed
from tests.forge.sources import FLIP, STATEFUL
from tests.sweep.test_lanes import PAIRS, WIDTHS, market, spec

FAILS = """
from interlock import Strategy, param


class Fails(Strategy):
    until = param(700, 1, 5000)

    def on_bar(self, bar):
        return 1 if 1 // (self.until - bar.index) % 2 == 0 else -1
"""
READS_SIDE = """
from interlock import Signal, Strategy, param


class Reads(Strategy):
    wait = param(3, 1, 100)

    def on_start(self):
        self.since = 0

    def on_bar(self, bar):
        self.since += 1
        if bar.side != 0 or self.since < self.wait:
            return None
        self.since = 0
        return Signal(1 if bar.close > bar.open else -1, stop=bar.close * 0.01, target=bar.close * 0.02)
"""


def forged(source: str) -> Library:
    built = build(plan_source(source.encode(), "strategy.py"))
    return load(built.record, built.artifact)


def assert_cells_are_those_of_single_lanes(
    made: list[Callable[[], LaneSpec]], config: KernelConfig, bars: Any, width: int = 0, closes: bool = False
) -> np.ndarray:
    cells, failures = replay_cells(
        [Kernel(config, [lane()]) for lane in made], *bars, width=width, closes=closes
    )
    assert failures == [None] * len(made)
    for lane, cell in zip(made, cells, strict=True):
        assert cell == sweep.replay_cell(Kernel(config, [lane()]), *bars, closes=closes)
    return cells


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 511, 512, 513, 3_000])
def test_built_in_lanes_of_all_kinds(width: int, count: int) -> None:
    lanes = [spec(*pair) for pair in PAIRS]
    lanes += [spec(*pair, params={"bracket": 1.0}) for pair in PAIRS[::2]]
    rsi = {"rsi_period": 5, "ma_fast": 4, "ma_slow": 12}
    lanes += [LaneSpec(symbol="X", strategy="rsi_ma_cross", params=rsi)]
    lanes += [LaneSpec(symbol="X", strategy="buy_and_hold")]
    made = [lambda lane=lane: lane for lane in lanes]
    cells = assert_cells_are_those_of_single_lanes(made, KernelConfig(), market(count, count), width)
    assert count < 3_000 or len(np.unique(cells["digest"])) > len(lanes) // 2


@pytest.mark.parametrize("closes", [False, True])
def test_forged_lanes(closes: bool) -> None:
    flip, stateful, reads = forged(FLIP), forged(STATEFUL), forged(READS_SIDE)
    made: list[Callable[[], LaneSpec]] = []
    for period in range(3, 10):
        for library, params in (
            (flip, {"fast": period, "slow": period + 7}),
            (stateful, {"period": period, "reach": 1.0 + period / 10}),
            (reads, {"wait": period}),
        ):

            def lane(library: Library = library, params: dict[str, float] = params) -> LaneSpec:
                return LaneSpec(symbol="X", strategy=library.instance(params))

            made.append(lane)
    cells = assert_cells_are_those_of_single_lanes(made, KernelConfig(), market(8, 4_000), closes=closes)
    assert (cells["trades"] > 20).all()
    assert not closes or (cells["side"] == 0).all()


def test_lanes_on_a_harder_exchange_and_with_different_money() -> None:
    rules = ExchangeRules(
        slippage_mode="atr", fill_share=0.5, latency_ms=90_000.0, interval_ns=60_000_000_000
    )
    config = KernelConfig(exchange=rules, guards=GuardRules(cooldown_s=600.0), seed=3)
    made = [lambda pair=pair: spec(*pair, params={"bracket": 1.0}) for pair in PAIRS]
    assert_cells_are_those_of_single_lanes(made, config, market(12, 5_000))
    bars, configs = (
        market(13, 2_000),
        [KernelConfig(cash=1000.0 + 77.0 * i, notional_usd=500.0) for i in range(20)],
    )
    cells, _ = replay_cells([Kernel(config, [spec(3, 10)]) for config in configs], *bars)
    for config, cell in zip(configs, cells, strict=True):
        assert cell == sweep.replay_cell(Kernel(config, [spec(3, 10)]), *bars)


def test_a_lane_that_fails_leaves_the_others_alone() -> None:
    library, bars = forged(FAILS), market(4, 2_000)

    def kernel(until: int) -> Kernel:
        return Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=library.instance({"until": until}))])

    cells, failures = replay_cells([kernel(until) for until in (700, 3_000, 1_023, 512)], *bars)
    assert [failure is None for failure in failures] == [False, True, False, False]
    assert cells[0] == np.zeros((), sweep.CELL_DTYPE)
    assert cells[1] == sweep.replay_cell(kernel(3_000), *bars)
    with pytest.raises(StrategyFailed) as raised:
        sweep.replay_cell(kernel(700), *bars)
    assert str(failures[0]) == str(raised.value)


def test_a_sum_that_fixed_point_cannot_hold_says_so() -> None:
    huge, bars = KernelConfig(cash=1e18, notional_usd=1e13), market(2, 300)
    cells, _ = replay_cells([Kernel(huge, [spec(2, 5)])], *bars)
    assert cells[0]["is_inexact"] == 1


def test_what_cannot_run_side_by_side_is_refused() -> None:
    class Silent(Strategy):
        def on_bar(self, bar: Any) -> None:
            return None

    bars = market(1, 600)
    assert len(replay_cells([], *bars)[0]) == 0
    stepped = Kernel(KernelConfig(), [spec(2, 9)])
    stepped.replay(0, *bars)
    with pytest.raises(ValueError, match="fresh kernel"):
        replay_cells([stepped], *bars)
    with pytest.raises(ValueError, match="compiled lanes"):
        replay_cells([Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Silent())])], *bars)
    with pytest.raises(ValueError, match="width"):
        replay_cells([Kernel(KernelConfig(), [spec(2, 9)])], *bars, width=64)
    worse = (*bars[:4], bars[4].copy(), bars[5])
    for bad in (0, 17, 511, 512, 599):
        worse[4][:] = bars[4]
        worse[4][bad] = math.nan
        with pytest.raises(ValueError, match=f"bar {bad} refused"):
            replay_cells([Kernel(KernelConfig(), [spec(2, 9)])], *worse)
