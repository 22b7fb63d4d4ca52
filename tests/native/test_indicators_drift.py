"""No rounding error stays behind: after many bars and violent jumps every window equals a fresh one."""

from __future__ import annotations

import numpy as np
import pytest

from native import indicators as ours
from tests.native import indicator_formulas as formulas

PERIOD = 50


def _walk(count: int) -> np.ndarray:
    """A long walk whose level jumps a million-fold up and down, and rests at a constant once."""
    chance = np.random.default_rng(3)
    x = 100.0 * np.exp(np.cumsum(chance.normal(0, 0.001, count)) % 1.0)
    x[count // 3 : count // 3 + 997] *= 1e6
    x[count // 2 : count // 2 + 331] = 1.0 / 3.0
    return x


def _fresh(make, last: np.ndarray) -> float:
    indicator = make()
    for x in last.tolist():
        indicator.update(x)
    return float(indicator.value)


MAKERS = {
    "SMA": lambda: ours.SMA(PERIOD),
    "WMA": lambda: ours.WMA(PERIOD),
    "StDev": lambda: ours.StDev(PERIOD, 1),
    "ZScore": lambda: ours.ZScore(PERIOD),
    "Percentile": lambda: ours.Percentile(PERIOD, 90.0),
    "RealisedVol": lambda: ours.RealisedVol(PERIOD, 60.0),
}
FORMULAS = {
    "SMA": lambda w: w[-PERIOD:].mean(),
    "WMA": lambda w: np.average(w[-PERIOD:], weights=np.arange(1, PERIOD + 1)),
    "StDev": lambda w: w[-PERIOD:].std(ddof=1),
    "ZScore": lambda w: (w[-1] - w[-PERIOD:].mean()) / w[-PERIOD:].std(),
    "Percentile": lambda w: np.percentile(w[-PERIOD:], 90.0),
    "RealisedVol": lambda w: formulas.realised_vol(w, PERIOD, 60.0)[-1],
}


def _check(name: str, count: int) -> None:
    x = _walk(count)
    indicator = MAKERS[name]()
    stops = sorted({*range(PERIOD + 1, count, count // 7), count // 3 + 60, count // 3 + 1_060, count})
    done = 0
    for stop in stops:
        for value in x[done:stop].tolist():
            indicator.update(value)
        done = stop
        window = x[stop - PERIOD - 1 : stop]
        assert indicator.value == pytest.approx(float(FORMULAS[name](window)), rel=1e-9), f"{name} at {stop}"
        # And equal, to the last digits, to one that has seen nothing before this window.
        assert indicator.value == pytest.approx(_fresh(MAKERS[name], window), rel=1e-12), f"{name} at {stop}"
    assert indicator.count == count


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"SMA"}))
def test_a_window_equals_a_fresh_one_after_many_bars(name):
    _check(name, 200_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"SMA"}))
def test_a_window_equals_a_fresh_one_after_ten_million_bars(name):
    _check(name, 10_000_000)


def test_a_constant_window_has_no_deviation_whatever_came_before():
    deviation, score = ours.StDev(PERIOD), ours.ZScore(PERIOD)
    for value in [1e12, 3e-9] * 1_000 + [1.0 / 3.0] * PERIOD:
        deviation.update(value)
        score.update(value)
    assert (deviation.value, score.value) == (0.0, 0.0)


def test_a_plain_average_is_summed_anew_every_turn():
    """SMA keeps a running sum: a jump leaves a rest of it until the ring turns, then none."""
    average = ours.SMA(PERIOD)
    for value in [1e15] * PERIOD + [1.0] * (2 * PERIOD):
        average.update(value)
    assert average.value == 1.0


def test_a_session_average_holds_over_a_million_bars_of_one_session():
    average = ours.SessionVWAP(10**9)
    for _ in range(1_000_000):
        average.update(1, 0.3, 0.1, 0.2, 0.1)
    assert average.value == pytest.approx(0.2, rel=1e-15)
