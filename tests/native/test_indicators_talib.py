"""Our indicators against TA-Lib, an implementation that is not ours (QL-10: within 5e-5).

Windows have one definition, so every bar is compared at 1e-9. What is recursive is seeded differently
(TA-Lib: a plain mean of the first window), so it is compared once the seeds have died away.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from native import indicators as ours
from native.selfcheck import random_bars

talib = pytest.importorskip("talib", reason="TA-Lib is a development dependency: make install")

SETTLED, TOLERANCE = 1_500, 5e-5
TABLE = np.array(random_bars(17, 3_000))
HIGH, LOW, CLOSE = (np.ascontiguousarray(TABLE[:, i]) for i in (2, 3, 4))


def run(indicator, *columns: np.ndarray, output: str = "value") -> np.ndarray:
    out = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        indicator.update(*row)
        out.append(getattr(indicator, output))
    return np.array(out)


def settled(got: np.ndarray, wanted: np.ndarray) -> None:
    assert np.abs(got - wanted)[SETTLED:].max() <= TOLERANCE
    assert np.abs(wanted[SETTLED:]).max() > 0


def everywhere(got: np.ndarray, wanted: np.ndarray, period: int) -> None:
    np.testing.assert_allclose(got[period - 1 :], wanted[period - 1 :], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("period", [2, 14, 100])
def test_windows_equal_talib_at_every_bar(period):
    everywhere(run(ours.SMA(period), CLOSE), talib.SMA(CLOSE, period), period)
    everywhere(run(ours.WMA(period), CLOSE), talib.WMA(CLOSE, period), period)
    everywhere(run(ours.StDev(period), CLOSE), talib.STDDEV(CLOSE, period), period)
    everywhere(run(ours.Donchian(period), HIGH, LOW, output="upper"), talib.MAX(HIGH, period), period)
    everywhere(run(ours.Donchian(period), HIGH, LOW, output="lower"), talib.MIN(LOW, period), period)
    upper, middle, lower = talib.BBANDS(CLOSE, period, 2.0, 2.0)
    for output, wanted in (("upper", upper), ("value", middle), ("lower", lower)):
        everywhere(run(ours.Bollinger(period, 2.0), CLOSE, output=output), wanted, period)


@pytest.mark.parametrize("period", [5, 14, 30])
def test_recursive_indicators_agree_with_talib_once_settled(period):
    settled(run(ours.EMA(period), CLOSE), talib.EMA(CLOSE, period))
    settled(run(ours.RSI(period), CLOSE), talib.RSI(CLOSE, period))
    settled(run(ours.ATR(period), HIGH, LOW, CLOSE), talib.ATR(HIGH, LOW, CLOSE, period))
    for output, wanted in (("value", talib.ADX), ("plus_di", talib.PLUS_DI), ("minus_di", talib.MINUS_DI)):
        got = run(ours.ADX(period), HIGH, LOW, CLOSE, output=output)
        settled(got, wanted(HIGH, LOW, CLOSE, period))


def test_macd_agrees_with_talib_once_settled():
    outputs = ("value", "signal", "histogram")
    for output, wanted in zip(outputs, talib.MACD(CLOSE, 12, 26, 9), strict=True):
        settled(run(ours.MACD(), CLOSE, output=output), wanted)


def test_stochastic_rsi_agrees_with_talib_once_settled():
    """TA-Lib's fast K is our value with k = 1; its fast D is our value with k = 3. Its scale is 0..100."""
    fast_k, fast_d = talib.STOCHRSI(CLOSE, 14, 14, 3, 0)
    settled(run(ours.StochRSI(14, 14, 1, 1), CLOSE), fast_k / 100)
    settled(run(ours.StochRSI(14, 14, 3, 3), CLOSE), fast_d / 100)


def test_the_adx_slope_is_the_change_of_adx():
    slope = run(ours.ADX(14), HIGH, LOW, CLOSE, output="slope")
    settled(slope[1:], np.diff(talib.ADX(HIGH, LOW, CLOSE, 14)))
    assert not math.isclose(slope[-1], 0.0)
