"""Risk and trade metrics by hand, and what must hold for every curve."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.research import risk
from engine.research.definitions import BY_ID, GROUPS, METRICS, to_markdown
from engine.research.metrics import Context, compute_metrics
from engine.research.trade_metrics import excursions, kelly_fraction, longest_run, payoff_ratio
from native.kernel import TRADE_DTYPE

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400 * 10**9
MINUTE = 60 * 10**9


def trade(**fields: float) -> np.ndarray:
    row = np.zeros(1, dtype=TRADE_DTYPE)
    for name, value in {"units": 1_000_000, "side": 1, "reason": 3, **fields}.items():
        row[name] = value
    return row


def test_the_longest_drawdown_runs_from_the_peak_to_its_recovery_or_to_the_end() -> None:
    # Peaks at bars 0 and 3 (recovered after 3 days), then down to the end at bar 8: 5 days.
    equity = np.array([110.0, 90.0, 100.0, 110.0, 100.0, 99.0, 98.0, 97.0, 96.0])
    falls = 1 - equity / np.maximum.accumulate(equity)
    assert risk.longest_drawdown_ns(falls, np.arange(9) * DAY, DAY) == 5 * DAY
    assert risk.longest_drawdown_ns(falls[:4], np.arange(4) * DAY, DAY) == 3 * DAY
    assert risk.longest_drawdown_ns(np.array([0.1, 0.2]), np.arange(2) * DAY, DAY) == 2 * DAY
    assert risk.longest_drawdown_ns(np.zeros(5), np.arange(5) * DAY, DAY) == 0


def test_months_are_calendar_months_and_an_empty_one_returns_nothing() -> None:
    days = [np.datetime64(text, "ns").astype(np.int64) for text in ("2024-01-30", "2024-01-31", "2024-03-01")]
    months = risk.monthly(np.array([110.0, 121.0, 108.9]), 100.0, np.array(days))
    assert [month for month, _ in months] == ["2024-01", "2024-02", "2024-03"]
    assert [value for _, value in months] == pytest.approx([0.21, 0.0, -0.1])


def test_the_basis_is_days_once_there_are_sixty_and_carries_over_gaps() -> None:
    equity = np.linspace(100.0, 130.0, 61 * 24)
    times = np.arange(len(equity)) * (DAY // 24)
    basis = risk.basis_of(equity, 100.0, times, DAY // 24)
    assert (basis.name, len(basis.returns)) == ("day", 61)
    assert np.prod(1 + basis.returns) == pytest.approx(1.3)
    kept = np.r_[0:240, 480 : len(equity)]
    gapped = risk.basis_of(equity[kept], 100.0, times[kept], DAY // 24)
    assert len(gapped.returns) == 61 and gapped.returns[10:20] == pytest.approx(np.zeros(10))
    brief = risk.basis_of(equity, 100.0, np.arange(len(equity)) * MINUTE, MINUTE)
    assert (brief.name, len(brief.returns)) == ("bar", len(equity))


def test_moments_and_tails_by_hand() -> None:
    # Values 0, 0, 0, 4: mean 1, m2 = 3, m3 = 6, m4 = 21.
    skewness, excess = risk.moments(np.array([0.0, 0.0, 0.0, 4.0])) or (0.0, 0.0)
    assert skewness == pytest.approx(6 / 3**1.5)
    assert excess == pytest.approx(21 / 9 - 3)
    at_risk, shortfall, ratio = risk.tails(np.arange(-10.0, 11.0) / 100)
    assert at_risk == pytest.approx(0.09)
    assert shortfall == pytest.approx(0.095)
    assert ratio == pytest.approx(1.0)
    assert risk.moments(np.full(30, 0.01)) is None


def test_the_probabilistic_sharpe_ratio_by_hand() -> None:
    # +2 and -1 by turns, 100 times: mean 0.5, std 1.5·√(100/99), no skew, m4/m2² = 1.
    returns = np.tile([2.0, -1.0], 50)
    ratio = 0.5 / (1.5 * math.sqrt(100 / 99))
    score = ratio * math.sqrt(99) / math.sqrt(1 + (1 - 1) / 4 * ratio**2)
    expected = 0.5 * (1 + math.erf(score / math.sqrt(2)))
    assert risk.probabilistic_sharpe(returns) == pytest.approx(expected)
    assert risk.deflated_sharpe(returns, 1) == pytest.approx(expected)


def test_the_best_of_many_useless_trials_looks_good_and_is_deflated() -> None:
    # N = 100: 0.4228·Φ⁻¹(0.99) + 0.5772·Φ⁻¹(1 - 1/271.83) = 0.4228·2.3263 + 0.5772·2.6801
    assert risk.expected_best_of(100, 1.0) == pytest.approx(2.5306, abs=2e-3)
    draws = np.random.default_rng(1).normal(size=(2_000, 100)).max(axis=1)
    assert risk.expected_best_of(100, 1.0) == pytest.approx(draws.mean(), abs=0.05)
    returns = np.random.default_rng(2).normal(0.05, 1.0, 500)
    odds = [risk.deflated_sharpe(returns, trials) or 0.0 for trials in (1, 10, 1_000)]
    assert odds[0] > odds[1] > odds[2]


def test_excursions_of_a_long_a_short_and_a_trade_inside_one_bar() -> None:
    high = np.array([11.0, 14.0, 12.0, 30.0])
    low = np.array([9.0, 10.0, 8.0, 1.0])
    rows = np.concatenate([
        trade(entry_bar=0, exit_bar=3, entry_fill=10.0, exit_fill=13.0),
        trade(entry_bar=1, exit_bar=3, entry_fill=10.0, exit_fill=13.0, side=-1, units=2_000_000),
        trade(entry_bar=3, exit_bar=3, entry_fill=10.0, exit_fill=9.5),
    ])  # fmt: skip
    mae, mfe = excursions(rows, high, low)
    assert mae == pytest.approx([2.0, 8.0, 0.5])
    assert mfe == pytest.approx([4.0, 4.0, 0.0])


def test_streaks_payoff_and_kelly_by_hand() -> None:
    pnl = np.array([1.0, 1.0, -2.0, 4.0, -1.0, -1.0, 2.0])
    assert (longest_run(pnl > 0), longest_run(pnl < 0)) == (2, 2)
    assert longest_run(np.zeros(0, dtype=bool)) == 0 and longest_run(np.ones(3, dtype=bool)) == 3
    assert payoff_ratio(pnl) == (pytest.approx(1.5), "not_finite")
    assert kelly_fraction(pnl) == (None, "fewer_than_20_trades")
    # 60 % wins at 2 : 1 -> 0.6 - 0.4 / 2
    assert kelly_fraction(np.tile([2.0, 2.0, 2.0, -1.0, -1.0], 5))[0] == pytest.approx(0.4)


def test_costs_and_splits_add_up() -> None:
    rows = np.concatenate([
        trade(exit_bar=2, entry_fill=100.0, exit_fill=110.0, pnl=9.0, fees=1.0),
        trade(entry_bar=2, exit_bar=3, entry_fill=110.0, exit_fill=112.0, side=-1, pnl=-3.0, fees=1.0,
              reason=4),
    ])  # fmt: skip
    equity = np.array([100.0, 105.0, 109.0, 106.0])
    context = Context(ts_ns=np.arange(4) * DAY, high=equity, low=equity, slippage_bps=10.0, symbols=("BTC",))
    found = compute_metrics(equity, 100.0, rows, DAY, 2.0, context)
    assert found.values["slippage_usd"] == pytest.approx(432.0 / 1_000)
    assert found.values["gross_pnl_usd"] == pytest.approx(6.0 + 2.0 + 0.432)
    assert found.values["cost_share"] == pytest.approx(2.432 / 8.432)
    assert (found.values["funding_usd"], found.null_reasons["funding_usd"]) == (None, "no_funding_data")
    for name in ("per_side", "per_symbol", "per_reason"):
        table = found.tables[name]
        assert sum(row["pnl_usd"] for row in table) == pytest.approx(6.0)
        assert sum(row["trades"] for row in table) == 2
    assert [row["key"] for row in found.tables["per_side"]] == ["short", "long"]
    assert [row["key"] for row in found.tables["per_reason"]] == ["signal_flat", "stop"]
    assert found.tables["per_symbol"][0]["key"] == "BTC"


def test_growth_counts_calendar_time() -> None:
    equity = np.array([100.0, 121.0])
    two_years = Context(ts_ns=np.array([0, int(2 * 365.25 * DAY) - DAY]), high=equity, low=equity)
    found = compute_metrics(equity, 100.0, np.zeros(0, TRADE_DTYPE), DAY, 0.0, two_years)
    assert found.values["cagr"] == pytest.approx(0.1)
    assert found.values["days"] == pytest.approx(730.5)
    brief = compute_metrics(equity, 100.0, np.zeros(0, TRADE_DTYPE), DAY, 0.0)
    assert brief.null_reasons["cagr"] == "shorter_than_30_days"


curves = arrays(np.float64, st.integers(2, 400), elements=st.floats(1.0, 1e6))


@settings(max_examples=60, deadline=None)
@given(curves, st.sampled_from([MINUTE, DAY // 24, DAY]))
def test_whatever_the_curve(equity: np.ndarray, interval_ns: int) -> None:
    start = float(equity[0])
    found = compute_metrics(equity, start, np.zeros(0, TRADE_DTYPE), interval_ns, 0.0)
    values = found.values
    assert set(values) == set(BY_ID)
    assert all((value is None) == (name in found.null_reasons) for name, value in values.items())
    assert all(math.isfinite(value) for value in values.values() if isinstance(value, float))
    assert 0 <= values["ulcer_index"] <= values["max_drawdown"] < 1
    assert 0 <= values["longest_drawdown_s"] <= values["days"] * 86_400
    growth = np.prod([1 + row["return"] for row in found.tables["monthly"]])
    assert growth == pytest.approx(1 + values["total_return"], rel=1e-9)
    for name in ("probabilistic_sharpe", "deflated_sharpe"):
        assert values[name] is None or 0 <= values[name] <= 1
    if values["var_95"] is not None:
        assert values["cvar_95"] >= values["var_95"] - 1e-12
    doubled = compute_metrics(equity * 2, start * 2, np.zeros(0, TRADE_DTYPE), interval_ns, 0.0).values
    for name in ("total_return", "max_drawdown", "sharpe_simple", "ulcer_index"):
        assert doubled[name] == pytest.approx(values[name], rel=1e-6, abs=1e-9)


def test_the_table_is_complete_and_the_document_is_made_from_it() -> None:
    assert {each.group for each in METRICS} == set(GROUPS)
    assert all(each.formula and each.source and each.minimum and each.title for each in METRICS)
    committed = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert committed == to_markdown(), "run: python -m engine.research.definitions"
