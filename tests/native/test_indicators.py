"""Indicators against their published formulas at 1e-9, their state, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native import indicators as native
from native.indicator_table import INDICATORS, IndicatorForm
from tests.native import indicator_formulas as formulas

GIVEN = {"period": 7, "interval_s": 60.0}
BARS = formulas.market(5, 400)


def build(form: IndicatorForm, **changes):
    wanted = {**{n: GIVEN.get(n, d) if d is None else d for n, d in form.arguments}, **changes}
    return getattr(native, form.name)(**wanted), wanted


def feed(
    form: IndicatorForm, indicator, bars=BARS, start: int = 0, stop: int | None = None
) -> dict[str, list]:
    """Run bars through and return every output per bar."""
    columns = [bars[name].tolist()[start:stop] for name in form.inputs]
    out: dict[str, list] = {name: [] for name in form.outputs}
    for row in zip(*columns, strict=True):
        assert indicator.update(*row) == indicator.value
        for name in form.outputs:
            out[name].append(getattr(indicator, name))
    return out


def check(name: str, expected: dict[str, np.ndarray], **arguments) -> None:
    form = INDICATORS[name]
    assert set(expected) == set(form.outputs)
    got = feed(form, build(form, **arguments)[0])
    for output, column in expected.items():
        np.testing.assert_allclose(got[output], column, rtol=1e-9, atol=1e-9, err_msg=f"{name}.{output}")


@pytest.mark.parametrize("period", [1, 2, 7, 50])
def test_windowed_indicators_equal_their_formulas(period):
    close, high, low = BARS["close"], BARS["high"], BARS["low"]
    mean = formulas.over(close, period, np.mean)
    deviation = formulas.stdev(close, period, 0)
    check("WMA", {"value": formulas.wma(close, period)}, period=period)
    for ddof in (0, 1):
        check("StDev", {"value": formulas.stdev(close, period, ddof), "mean": mean}, period=period, ddof=ddof)
    check(
        "ZScore", {"value": formulas.zscore(close, period), "mean": mean, "stdev": deviation}, period=period
    )
    upper, lower = mean + 2.5 * deviation, mean - 2.5 * deviation
    bands = {"value": mean, "upper": upper, "lower": lower, "width": (upper - lower) / close}
    check("Bollinger", bands, period=period, deviations=2.5)
    highest, lowest = formulas.over(high, period, np.max), formulas.over(low, period, np.min)
    channel = {"value": (highest + lowest) / 2, "upper": highest, "lower": lowest}
    check("Donchian", channel, period=period)
    check("VWAP", {"value": formulas.vwap(BARS, period)}, period=period)
    check(
        "RealisedVol", {"value": formulas.realised_vol(close, period, 300.0)}, period=period, interval_s=300.0
    )
    for percent in (0.0, 12.5, 50.0, 90.0, 100.0):
        wanted = formulas.over(close, period, lambda w, q=percent: np.percentile(w, q))
        check("Percentile", {"value": wanted}, period=period, percent=percent)


def test_recursive_indicators_equal_their_formulas():
    close = BARS["close"]
    difference = formulas.ema(close, 12) - formulas.ema(close, 26)
    signal = formulas.ema(difference, 9)
    check("MACD", {"value": difference, "signal": signal, "histogram": difference - signal})
    check("EMA", {"value": formulas.ema(close, 20)}, period=20)
    k, d = formulas.stochrsi(close, 14, 14, 3, 3)
    check("StochRSI", {"value": k, "d": d})
    check("ADX", formulas.adx(BARS["high"], BARS["low"], close, 14))
    check("SessionVWAP", {"value": formulas.session_vwap(BARS, 3_600)}, session_s=3_600)


def test_an_average_of_volume_is_a_plain_average():
    average = native.SMA(20)
    got = [average.update(x) for x in BARS["volume"].tolist()]
    np.testing.assert_allclose(got, formulas.over(BARS["volume"], 20, np.mean), rtol=1e-12)


@pytest.mark.parametrize("form", INDICATORS.values(), ids=lambda form: form.name)
def test_readiness_comes_with_the_stated_bar(form):
    indicator, arguments = build(form)
    wanted = eval(form.warmup, {}, arguments)
    assert indicator.warmup_bars == wanted
    feed(form, indicator, stop=wanted - 1)
    assert not indicator.is_ready
    feed(form, indicator, start=wanted - 1, stop=wanted)
    assert indicator.is_ready and indicator.count == wanted


@pytest.mark.parametrize("form", INDICATORS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("at", [0, 3, 7, 45, 200])
def test_state_goes_round_and_on_bit_for_bit(form, at):
    (first, arguments), (second, _) = build(form), build(form)
    feed(form, first, stop=at)
    state = first.export_state()
    assert len(state["ring"]) == (eval(form.room, {}, arguments) if form.has_ring else 0)
    second.import_state(state)
    assert feed(form, second, start=at) == feed(form, first, start=at)
    assert second.export_state() == first.export_state()


@pytest.mark.parametrize("form", INDICATORS.values(), ids=lambda form: form.name)
def test_foreign_and_damaged_state_is_refused(form):
    indicator, arguments = build(form)
    feed(form, indicator, stop=60)
    name = "deviations" if form.name == "Bollinger" else form.arguments[0][0]
    other, _ = build(form, **{name: arguments[name] + 1})
    with pytest.raises(ValueError, match="state"):
        other.import_state(indicator.export_state())
    for field, value in (("value", math.nan), ("value", math.inf), ("missing", 0.0)):
        state = indicator.export_state()
        state["state"][field] = value
        with pytest.raises(ValueError, match="damaged"):
            indicator.import_state(state)


@pytest.mark.parametrize("name", ["SMA", "Donchian", "Percentile"])
@pytest.mark.parametrize("position", [-1, 7, 10**9])
def test_a_position_outside_the_ring_is_refused(name, position):
    form = INDICATORS[name]
    indicator, _ = build(form, period=7)
    feed(form, indicator, stop=60)
    state = indicator.export_state()
    state["state"].get("window", state["state"])["position"] = position
    with pytest.raises(ValueError, match="damaged"):
        indicator.import_state(state)


def test_a_heap_that_points_outside_the_ring_is_refused():
    form = INDICATORS["Percentile"]
    indicator, _ = build(form, period=7)
    feed(form, indicator, stop=60)
    for place, value in ((7, 9.0), (7, -1.0), (14, 6.5), (20, 1e9)):
        state = indicator.export_state()
        state["ring"][place] = value
        with pytest.raises(ValueError, match="damaged"):
            indicator.import_state(state)


@pytest.mark.parametrize("form", INDICATORS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101])
def test_what_is_not_finite_is_refused_and_changes_nothing(form, bad):
    indicator, _ = build(form)
    feed(form, indicator, stop=60)
    before = indicator.export_state()
    row = [BARS[name].tolist()[60] for name in form.inputs]
    for place, name in enumerate(form.inputs):
        if name != "ts_ns":
            with pytest.raises(ValueError, match="finite"):
                indicator.update(*[bad if i == place else x for i, x in enumerate(row)])
    assert indicator.export_state() == before


@pytest.mark.parametrize("form", INDICATORS.values(), ids=lambda form: form.name)
def test_senseless_arguments_are_refused(form):
    for name, _ in form.arguments:
        for bad in (-1, math.nan, 1e12):
            with pytest.raises(ValueError):
                build(form, **{name: bad})
        if form.is_whole(name):
            with pytest.raises(ValueError):
                build(form, **{name: 2.5})


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(INDICATORS)),
    st.integers(1, 12),
    st.lists(st.sampled_from([0.0, 1e-90, 1.0, 1.5, 7.25, 1e12, 9e99]), min_size=1, max_size=60),
)
def test_no_value_is_ever_nan(name, period, values):
    form = INDICATORS[name]
    changes = {"period": period} if form.arguments[0][0] == "period" else {}
    indicator, _ = build(form, **changes)
    column = np.array(values)
    bars = dict.fromkeys(form.inputs, column) | {"ts_ns": np.arange(len(values)), "low": column * 0.5}
    for outputs in feed(form, indicator, bars).values():
        assert not any(math.isnan(x) for x in outputs)
