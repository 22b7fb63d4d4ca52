"""Sweep lanes: every cell is the single run's, whatever the width, the chunk or the number of threads."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from native import sweep
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.rules import ExchangeRules, GuardRules
from native.selfcheck import random_bars
from native.strategy import Bar, Signal, Strategy

SHARED = (Path(__file__).resolve().parents[2] / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
BTC = SHARED / "data/no_licence_stated/bars_1m/bitfinex/BTCUSD_1m_2017-2019.parquet"
WIDTHS = [width for width in sweep.WIDTHS if width <= sweep.lane_width()]
PAIRS = [(fast, slow) for fast in (1, 2, 5, 9, 14) for slow in (3, 10, 33, 64, 65, 200) if fast < slow]

Columns = tuple[NDArray[Any], ...]


def market(seed: int, count: int) -> Columns:
    table = np.array(random_bars(seed, count))
    ts = np.arange(count, dtype=np.int64) * 60_000_000_000
    return (ts, *(np.ascontiguousarray(table[:, i]) for i in range(1, 5)), np.ones(count))


def single(config: KernelConfig, spec: LaneSpec, bars: Columns) -> Kernel:
    kernel = Kernel(config, [spec])
    kernel.replay(0, *bars)
    return kernel


def spec(fast: int, slow: int, **changes: Any) -> LaneSpec:
    params = {"fast": fast, "slow": slow, **changes.pop("params", {})}
    return LaneSpec(symbol="X", strategy="ema_cross", params=params, **changes)


def assert_is_single_run(cell: Any, kernel: Kernel) -> None:
    trades = kernel.trades()
    equity = kernel.equity_curve()
    peaks = np.maximum(np.maximum.accumulate(equity), kernel.config.cash)
    assert cell["final_equity"] == kernel.final_equity()
    assert (cell["trades"], cell["wins"]) == (len(trades), kernel.wins())
    assert cell["fees"] == kernel.fees_paid()
    assert cell["bars"] == kernel.bar_count(0)
    assert cell["gross_profit"] == pytest.approx(trades["pnl"][trades["pnl"] > 0].sum(), rel=1e-12)
    assert cell["gross_loss"] == pytest.approx(trades["pnl"][trades["pnl"] < 0].sum(), rel=1e-12)
    assert 1.0 - cell["low"] / cell["low_peak"] == pytest.approx(np.max(1.0 - equity / peaks), abs=1e-15)
    returns = equity / np.concatenate([[kernel.config.cash], equity[:-1]]) - 1.0
    assert cell["return_sum"] == pytest.approx(math.fsum(returns), abs=1e-14)
    assert cell["return_squares"] == pytest.approx(math.fsum(returns * returns), rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 7, 63, 64, 65, 511, 512, 513, 1500])
def test_lanes_give_the_cells_of_single_runs_bit_for_bit(count: int) -> None:
    config = KernelConfig()
    for seed in range(2):
        bars = market(seed, count)
        cells = sweep.FlipMarket(config, 1e-6, 0.0, *bars).run(*zip(*PAIRS, strict=True))
        for pair, cell in zip(PAIRS, cells, strict=True):
            drained = sweep.replay_cell(Kernel(config, [spec(*pair)]), *bars)
            assert cell == drained, (seed, pair)
            assert_is_single_run(cell, single(config, spec(*pair), bars))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_gives_the_same_bits(width: int) -> None:
    flips = sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *market(5, 3_000))
    fast, slow = zip(*PAIRS, strict=True)
    assert (flips.run(fast, slow, True, width) == flips.run(fast, slow, True, 128)).all()
    bare = flips.run(fast, slow, False, width)
    for name in ("trades", "final_equity", "fees", "digest", "gross_profit", "side"):
        assert (bare[name] == flips.run(fast, slow)[name]).all()


def test_a_slice_of_the_combinations_gives_the_same_cells() -> None:
    flips = sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *market(6, 2_000))
    fast, slow = zip(*PAIRS, strict=True)
    whole = flips.run(fast, slow)
    for first, last in ((0, 1), (3, 20), (17, len(PAIRS))):
        assert (flips.run(fast[first:last], slow[first:last]) == whole[first:last]).all()


@pytest.mark.parametrize(
    ("config", "lot", "tick"),
    [
        (KernelConfig(fee_bps=0.0, slippage_bps=0.0), 1e-6, 0.0),
        (KernelConfig(fee_bps=-1.5, slippage_bps=25.0, cash=50_000.0), 0.001, 0.5),
        (KernelConfig(notional_usd=3.0, stops="next_open"), 1e-6, 0.01),
    ],
)
def test_costs_lots_and_ticks_are_the_kernels(config: KernelConfig, lot: float, tick: float) -> None:
    bars = market(9, 1_200)
    cells = sweep.FlipMarket(config, lot, tick, *bars).run([3, 8], [8, 21])
    for pair, cell in zip(((3, 8), (8, 21)), cells, strict=True):
        assert_is_single_run(cell, single(config, spec(*pair, lot=lot, tick=tick), bars))


class Breakout(Strategy):
    """An interpreted strategy: long above the last close, short below, with a stop."""

    last = 0.0

    def on_bar(self, bar: Bar) -> Signal | None:
        before, self.last = self.last, bar.close
        return None if before == 0.0 else Signal(1 if bar.close > before else -1, stop=bar.close * 0.01)


@pytest.mark.parametrize(
    "lane",
    [
        spec(3, 8, params={"bracket": 1.0}),
        LaneSpec(symbol="X", strategy="rsi_ma_cross", params={"rsi_period": 5, "ma_fast": 4, "ma_slow": 12}),
        LaneSpec(symbol="X", strategy="buy_and_hold"),
        Breakout,
    ],
)
def test_any_strategys_cell_is_its_single_run(lane: LaneSpec | type[Strategy]) -> None:
    bars = market(4, 40_000 if isinstance(lane, LaneSpec) else 2_000)

    def made() -> LaneSpec:
        return lane if isinstance(lane, LaneSpec) else LaneSpec(symbol="X", strategy=lane())

    cell = sweep.replay_cell(Kernel(KernelConfig(), [made()]), *bars)
    assert_is_single_run(cell, single(KernelConfig(), made(), bars))


def test_what_the_lanes_cannot_do_is_refused() -> None:
    bars = market(1, 50)
    with pytest.raises(ValueError, match="less than a lot"):
        sweep.FlipMarket(KernelConfig(notional_usd=10.0), 1.0, 0.0, *bars)
    worse = (*bars[:4], bars[4].copy(), bars[5])
    worse[4][17] = math.nan
    with pytest.raises(ValueError, match="bar 17 refused"):
        sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *worse)
    flips = sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *bars)
    with pytest.raises(ValueError, match="fast < slow"):
        flips.run([9], [9])
    with pytest.raises(ValueError, match="width"):
        flips.run([2], [9], True, 64)
    assert len(flips.run([], [])) == 0
    stepped = Kernel(KernelConfig(), [spec(2, 9)])
    stepped.replay(0, *bars)
    with pytest.raises(ValueError, match="fresh kernel"):
        sweep.replay_cell(stepped, *bars)


def test_a_sum_that_fixed_point_cannot_hold_says_so() -> None:
    bars = market(2, 300)
    huge = KernelConfig(cash=1e18, notional_usd=1e13)
    cell = sweep.FlipMarket(huge, 1e-6, 0.0, *bars).run([2], [5])[0]
    assert cell["is_inexact"] == 1
    assert cell == sweep.replay_cell(Kernel(huge, [spec(2, 5)]), *bars)


@pytest.mark.slow
@pytest.mark.shared
def test_the_994_combinations_of_half_a_million_real_bars() -> None:
    """W3 of the peer benchmarks; sampled cells against their single runs."""
    if not BTC.is_file():
        pytest.skip(f"INTERLOCK_SHARED has no {BTC.name}")
    from engine.market.catalogue import load_file

    loaded = load_file(BTC, "1m")
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    bars = tuple(getattr(loaded, name)[:500_000] for name in names)
    pairs = [(f, s) for s in range(20, 201, 4) for f in range(5, 50, 2) if f < s]
    assert len(pairs) == 994
    cells = sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *bars).run(*zip(*pairs, strict=True))
    for index in range(0, len(pairs), 83):
        assert_is_single_run(cells[index], single(KernelConfig(), spec(*pairs[index]), bars))


def test_lanes_know_only_the_plain_exchange() -> None:
    assert sweep.is_plain(KernelConfig(seed=5, fee_bps=1.0))
    assert sweep.is_plain(KernelConfig(exchange=ExchangeRules(interval_ns=60_000_000_000)))
    for changed in (
        KernelConfig(exchange=ExchangeRules(slippage_mode="atr")),
        KernelConfig(guards=GuardRules(cooldown_s=5.0)),
        KernelConfig(cash=0.0),
    ):
        assert not sweep.is_plain(changed)
        with pytest.raises(ValueError, match="do not know"):
            sweep.FlipMarket(changed, 1e-6, 0.0, *market(1, 50))


def test_a_cell_of_a_harder_exchange_is_its_single_run_too() -> None:
    rules = ExchangeRules(
        slippage_mode="atr",
        fill_share=0.5,
        latency_ms=90_000.0,
        reject_probability=0.1,
        interval_ns=60_000_000_000,
    )
    config = KernelConfig(exchange=rules, guards=GuardRules(cooldown_s=600.0), seed=3)
    bars = market(12, 20_000)
    cell = sweep.replay_cell(Kernel(config, [spec(5, 21)]), *bars)
    assert cell["trades"] > 100
    assert_is_single_run(cell, single(config, spec(5, 21), bars))
