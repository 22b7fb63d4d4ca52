"""Back-tests over scenarios: reproducible, with the drift that their name says, averaged as stated."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from engine.research.scenarios import SCENARIOS, backtest


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_back_test(scenario: str) -> None:
    one = backtest(iterations=2, steps=200, scenario=scenario, seed=3)
    assert one == backtest(iterations=2, steps=200, scenario=scenario, seed=3)
    assert one.iterations[0].decision_sha256 != one.iterations[1].decision_sha256
    assert one.iterations[1].seed == 4


def test_drifts_have_the_sign_of_their_name() -> None:
    moves = {
        name: statistics.median(row.market_return for row in found.iterations)
        for name in ("bull", "bear", "sideways")
        for found in [backtest(iterations=7, steps=500, scenario=name, seed=1)]
    }
    assert moves["bull"] > 0.1 and moves["bear"] < -0.1
    assert abs(moves["sideways"]) < 0.05


def test_averages_are_those_of_the_rows() -> None:
    found = backtest(iterations=4, steps=300, scenario="bull", seed=5)
    equity = [row.final_equity for row in found.iterations]
    assert found.mean["final_equity"] == pytest.approx(statistics.mean(equity))
    assert found.deviation["final_equity"] == pytest.approx(statistics.stdev(equity))
    assert set(found.mean) == {
        "final_equity", "max_drawdown", "trades", "win_rate", "sharpe", "avg_confidence",
    }  # fmt: skip
    assert backtest(iterations=1, steps=100, scenario="bull", seed=5).deviation["final_equity"] is None


def test_only_the_spike_pays_funding_and_it_is_taken_from_equity() -> None:
    calm = backtest(iterations=3, steps=600, scenario="sideways", seed=2)
    spike = backtest(iterations=3, steps=600, scenario="funding-spike", seed=2)
    assert all(row.funding_usd == 0.0 for row in calm.iterations)
    assert any(abs(row.funding_usd) > 10.0 for row in spike.iterations)
    for one, two in zip(calm.iterations, spike.iterations, strict=True):
        assert one.decision_sha256 == two.decision_sha256
        assert one.total_pnl - two.total_pnl == pytest.approx(two.funding_usd, abs=1e-6)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(ValueError):
        backtest(iterations=1, steps=10, scenario="moon", seed=1)


def test_win_rates_and_drawdowns_are_fractions() -> None:
    for row in backtest(iterations=3, steps=400, scenario="crash", seed=9).iterations:
        assert 0.0 <= row.max_drawdown < 1.0 and 0.0 <= row.avg_confidence <= 1.0
        assert row.win_rate is None or 0.0 <= row.win_rate <= 1.0
        assert np.isfinite(row.final_equity)


def test_generated_markets_take_the_same_switches() -> None:
    free, dear = (
        backtest(
            iterations=2, steps=600, scenario="bull", seed=1, assumed={"fee_bps": fee, "cooldown_bars": 5}
        )
        for fee in (0.0, 20.0)
    )
    plain = backtest(iterations=2, steps=600, scenario="bull", seed=1)
    for cheap, costly, usual in zip(free.iterations, dear.iterations, plain.iterations, strict=True):
        assert costly.final_equity < cheap.final_equity
        assert costly.decision_sha256 == cheap.decision_sha256 and cheap.trades <= usual.trades
    with pytest.raises(ValueError, match="close_at_end"):
        backtest(iterations=1, steps=10, scenario="bull", seed=1, assumed={"close_at_end": True})
