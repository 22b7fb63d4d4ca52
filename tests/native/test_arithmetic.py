"""Indicators against their formulas; the simulated exchange's arithmetic by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native import reference
from native.indicators import ATR, EMA, RSI, SMA
from native.matching import fee, fill_price, lot_units, round_price, size_units
from native.selfcheck import random_bars

prices = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200)


@given(prices, st.integers(1, 40))
def test_indicators_equal_the_reference_bit_for_bit(values, period):
    for kind, formula in ((EMA, reference.ema), (SMA, reference.sma), (RSI, reference.rsi)):
        indicator = kind(period)
        assert [indicator.update(x) for x in values] == formula(values, period)


def test_atr_equals_the_reference_bit_for_bit():
    bars = random_bars(1, 300)
    indicator = ATR(14)
    assert [indicator.update(h, l, c) for _, _, h, l, c in bars] == reference.atr(bars)


@given(prices, st.integers(1, 40))
def test_sma_is_the_mean_of_the_window(values, period):
    indicator = SMA(period)
    for t, x in enumerate(values):
        window = values[max(0, t - period + 1) : t + 1]
        assert indicator.update(x) == pytest.approx(math.fsum(window) / len(window), rel=1e-9, abs=1e-4)


def test_rsi_of_a_rise_is_100_and_of_a_fall_0():
    up, down = RSI(3), RSI(3)
    for t in range(10):
        up.update(100.0 + t)
        down.update(100.0 - t)
    assert (up.value, down.value, up.is_ready) == (100.0, 0.0, True)


@pytest.mark.parametrize("kind", [EMA, SMA, RSI, ATR])
def test_indicators_refuse_what_is_not_finite(kind):
    with pytest.raises(ValueError):
        kind(3).update(*([math.nan] * (3 if kind is ATR else 1)))
    with pytest.raises(ValueError):
        kind(0)


def test_slippage_and_tick_go_against_us():
    assert fill_price(100.0, 1, 1.0) == 100.0 * 1.0001
    assert fill_price(100.0, -1, 1.0, 0.5) == 99.5
    assert round_price(100.1, 1, 0.1) == pytest.approx(100.1)
    assert round_price(100.11, 1, 0.1) == pytest.approx(100.2)


def test_sizes_are_floored_to_micro_units_and_lot():
    assert size_units(10_000.0, 333.0) == 30_030_030
    assert size_units(10_000.0, 333.0, lot_units(0.001)) == 30_030_000
    assert fee(100.0, 2_000_000, 4.5) == 100.0 * 2.0 * (4.5 / 1e4)
    with pytest.raises(ValueError):
        lot_units(1e-7)
    with pytest.raises(ValueError):
        fill_price(math.nan, 1, 1.0)
