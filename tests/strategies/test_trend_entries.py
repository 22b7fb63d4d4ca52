"""OC-08: every gate, every mode, both sides, every tier of the trend strategy, against the written rules.

The rules are stated here once more over whole columns; the strategy must agree with them at every bar.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.strategies.bundled import trend_atr as trend
from native.strategy import Signal
from tests.strategies.markets import Columns, mirrored, walk
from tests.strategies.trend_watch import before, facts, watch

WARMUP = 100
LONG = walk(11, 12_000, drift=0.0010, noise=0.0025)
MARKETS = {1: LONG, -1: mirrored(LONG)}
ALL = {"pullback": 1, "slow_drift": 1, "min_confidence": "low", "cooldown": 0}
STRENGTHS = {trend.LOW: 0.25, trend.MEDIUM: 0.5, trend.HIGH: 1.0}


def gates_of(bars: Columns, volume_gate: str = "off", has_drift: bool = False) -> np.ndarray:
    """The gates by the table of rules, as bits per bar."""
    f, close, volume = facts(bars), bars["close"], bars["volume"]
    votes = (
        (f["adx"] < 21).astype(int)
        + (f["width_ratio"] < 0.8)
        + ((f["rsi"] > 47) & (f["rsi"] < 53)).astype(int)
    )
    slow_before = before(f["slow"])
    is_drift = (
        np.abs((f["slow"] - slow_before) / slow_before) >= 0.0006 if has_drift else np.zeros(len(close), bool)
    )
    away = np.abs(close - f["fast"]) / f["fast"]
    above, trending = volume > f["volume_long"], f["volume_short"] > f["volume_long"]
    has_volume = {"off": above | ~above, "normal": above | trending, "strict": above & trending}[volume_gate]
    least = np.where(f["atr"] > 1.5 * f["atr_mean"], 27.5, 22.0)
    least = np.where(f["slope"] > 0.5, np.minimum(least, 25.0), least)
    bits = {
        trend.RANGING: (votes >= 2) & ~is_drift,
        trend.ANOMALY: (np.abs(close / before(close) - 1) > 0.10) | (away > 0.50),
        trend.EXTENSION: away > 0.04,
        trend.VOLUME: ~has_volume,
        trend.ADX_NOT_RISING: ~((f["slope"] > 0) | (f["adx"] > 40)),
        trend.ADX_LOW: ~(f["adx"] > least),
    }
    return sum(np.where(blocks, bit, 0) for bit, blocks in bits.items())


def standard(bars: Columns, side: int, macd_mode: str = "accel", use_macro: bool = False) -> np.ndarray:
    f, close = facts(bars), bars["close"]
    weight = np.clip((f["adx"] - 22) / 18, 0, 1)
    limit = 56 - 4 * weight if side > 0 else 44 + 4 * weight
    momentum = {"none": f["turn"] == f["turn"], "sign": side * f["turn"] > 0,
                "accel": side * (f["turn"] - before(f["turn"])) > 0}[macd_mode]  # fmt: skip
    return (
        (gates_of(bars) == 0)
        & (side * (f["fast"] - f["slow"]) > 0)
        & ((side * (f["slow"] - f["macro"]) > 0) if use_macro else True)
        & (side * (close - f["fast"]) > 0)
        & (side * (f["rsi"] - limit) > 0)
        & momentum
        & ((f["k"] < 0.85) if side > 0 else (f["k"] > 0.15))
    )


def pullback(bars: Columns, side: int) -> np.ndarray:
    f, close = facts(bars), bars["close"]
    return (
        (gates_of(bars, has_drift=True) % 8 == 0)
        & (side * (f["fast"] - f["slow"]) > 0)
        & (f["adx"] >= 22)
        & (side * (before(close) - before(f["fast"])) <= 0)
        & (side * (close - f["fast"]) > 0)
        & (side * f["line"] > 0)
        & (side * (f["rsi"] - 50) >= 0)
    )


def slow_drift(bars: Columns, side: int) -> np.ndarray:
    f, close = facts(bars), bars["close"]
    slope = f["slow"] / before(f["slow"]) - 1
    return (
        (gates_of(bars, has_drift=True) % 8 == 0)
        & (np.abs(slope) >= 0.0006)
        & (side * slope > 0)
        & (f["adx"] >= 10)
        & (side * (close - f["slow"]) > 0)
    )


def modes_seen(rows, mode: int, side: int, tier: int) -> list[int]:
    """Bars at which a wish of this mode, side and tier was given."""
    return [
        row.index
        for row in rows
        if isinstance(row.answer, Signal) and (row.mode, row.answer.side, row.tier) == (mode, side, tier)
    ]


CASES = [
    (trend.STANDARD, 1, trend.MEDIUM),
    (trend.STANDARD, 1, trend.HIGH),
    (trend.STANDARD, -1, trend.MEDIUM),
    (trend.STANDARD, -1, trend.HIGH),
    (trend.PULLBACK, 1, trend.LOW),
    (trend.PULLBACK, -1, trend.LOW),
    (trend.SLOW_DRIFT, 1, trend.LOW),
    (trend.SLOW_DRIFT, -1, trend.LOW),
]


@pytest.mark.parametrize(("mode", "side", "tier"), CASES)
def test_each_mode_side_and_tier_enters_by_its_rule(mode, side, tier):
    bars = MARKETS[side]
    rows, _ = watch(bars, **ALL)
    seen = modes_seen(rows, mode, side, tier)
    assert len(seen) >= 3
    has_gates = gates_of(bars, has_drift=True) == 0
    rule = {
        trend.STANDARD: lambda: standard(bars, side) | (_standard_without_ranging(bars, side) & has_gates),
        trend.PULLBACK: lambda: pullback(bars, side),
        trend.SLOW_DRIFT: lambda: slow_drift(bars, side),
    }[mode]()
    loud = bars["volume"] > 2.5 * facts(bars)["volume_long"]
    for t in seen:
        assert rule[t], f"bar {t}"
        assert rows[t].answer.strength == STRENGTHS[tier]
        assert mode != trend.STANDARD or loud[t] == (tier == trend.HIGH)


def _standard_without_ranging(bars: Columns, side: int) -> np.ndarray:
    """The standard rule where the drift exemption has cleared the ranging gate."""
    f, close = facts(bars), bars["close"]
    weight = np.clip((f["adx"] - 22) / 18, 0, 1)
    limit = 56 - 4 * weight if side > 0 else 44 + 4 * weight
    return (
        (side * (f["fast"] - f["slow"]) > 0)
        & (side * (close - f["fast"]) > 0)
        & (side * (f["rsi"] - limit) > 0)
        & (side * (f["turn"] - before(f["turn"])) > 0)
        & ((f["k"] < 0.85) if side > 0 else (f["k"] > 0.15))
    )


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("macd_mode", ["none", "sign", "accel"])
@pytest.mark.parametrize("use_macro", [0, 1])
def test_the_standard_mode_is_its_rule_at_every_bar(side, macd_mode, use_macro):
    bars = MARKETS[side]
    rows, _ = watch(bars, macd_mode=macd_mode, use_macro=use_macro)
    start = 200 if use_macro else WARMUP
    rule = standard(bars, 1, macd_mode, bool(use_macro)) | standard(bars, -1, macd_mode, bool(use_macro))
    # Where a rung of the ladder has just ended the trade, entries are not looked at in that bar.
    open_rows = [row for row in rows[start:] if row.answer != 0]
    assert sum(row.mode == trend.STANDARD for row in open_rows) > 50
    for row in open_rows:
        assert (row.mode == trend.STANDARD) == bool(rule[row.index]), f"bar {row.index}"


@pytest.mark.parametrize("volume_gate", ["off", "normal", "strict"])
@pytest.mark.parametrize("slow_drift", [0, 1])
def test_every_gate_is_evaluated_at_every_bar(volume_gate, slow_drift):
    bars = walk(4, 8_000, drift=0.0008, noise=0.003)
    rows, _ = watch(bars, volume_gate=volume_gate, slow_drift=slow_drift)
    wanted = gates_of(bars, volume_gate, bool(slow_drift))
    compared = [row for row in rows[WARMUP:] if row.answer != 0]
    assert [row.gates for row in compared] == [wanted[row.index] for row in compared]
    expected = [trend.RANGING, trend.ADX_NOT_RISING, trend.ADX_LOW]
    expected += [trend.VOLUME] if volume_gate != "off" else []
    for bit in expected:
        assert 0 < sum(bool(row.gates & bit) for row in compared) < len(compared), f"gate {bit} never moved"


@pytest.mark.parametrize(("factor", "gate"), [(1.12, trend.ANOMALY), (1.06, trend.EXTENSION)])
def test_a_leap_is_an_anomaly_or_an_extension_and_blocks_every_mode(factor, gate):
    bars = walk(4, 600, drift=0.0008, noise=0.003)
    for name in ("open", "high", "low", "close"):
        bars[name][400:] *= factor
    bars["open"][400] /= factor
    bars["low"][400] = min(bars["low"][400] / factor, bars["open"][400])
    # 12 ATR would make it a glitch: here the ranges before are wide enough.
    bars["high"][300:400] *= 1.03
    rows, _ = watch(bars, **ALL)
    assert rows[400].gates & gate and not rows[400].is_glitch
    assert rows[400].mode == trend.NO_MODE


@pytest.mark.parametrize(
    ("least", "tiers"),
    [
        ("low", {trend.LOW, trend.MEDIUM, trend.HIGH}),
        ("medium", {trend.MEDIUM, trend.HIGH}),
        ("high", {trend.HIGH}),
    ],
)
def test_only_tiers_from_the_lowest_wanted_enter(least, tiers):
    rows, _ = watch(LONG, **{**ALL, "min_confidence": least})
    assert {row.tier for row in rows if isinstance(row.answer, Signal)} == tiers


@pytest.mark.parametrize(("pull", "drift"), [(0, 0), (1, 0), (0, 1)])
def test_a_mode_that_is_off_never_enters(pull, drift):
    rows, _ = watch(LONG, pullback=pull, slow_drift=drift, min_confidence="low")
    wanted = (
        {trend.STANDARD} | ({trend.PULLBACK} if pull else set()) | ({trend.SLOW_DRIFT} if drift else set())
    )
    assert {row.mode for row in rows if isinstance(row.answer, Signal)} == wanted


def test_targets_widen_with_the_trend():
    rows, _ = watch(LONG, **ALL)
    f = facts(LONG)
    seen = set()
    for row in rows:
        if isinstance(row.answer, Signal):
            adx, atr = f["adx"][row.index], f["atr"][row.index]
            multiple = 7.0 if adx > 40 else (3.0 if adx < 30 else 4.0)
            assert row.answer.target == pytest.approx(multiple * atr, rel=1e-12)
            assert row.answer.stop == pytest.approx(2.0 * 1.265 * atr, rel=1e-12)
            seen.add(multiple)
    assert seen == {3.0, 4.0, 7.0}


def test_the_same_side_waits_after_an_exit_and_the_other_does_not():
    rows, kernel = watch(LONG, **{**ALL, "cooldown": 1})
    adx, trades = facts(LONG)["adx"], kernel.trades()
    waited = 0
    for row in rows:
        past = trades[trades["exit_bar"] < row.index]
        if (
            isinstance(row.answer, Signal)
            and row.side == 0
            and len(past)
            and past[-1]["side"] == row.answer.side
        ):
            wait = 180.0 - 135.0 * min(max((adx[row.index] - 25.0) / 15.0, 0.0), 1.0)
            # The exit is seen at the close of its bar, or of the next when it was ordered at a close.
            assert row.index - past[-1]["exit_bar"] >= wait - 1
            waited += 1
    free, _ = watch(LONG, **ALL)
    assert waited > 3
    assert sum(isinstance(r.answer, Signal) for r in free) > sum(isinstance(r.answer, Signal) for r in rows)
