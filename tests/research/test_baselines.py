"""Baselines and intervals: by hand, against the kernel, and with known chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import research
from engine.research.baselines import Ground, baselines, buy_and_hold, random_entries
from engine.research.bootstrap import bootstrap, resample
from engine.research.risk import Basis
from native.kernel import TRADE_DTYPE, Kernel, KernelConfig, LaneSpec
from seams.clock import FixedClock
from seams.rng import Rng
from tests.research.market import write_bars

MINUTE = 60 * 10**9


def ground(closes: np.ndarray, **changes: float) -> Ground:
    opens = np.concatenate([closes[:1], closes[:-1]])
    base = {"cash": 1_000.0, "notional_usd": 100.0, "fee_bps": 0.0, "slippage_bps": 0.0, **changes}
    return Ground(ts_ns=np.arange(len(closes)) * MINUTE, open=opens, close=closes, interval_ns=MINUTE, **base)


def walk(count: int, seed: int = 3) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, count)))


def trades_at(prices: Ground, entries: np.ndarray, held: int, side: int = 1) -> np.ndarray:
    rows = np.zeros(len(entries), TRADE_DTYPE)
    rows["entry_bar"], rows["exit_bar"], rows["side"], rows["units"] = entries, entries + held, side, 10**6
    rows["entry_fill"], rows["exit_fill"] = prices.open[entries], prices.open[entries + held]
    rows["pnl"] = side * (rows["exit_fill"] - rows["entry_fill"])
    return rows


def test_buy_and_hold_by_hand() -> None:
    prices = ground(np.array([50.0, 60.0, 40.0, 75.0]), fee_bps=100.0)
    # 100 buys 2 units at 50 for a fee of 1; equity 1000, 1019, 979, 1049.
    values = buy_and_hold([prices], prices.ts_ns, "held", 100.0).values
    assert values["total_return"] == pytest.approx(0.049)
    assert values["max_drawdown"] == pytest.approx(40 / 1_019)


def test_buy_and_hold_is_the_kernels_buy_and_hold() -> None:
    closes = walk(500)
    prices = ground(closes, fee_bps=4.5, slippage_bps=1.0)
    config = KernelConfig(cash=1_000.0, notional_usd=100.0, fee_bps=4.5, slippage_bps=1.0)
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy="buy_and_hold")])
    high, low = np.maximum(prices.open, closes), np.minimum(prices.open, closes)
    kernel.replay(0, prices.ts_ns, prices.open, high, low, closes, np.ones(500))
    found = buy_and_hold([prices], prices.ts_ns, "held", 100.0).values["total_pnl"]
    # The kernel sizes by the close before the fill; here that is the open itself, less slippage.
    assert found == pytest.approx(kernel.final_equity() - 1_000.0, abs=0.02)


def test_knowing_the_next_move_beats_every_random_entry_and_its_opposite_none() -> None:
    prices = ground(walk(2_000))
    rises = np.flatnonzero(prices.open[6:] > prices.open[1:-5])[::7] + 1
    rises = rises[np.diff(rises, prepend=-10) > 5]
    best = random_entries([(prices, trades_at(prices, rises, 5))], Rng(1)).values
    assert best["percentile"] == 1.0 and best["draws"] == 200
    worst = random_entries([(prices, trades_at(prices, rises, 5, side=-1))], Rng(1)).values
    assert worst["percentile"] == 0.0


def test_random_entries_are_on_average_worth_their_drift() -> None:
    closes = 100 * np.exp(np.arange(2_000) * 0.001)
    prices = ground(closes)
    rows = trades_at(prices, np.arange(10, 1_900, 30), 10)
    values = random_entries([(prices, rows)], Rng(4)).values
    per_trade = np.sum(rows["units"] * 1e-6 * rows["entry_fill"]) * np.expm1(0.01)
    assert values["random_pnl_mean"] == pytest.approx(per_trade, rel=1e-6)
    costly = random_entries([(ground(closes, fee_bps=10.0), rows)], Rng(4)).values
    assert costly["random_pnl_mean"] < values["random_pnl_mean"]


def test_draws_are_seeded_and_a_run_without_trades_says_so() -> None:
    prices = ground(walk(400))
    rows = trades_at(prices, np.arange(5, 350, 20), 6)
    assert baselines(prices, rows, Rng(5)) == baselines(prices, rows, Rng(5))
    assert random_entries([(prices, rows)], Rng(5)) != random_entries([(prices, rows)], Rng(6))
    assert random_entries([(prices, rows[:0])], Rng(5)).values == {"reason": "no_closed_trades"}


def test_a_resample_is_made_of_blocks_that_wrap_round() -> None:
    returns = np.array([0.5, 0.0, 0.0, 0.0])
    found = resample(returns, 4, 300, np.random.default_rng(0))
    assert np.unique(np.round(found[:, 0], 12)).tolist() == [0.5]
    loose = resample(returns, 1, 300, np.random.default_rng(0))
    assert len(np.unique(np.round(loose[:, 0], 12))) > 3


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(0.001, 0.01, 250)
        found = bootstrap(Basis(returns, "day", 1.0), seed, Rng(seed))
        sharpe = next(each for each in found.intervals if each.metric == "sharpe")
        covered += sharpe.low <= 0.1 <= sharpe.high
    assert 46 <= covered <= 60


def test_blocks_widen_the_interval_where_returns_hang_together() -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, 1_000)
    trending = np.convolve(noise, np.ones(10) / 10, mode="same")
    generator = np.random.default_rng(1)
    single = np.std(resample(trending, 1, 500, generator)[:, 0])
    blocks = np.std(resample(trending, 25, 500, generator)[:, 0])
    assert blocks > 1.8 * single


def test_too_few_returns_have_no_interval_but_a_reason() -> None:
    found = bootstrap(Basis(np.zeros(5), "day", 365.25), 0, Rng(0))
    assert (found.intervals, found.reason, found.chance_of_loss) == ((), "fewer_than_20_returns", None)
    assert bootstrap(Basis(np.zeros(50), "day", 365.25), 0, Rng(0)).reason == "no_variation"
    assert bootstrap(None, 0, Rng(0)).basis == "none"


def test_a_run_carries_them_and_counts_how_often_its_data_was_used(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "BTCUSD_1m.csv")

    def start(**fields: object) -> dict[str, object]:
        request = research.run_request({"preset": "oracle-flip", "data": str(bars), **fields})
        folder = Path(research.start_run(request, tmp_path, clock=FixedClock()).path)
        return json.loads((folder / "report.json").read_bytes())

    one, two = start(), start(trials=50)
    assert [each["name"] for each in one["baselines"]] == [
        "cash", "buy_and_hold", "buy_and_hold_all_cash", "random_entries",
    ]  # fmt: skip
    assert {each["metric"] for each in one["bootstrap"]["intervals"]} == {
        "total_return", "sharpe", "max_drawdown",
    }  # fmt: skip
    assert one["multiple_testing"]["earlier_runs_on_data"] == 0
    assert two["multiple_testing"]["earlier_runs_on_data"] == 1
    assert two["results"][0]["trials"] == 50
    assert two["results"][0]["deflated_sharpe"] < one["results"][0]["deflated_sharpe"]
    again = start()
    assert again["multiple_testing"]["deflated_sharpe_all"] < one["multiple_testing"]["deflated_sharpe_all"]
