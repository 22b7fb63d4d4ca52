"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.research import metrics
from engine.research.metrics import Context, compute_metrics
from native.intents import LanePosition
from native.kernel import TRADE_DTYPE

MINUTE_NS = 60_000_000_000


def trades(*rows: tuple[int, int, float]) -> np.ndarray:
    table = np.zeros(len(rows), dtype=TRADE_DTYPE)
    for at, (entry, exit_, pnl) in enumerate(rows):
        table[at]["entry_bar"], table[at]["exit_bar"], table[at]["pnl"] = entry, exit_, pnl
        table[at]["units"], table[at]["entry_fill"], table[at]["exit_fill"] = 1_000_000, 50.0, 55.0
    return table


def test_six_bars_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MIN_POINTS", 5)
    # Start 100. Returns: +10 %, -10 %, 0, +20 %, -5 %, 0.
    equity = np.array([110.0, 99.0, 99.0, 118.8, 112.86, 112.86])
    found = compute_metrics(equity, 100.0, trades((0, 2, 10.0), (2, 3, -4.0), (3, 5, 6.0)), MINUTE_NS, 3.0)
    values = found.values
    assert values["total_return"] == pytest.approx(0.1286)
    assert values["max_drawdown"] == pytest.approx(0.10)
    mean = 0.15 / 6
    squares = sum((r - mean) ** 2 for r in (0.1, -0.1, 0.0, 0.2, -0.05, 0.0))
    per_year = 365.25 * 1_440
    assert values["sharpe_simple"] == pytest.approx(mean / math.sqrt(squares / 5) * math.sqrt(per_year))
    downside = math.sqrt((0.01 + 0.0025) / 6)
    assert values["sortino"] == pytest.approx(mean / downside * math.sqrt(per_year))
    assert values["win_rate"] == pytest.approx(2 / 3)
    assert values["profit_factor"] == pytest.approx(4.0)
    assert values["expectancy_net"] == pytest.approx(4.0)
    assert values["avg_holding_bars"] == pytest.approx(5 / 3)
    assert values["avg_holding_s"] == pytest.approx(100.0)
    assert values["exposure"] == pytest.approx(5 / 6)
    assert values["turnover"] == pytest.approx(315.0 / float(np.mean(equity)))
    assert (values["fees_usd"], values["trades"], values["wins"]) == (3.0, 3, 2)


def held(entry_ns: int, unrealised_usd: float) -> LanePosition:
    return LanePosition(
        side=1, units=2_000_000, entry_price=50.0, entry_bar=0, entry_ts_ns=entry_ns, stop_price=None,
        target_price=None, unrealised_usd=unrealised_usd, outstanding=(),
    )  # fmt: skip


def test_exposure_counts_what_is_still_open_and_overlapping_positions_once() -> None:
    ts_ns = np.arange(10, dtype=np.int64) * MINUTE_NS
    table = trades((1, 4, 1.0), (2, 5, 1.0))  # two lanes at once: bars 1, 2, 3, 4
    table["entry_ts_ns"], table["exit_ts_ns"] = table["entry_bar"] * MINUTE_NS, table["exit_bar"] * MINUTE_NS
    equity, prices = np.full(10, 100.0), np.full(10, 50.0)
    context = Context(ts_ns=ts_ns, high=prices, low=prices)
    closed = compute_metrics(equity, 100.0, table, MINUTE_NS, 0.0, context).values
    assert (closed["exposure"], closed["open_positions"]) == (pytest.approx(0.4), 0)
    open_too = compute_metrics(
        equity, 100.0, table, MINUTE_NS, 0.0, context, held=(held(7 * MINUTE_NS, 3.5),)
    ).values
    assert open_too["exposure"] == pytest.approx(0.7)  # and bars 7, 8, 9
    assert open_too["turnover"] == pytest.approx((210.0 + 100.0) / 100.0)
    assert (open_too["open_positions"], open_too["open_pnl_usd"]) == (1, 3.5)
    assert compute_metrics(equity, 100.0, table, MINUTE_NS, 0.0).values["exposure"] == pytest.approx(0.4)


def test_a_small_sample_gives_null_and_a_reason() -> None:
    found = compute_metrics(np.array([100.0, 100.0]), 100.0, trades(), MINUTE_NS, 0.0)
    for name in ("sharpe_simple", "sortino", "calmar", "win_rate", "profit_factor", "expectancy_net"):
        assert found.values[name] is None
        assert found.null_reasons[name]


def test_a_flat_curve_has_no_sharpe_and_a_lost_account_no_calmar() -> None:
    flat = compute_metrics(np.full(50, 100.0), 100.0, trades(), MINUTE_NS, 0.0)
    assert flat.null_reasons["sharpe_simple"] == "no_variation"
    assert flat.null_reasons["calmar"] == "drawdown_too_small"
    lost = compute_metrics(np.linspace(100.0, -5.0, 50), 100.0, trades(), MINUTE_NS, 0.0)
    assert lost.null_reasons["calmar"] == "account_lost"


def test_the_start_counts_as_a_peak() -> None:
    assert metrics.max_drawdown(np.array([90.0, 95.0]), 100.0) == pytest.approx(0.10)
