"""The kernel: decisions equal the reference's, on every path, and nothing bad is used silently."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native import reference
from native.codes import Action, Gate
from native.indicators import EMA
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.selfcheck import CASES, compare, random_bars, run
from native.strategy import Signal, Strategy, param

FLIP = LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 2, "slow": 4})


class Cross(Strategy):
    fast = param(3, low=2, high=50)
    slow = param(8, low=3, high=100)

    def on_start(self):
        self.quick, self.lazy = EMA(self.fast), EMA(self.slow)

    def on_bar(self, bar):
        quick, lazy = self.quick.update(bar.close), self.lazy.update(bar.close)
        if bar.index < self.slow - 1 or quick == lazy:
            return None
        return 1 if quick > lazy else -1


class Dip(Strategy):
    def on_bar(self, bar):
        return Signal(1, stop=bar.close * 0.01, target=bar.close * 0.02) if bar.close < bar.open else None


def columns(bars):
    table = np.array(bars)
    ts = np.array([bar[0] for bar in bars], dtype=np.int64)
    return [ts, *(np.ascontiguousarray(table[:, i]) for i in range(1, 5)), np.ones(len(bars))]


def step(kernel, bars, lane=0, fee_bps=4.5, slip_bps=1.0):
    """Drive bar by bar; with external matching fill every intent at the next open."""
    waiting = []
    for ts, o, h, l, c in bars:
        if kernel.matching == "external":
            for intent in waiting:
                paid = o * (1.0 + intent.side * (slip_bps / 1e4))
                kernel.fill(
                    lane, intent.intent_id, intent.units, paid, paid * intent.quantity * (fee_bps / 1e4), ts
                )
        kernel.open(lane, ts, o)
        waiting = kernel.close(lane, ts, o, h, l, c, 1.0)
    return kernel


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 300), st.sampled_from(CASES))
def test_kernel_equals_reference_decision_by_decision(seed, count, case):
    _, difference = compare(*case, random_bars(seed, count))
    assert difference is None, f"seed {seed}, {count} bars, {case}: {difference}"


def test_self_check_is_good_and_compares_something():
    result = run(seeds=3, bars=300)
    assert result.is_good and result.decisions > 100


@pytest.mark.parametrize("case", CASES)
def test_stepping_equals_replay(case):
    bars = random_bars(7, 400)
    lane = LaneSpec(symbol="X", strategy=case[0], params=case[1])
    replayed, stepped = Kernel(KernelConfig(), [lane]), Kernel(KernelConfig(), [lane])
    assert replayed.replay(0, *columns(bars)) == 400
    step(stepped, bars)
    assert stepped.state_hash() == replayed.state_hash()


@pytest.mark.parametrize("case", CASES)
def test_external_fills_at_the_next_open_give_the_internal_decisions(case):
    bars = random_bars(11, 400)
    lane = LaneSpec(symbol="X", strategy=case[0], params=case[1])
    inside = Kernel(KernelConfig(stops="next_open"), [lane])
    inside.replay(0, *columns(bars))
    outside = step(Kernel(KernelConfig(), [lane], matching="external"), bars)
    assert outside.decision_hash() == inside.decision_hash()
    assert len(inside.decisions()) > 0
    # What was decided at the last close is filled by nobody on either side.
    assert outside.trades().tolist() == inside.trades().tolist()
    assert outside.final_equity() == inside.final_equity()


def test_interpreted_strategy_decides_as_the_compiled_one():
    bars = random_bars(3, 500)
    compiled = Kernel(
        KernelConfig(), [LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 3, "slow": 8})]
    )
    interpreted = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Cross())])
    compiled.replay(0, *columns(bars))
    interpreted.replay(0, *columns(bars))
    assert interpreted.decision_hash() == compiled.decision_hash()
    assert interpreted.equity_curve().tolist() == compiled.equity_curve().tolist()


def test_stop_and_target_given_by_a_signal_are_executed():
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Dip())])
    kernel.replay(0, *columns(random_bars(5, 500)))
    assert {4, 6} <= set(kernel.trades()["reason"].tolist())


def test_six_bars_by_hand():
    closes = [100.0, 100.0, 110.0, 120.0, 90.0, 80.0]
    opens = [100.0, 100.0, 100.0, 111.0, 121.0, 89.0]
    config = KernelConfig(fee_bps=0.0, slippage_bps=0.0)
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 1, "slow": 3})])
    bars = [(t, o, max(o, c), min(o, c), c) for t, (o, c) in enumerate(zip(opens, closes, strict=True))]
    # slow (a = 1/2): 100, 100, 105, 112.5, 101.25, 90.6: long from bar 2, short from bar 4.
    intents = []
    for ts, o, h, l, c in bars:
        kernel.open(0, ts, o)
        intents.append(kernel.close(0, ts, o, h, l, c))
    assert [len(i) for i in intents] == [0, 0, 1, 0, 2, 0]
    assert intents[2][0].units == 90_909_090 and intents[2][0].stop_price < 110.0
    close, entry = intents[4]
    assert (close.reduce_only, close.offset, close.side) == (True, 0, -1) and close.stop_price is None
    assert (entry.reduce_only, entry.offset, entry.side, entry.units) == (False, 1, -1, 111_111_111)
    assert entry.intent_id == "run:4:0:1" and entry.limit_price < 90.0 < entry.stop_price
    trade = kernel.trades()[0]
    assert (trade["entry_bar"], trade["exit_bar"], trade["entry_fill"], trade["exit_fill"]) == (
        3,
        5,
        111.0,
        89.0,
    )
    assert trade["pnl"] == 90.90909 * (89.0 - 111.0)
    assert kernel.final_equity() == 1e6 + 90.90909 * -22.0 - 111.111111 * (80.0 - 89.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(CASES))
def test_equity_is_cash_plus_results_less_fees(seed, case):
    bars = random_bars(seed, 200)
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=case[0], params=case[1])])
    kernel.replay(0, *columns(bars))
    trades, position = kernel.trades(), kernel.position(0)
    gross = math.fsum(trades["side"] * (trades["units"] / 1e6) * (trades["exit_fill"] - trades["entry_fill"]))
    open_gross = position.side * (position.units / 1e6) * (bars[-1][4] - position.entry_price)
    assert kernel.equity_curve()[-1] == pytest.approx(kernel.final_equity(), abs=1e-6)
    assert 1e6 + gross + open_gross - kernel.fees_paid() == pytest.approx(kernel.final_equity(), abs=1e-6)


@pytest.mark.parametrize("lane", [*[LaneSpec(symbol="X", strategy=n, params=p) for n, p in CASES], None])
def test_state_goes_round_and_on_bit_for_bit(lane):
    def build():
        return Kernel(KernelConfig(), [lane or LaneSpec(symbol="X", strategy=Cross())])

    bars = random_bars(9, 400)
    whole, first, second = build(), build(), build()
    step(whole, bars)
    step(first, bars[:203])
    second.import_state(first.export_state())
    assert second.state_hash() == first.state_hash()
    step(second, bars[203:])
    assert second.state_hash() == whole.state_hash()


def test_damaged_or_foreign_state_is_refused():
    kernel = step(Kernel(KernelConfig(), [FLIP]), random_bars(1, 50))
    state = kernel.export_state()
    with pytest.raises(ValueError, match="damaged"):
        kernel.import_state(state[:-1] + bytes([state[-1] ^ 1]))
    with pytest.raises(ValueError, match="another"):
        Kernel(KernelConfig(cash=5.0), [FLIP]).import_state(state)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("field", range(4))
def test_a_bad_bar_is_refused_and_blocks_the_next_entry(bad, field):
    bars = random_bars(2, 60)
    values = list(bars[30][1:])
    values[field] = bad
    kernel = step(Kernel(KernelConfig(), [FLIP]), bars[:30])
    with pytest.raises(ValueError, match="refused"):
        kernel.close(0, bars[30][0], *values, 1.0)
    assert kernel.bar_count(0) == 30
    table = columns(bars)
    table[1 + field][30] = bad
    replayed = Kernel(KernelConfig(), [FLIP])
    with pytest.raises(ValueError, match="bar 30 refused"):
        replayed.replay(0, *table)
    assert replayed.state_hash() == kernel.state_hash()


def test_an_entry_after_bad_data_is_blocked_and_recorded():
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="buy_and_hold")])
    with pytest.raises(ValueError):
        kernel.close(0, 1, math.nan, 1.0, 1.0, 1.0)
    assert kernel.close(0, 2, 1.0, 1.0, 1.0, 1.0) == []
    record = kernel.decisions()[0]
    assert (record["action"], record["gates"]) == (Action.BLOCKED, Gate.DATA)
    assert len(kernel.close(0, 3, 1.0, 1.0, 1.0, 1.0)) == 1


def test_times_must_go_forward():
    kernel = step(Kernel(KernelConfig(), [FLIP]), random_bars(2, 5))
    with pytest.raises(ValueError, match="refused"):
        kernel.close(0, 0, 1.0, 1.0, 1.0, 1.0)


def test_gates_block_entries_and_never_exits():
    bars = random_bars(4, 300)
    kernel = Kernel(KernelConfig(), [FLIP])
    step(kernel, bars[:100])
    assert kernel.position(0).side != 0
    kernel.set_gate(0, Gate.PAUSED, True)
    step(kernel, bars[100:])
    assert kernel.position(0).side == 0
    later = kernel.decisions()
    later = later[later["step"] >= 100]
    assert set(later["action"].tolist()) == {Action.CLOSE, Action.BLOCKED}


def test_while_an_intent_is_outstanding_no_new_entry_is_decided():
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="buy_and_hold")], matching="external")
    (intent,) = kernel.close(0, 1, 10.0, 10.0, 10.0, 10.0)
    assert kernel.close(0, 2, 10.0, 10.0, 10.0, 10.0) == []
    assert kernel.decisions()[-1]["gates"] == Gate.OUTSTANDING
    kernel.fill(0, intent.intent_id, intent.units // 2, 10.0, 0.1, 3)
    assert kernel.position(0).units == intent.units // 2
    assert kernel.place(0) == (kernel.position(0).side, intent.units // 2)
    assert kernel.position(0).outstanding == (intent.intent_id,)
    kernel.reject(0, intent.intent_id, "expired")
    assert kernel.position(0).outstanding == ()
    with pytest.raises(KeyError):
        kernel.fill(0, intent.intent_id, 1, 10.0, 0.0, 4)
    kernel.fill(0, intent.intent_id, intent.units // 2, 10.0, 0.1, 4, side=1)
    assert kernel.position(0).units == 2 * (intent.units // 2)


def test_warm_moves_indicators_and_opens_nothing():
    bars = random_bars(6, 200)
    kernel = Kernel(KernelConfig(), [FLIP], matching="external")
    assert kernel.warm(0, *columns(bars)) == 200
    assert kernel.position(0).side == 0 and kernel.position(0).outstanding == ()
    closes = [bar[4] for bar in bars]
    assert kernel.indicators(0)["ema_fast"] == reference.ema(closes, 2)[-1]


def test_a_strategy_that_raises_is_not_stepped_over_the_bar_again():
    class Broken(Strategy):
        def on_bar(self, bar):
            raise RuntimeError("no")

    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Broken())])
    with pytest.raises(RuntimeError):
        kernel.close(0, 1, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="refused"):
        kernel.close(0, 1, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "params", [{"fast": 26, "slow": 12}, {"fast": 0}, {"fast": 2.5}, {"slow": math.nan}, {"speed": 1}]
)
def test_senseless_parameters_are_refused(params):
    with pytest.raises(ValueError):
        Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="ema_cross", params=params)])


@pytest.mark.parametrize("at", [0, 1, 511, 512, 1300])
@pytest.mark.parametrize("bad", [0.0, -0.0, -1.0, math.nan, -math.nan, math.inf, -math.inf, 1.7e308])
@pytest.mark.parametrize("column", [1, 2, 3, 4, 5])
def test_replay_stops_at_the_bar_that_stepping_refuses(at, bad, column):
    market = columns(random_bars(7, 1400))
    market[column][at] = bad
    stepped, replayed = Kernel(KernelConfig(), [FLIP]), Kernel(KernelConfig(), [FLIP])
    refused = _step_until_refused(stepped, market)
    try:
        assert replayed.replay(0, *market) == refused == 1400
    except ValueError:
        assert replayed.bar_count(0) == refused < 1400
    assert np.array_equal(stepped.equity_curve(), replayed.equity_curve())
    assert np.array_equal(stepped.trades(), replayed.trades())
    assert stepped.decision_hash() == replayed.decision_hash()


@pytest.mark.parametrize("shift", [-1, 0, -(10**18), -(2**62)])
def test_replay_stops_where_time_does_not_go_forward(shift):
    market = columns(random_bars(7, 1400))
    market[0][700] = market[0][699] + shift
    kernel = Kernel(KernelConfig(), [FLIP])
    with pytest.raises(ValueError, match="bar 700 refused"):
        kernel.replay(0, *market)


def test_replay_takes_times_before_1970():
    market = columns(random_bars(7, 1400))
    kernel, early = Kernel(KernelConfig(), [FLIP]), Kernel(KernelConfig(), [FLIP])
    kernel.replay(0, *market)
    early.replay(0, market[0] - market[0][900], *market[1:])
    assert np.array_equal(kernel.equity_curve(), early.equity_curve())


def _step_until_refused(kernel, market):
    for index, (ts, *prices) in enumerate(zip(*(column.tolist() for column in market), strict=True)):
        try:
            kernel.open(0, ts, prices[0])
            kernel.close(0, ts, *prices)
        except ValueError:
            return index
    return len(market[0])
