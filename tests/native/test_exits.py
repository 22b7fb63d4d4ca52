"""The ladder of exits equals its twin, decision by decision; stops never loosen, exits never overfill."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.codes import Reason
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.selfcheck import random_bars
from native.strategy import Signal, StrategyFailed
from tests.native.markets import Scripted, columns, wishes
from tests.reference import ladder

FIELDS = ["entry_bar", "exit_bar", "side", "units", "entry_fill", "exit_fill", "pnl", "reason"]


def replayed(config, bars, script, lot=1e-6):
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=Scripted(script), lot=lot)])
    kernel.replay(0, *columns(bars))
    return kernel


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(wishes, min_size=2, max_size=80),
    st.sampled_from(["intrabar", "next_open"]),
    st.sampled_from([(0, 0), (0, 4), (3, 7), (2, 0)]),
)
def test_ladder_equals_its_twin(seed, script, stops, window):
    least, most = window
    config = KernelConfig(stops=stops, min_hold_bars=least, max_hold_bars=most)
    bars = random_bars(seed, len(script))
    kernel, twin = replayed(config, bars, script), ladder.run(config, bars, script)
    assert kernel.decision_hash() == hashlib.sha256(b"".join(twin.records)).hexdigest()
    assert [tuple(row) for row in kernel.trades()[FIELDS].tolist()] == twin.trades
    assert kernel.equity_curve().tolist() == twin.equity
    for (bar, side, stop), (next_bar, _, next_stop) in zip(twin.stops, twin.stops[1:], strict=False):
        assert bar != next_bar or side * next_stop >= side * stop


def flat_market(closes):
    return [(t, c, c, c, c) for t, c in enumerate(closes)]


@pytest.mark.parametrize(
    ("signal", "closes", "reasons"),
    [
        (Signal(1, stop=5.0), [100, 100, 94], [Reason.STOP]),
        (Signal(1, trail=5.0, stop=9.0), [100, 100, 110, 104], [Reason.TRAILING_STOP]),
        (Signal(1, target=5.0), [100, 100, 106], [Reason.TARGET]),
        (Signal(1, stop=9.0, breakeven=4.0), [100, 100, 105, 99], [Reason.TRAILING_STOP]),
        (Signal(1, hold_bars=2), [100, 100, 101, 102], [Reason.TIME_EXIT]),
        (Signal(-1, stop=5.0), [100, 100, 106], [Reason.STOP]),
        (Signal(-1, target=5.0), [100, 100, 94], [Reason.TARGET]),
        (Signal(1, target=9.0, partial=0.5, partial_target=4.0), [100, 100, 105, 110], [Reason.TARGET]),
        (Signal(1, target=4.0, partial=0.5), [100, 100, 105, 99], [Reason.TRAILING_STOP]),
    ],
)
def test_each_rung_leaves_for_its_own_reason(signal, closes, reasons):
    bars = flat_market([float(c) for c in closes])
    kernel = replayed(KernelConfig(), bars, [signal, *[None] * (len(bars) - 1)])
    assert [Reason(code) for code in kernel.trades()["reason"]] == reasons


@pytest.mark.parametrize(
    ("window", "signal", "held"),
    [
        ((0, 3), 1, 3),
        ((0, 3), Signal(1, hold_bars=9), 3),
        ((0, 3), Signal(1, hold_bars=2), 2),
        ((2, 4), Signal(1, hold_bars=1), 2),
        ((2, 4), Signal(-1, stop=50.0), 4),
        ((2, 0), Signal(1, hold_bars=5), 5),
        ((2, 0), 1, 8),
    ],
)
@pytest.mark.parametrize("matching", ["internal", "external"])
def test_the_hold_window_bounds_every_position(window, signal, held, matching):
    """Ordered out at the close of the window's last bar, filled at the next open, recorded as a time exit."""
    bars, (least, most) = flat_market([100.0] * 10), window
    config = KernelConfig(min_hold_bars=least, max_hold_bars=most)
    script = [signal, *[None] * 9]
    if matching == "internal":
        kernel = replayed(config, bars, script)
        found = [(row["exit_bar"] - row["entry_bar"], Reason(row["reason"])) for row in kernel.trades()]
        assert found == ([(held, Reason.TIME_EXIT)] if held < 8 else [])
        return
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=Scripted(script))], matching="external")
    reasons = {}
    for t, *ohlc in bars:
        for wish in kernel.close(0, t, *ohlc, 1.0):
            kernel.fill(0, wish.intent_id, wish.units, 100.0, 0.0, t, wish.side)
            reasons.setdefault(wish.reason, t)
    assert reasons.get("time_exit") == (held if held < 8 else None)


def test_a_stop_inside_the_hold_window_is_not_held_back():
    bars = flat_market([100.0, 100.0, 90.0, 90.0, 90.0])
    kernel = replayed(
        KernelConfig(min_hold_bars=4, max_hold_bars=4), bars, [Signal(1, stop=5.0), *[None] * 4]
    )
    assert [Reason(code) for code in kernel.trades()["reason"]] == [Reason.STOP]


@pytest.mark.parametrize("window", [(-1, 0), (5, 4), (0, -1)])
def test_a_hold_window_that_is_none_is_refused(window):
    with pytest.raises(ValueError, match="hold window"):
        replayed(KernelConfig(min_hold_bars=window[0], max_hold_bars=window[1]), flat_market([1.0]), [None])


def test_a_part_leaves_at_its_target_and_the_rest_is_safe_at_the_entry():
    bars = flat_market([100.0, 100.0, 105.0, 99.0])
    config = KernelConfig(fee_bps=0.0, slippage_bps=0.0)
    kernel = replayed(
        config, bars, [Signal(1, target=9.0, partial=0.5, partial_target=4.0), None, None, None]
    )
    assert kernel.decisions()["units"].tolist() == [100_000_000, 50_000_000, 50_000_000]
    trade = kernel.trades()[0]
    assert (trade["units"], trade["entry_fill"], trade["exit_fill"]) == (
        100_000_000,
        100.0,
        (105.0 + 99.0) / 2,
    )


def test_a_part_below_the_lot_does_not_leave():
    bars = flat_market([100.0, 100.0, 105.0, 110.0])
    kernel = replayed(
        KernelConfig(),
        bars,
        [Signal(1, target=9.0, partial=0.5, partial_target=4.0), None, None, None],
        lot=100.0,
    )
    assert kernel.decisions()["reason"].tolist() == [Reason.SIGNAL_LONG, Reason.TARGET]


@pytest.mark.parametrize(
    "answer",
    [
        2,
        (1, 1.0, None, None),
        Signal(1, stop=-1.0),
        Signal(1, strength=1.5),
        Signal(1, partial=1.0, target=5.0),
        Signal(1, partial=0.5),
        Signal(1, hold_bars=-1),
        Signal(1, trail=float("nan")),
    ],
)
def test_a_senseless_answer_is_refused(answer):
    with pytest.raises(StrategyFailed, match=r"markets.py:\d+: (Value|Type)Error: "):
        replayed(KernelConfig(), flat_market([100.0]), [answer])


def test_partial_exit_round_trips_through_external_matching():
    bars = flat_market([100.0, 100.0, 105.0, 106.0, 110.0])
    script = [Signal(1, target=9.0, partial=0.5, partial_target=4.0), None, None, None, None]
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Scripted(script))], matching="external")
    waiting, seen = [], []
    for ts, o, h, l, c in bars:
        for intent in waiting:
            kernel.fill(0, intent.intent_id, intent.units, o, 0.0, ts)
        kernel.open(0, ts, o)
        waiting = kernel.close(0, ts, o, h, l, c)
        seen += [(i.reason, i.units, i.reduce_only) for i in waiting]
    assert seen == [
        ("signal_long", 100_000_000, False),
        ("partial_target", 50_000_000, True),
        ("target", 50_000_000, True),
    ]
