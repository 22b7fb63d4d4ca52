"""Each switch of the simulated exchange by hand: one small market, one number that must come out."""

from __future__ import annotations

import numpy as np
import pytest

from native.codes import Action, Gate, Reason
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Signal, StrategyFailed
from tests.native.markets import MINUTE_NS, Scripted, columns, switched

FREE = KernelConfig(fee_bps=0.0, slippage_bps=0.0)


def market(*rows, volume=1e6):
    """Rows of (open, high, low, close), or single prices."""
    full = [row if isinstance(row, tuple) else (row, row, row, row) for row in rows]
    return [(t * MINUTE_NS, *(float(x) for x in row), volume) for t, row in enumerate(full)]


def run(config, bars, *script, **extra):
    lane = LaneSpec(symbol="X", strategy=Scripted([*script, *[None] * (len(bars) - len(script))]))
    kernel = Kernel(config, [lane])
    if "funding" in extra:
        ts, rate, mark = extra["funding"]
        kernel.set_funding(0, np.array(ts), np.array(rate), np.array(mark))
    if "subs" in extra:
        kernel.set_sub_bars(0, *columns(extra["subs"]))
    kernel.replay(0, *columns(bars))
    return kernel


@pytest.mark.parametrize(("factor", "bps"), [(0.0, 2.0), (1.0, 30.0), (0.05, 10.0)])
def test_atr_slippage_stays_between_its_clamps(factor, bps):
    config = switched(FREE, exchange={"slippage_mode": "atr", "slippage_atr": factor})
    kernel = run(config, market((100, 101, 99, 100), 100), 1)  # ATR 2, close 100: 0.05 gives 10 bps
    assert kernel.position(0).entry_price == pytest.approx(100.0 * (1.0 + bps / 1e4), rel=1e-12)


@pytest.mark.parametrize(
    ("low", "touch", "filled"), [(99.4, 0.0, True), (99.5, 0.0, False), (99.5, 1.0, True), (99.6, 1.0, False)]
)
def test_a_limit_fills_when_traded_through_and_at_a_touch_by_chance_only(low, touch, filled):
    config = switched(
        KernelConfig(fee_bps=10.0),
        exchange={"entry_limit_bps": 50.0, "touch_fill_probability": touch, "maker_fee_bps": 1.0},
    )
    kernel = run(config, market(100, (100, 100, low, 100)), 1)
    assert kernel.position(0).side == int(filled)
    if filled:
        assert kernel.position(0).entry_price == 99.5
        assert kernel.fees_paid() == pytest.approx(99.5 * kernel.position(0).units / 1e6 * 1e-4)


def test_a_limit_is_withdrawn_after_its_bars_and_by_another_wish():
    config = switched(FREE, exchange={"entry_limit_bps": 50.0, "limit_bars": 2})
    bars = market(100, 100, 100, 100)
    assert run(config, bars, 1).decisions()["action"].tolist() == [Action.OPEN, Action.WITHDRAWN]
    assert run(config, bars, 1).decisions()["step"].tolist() == [0, 3]
    assert run(config, bars, 1, 0).decisions()["step"].tolist() == [0, 1]


def test_a_bar_fills_its_share_of_the_volume_before_and_the_rest_follows():
    config = switched(FREE, exchange={"fill_share": 0.1})
    bars = market(100, 100, 100, 100, volume=400.0)
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=Scripted([1, None, None, None]))])
    held = []
    for ts, *prices in bars:
        kernel.open(0, ts, prices[0])
        kernel.close(0, ts, *prices)
        held.append(kernel.position(0).units / 1e6)
    assert held == [0.0, 40.0, 80.0, 100.0]
    once = switched(config, exchange={"time_in_force": "ioc"})
    assert run(once, bars, 1).position(0).units == 40_000_000
    assert run(once, bars, 1).decisions()["action"].tolist() == [Action.OPEN, Action.WITHDRAWN]


def test_what_is_left_of_a_stop_rests_until_it_is_gone():
    config = switched(FREE, exchange={"fill_share": 0.1})
    bars = [
        (*bar[:5], volume)
        for bar, volume in zip(market(100, 100, 90, 89, 88), [1e6, 300, 600, 600, 600], strict=True)
    ]
    kernel = run(config, bars, Signal(1, stop=5.0))
    trade = kernel.trades()[0]
    assert (trade["exit_bar"], trade["reason"], trade["units"]) == (4, Reason.STOP, 100_000_000)
    assert trade["exit_fill"] == pytest.approx((30 * 90 + 60 * 89 + 10 * 88) / 100)


def test_an_order_acts_at_the_first_open_after_its_latency():
    slow = switched(FREE, exchange={"latency_ms": 1.0, "interval_ns": MINUTE_NS})
    bars = market(100, 101, 102)
    assert run(FREE, bars, 1).position(0).entry_price == 101.0
    assert run(slow, bars, 1).position(0).entry_price == 102.0
    finer = switched(slow, exchange={"has_sub_bars": True})
    subs = [
        (t * MINUTE_NS // 2, p, p, p, p, 1.0)
        for t, p in enumerate([100.0, 100.5, 101.0, 101.5, 102.0, 102.5])
    ]
    kernel = run(finer, bars, 1, subs=subs)
    assert (kernel.position(0).entry_price, kernel.position(0).entry_ts_ns) == (101.5, 3 * MINUTE_NS // 2)


def test_sub_bars_settle_which_level_came_first():
    bars = market(100, 100, (100, 112, 88, 100))
    signal = Signal(1, stop=10.0, target=10.0)
    assert Reason(run(FREE, bars, signal).trades()["reason"][0]) == Reason.STOP
    config = switched(FREE, exchange={"has_sub_bars": True, "interval_ns": MINUTE_NS})
    path = [100.0, 112.0, 88.0]
    subs = [(2 * MINUTE_NS + i * MINUTE_NS // 4, p, p, p, p, 1.0) for i, p in enumerate(path)]
    kernel = run(config, bars, signal, subs=subs)
    assert Reason(kernel.trades()["reason"][0]) == Reason.TARGET and kernel.trades()["exit_fill"][0] == 112.0


@pytest.mark.parametrize(("side", "rate", "sign"), [(1, 0.001, -1), (1, -0.001, 1), (-1, 0.001, 1)])
def test_a_positive_funding_rate_is_paid_by_longs_to_shorts(side, rate, sign):
    config = switched(FREE, exchange={"has_funding": True})
    events = ([2 * MINUTE_NS, 9 * MINUTE_NS], [rate, rate], [110.0, 110.0])
    kernel = run(config, market(100, 100, 100, 100), side, funding=events)
    assert kernel.funding_received() == pytest.approx(sign * 100.0 * 110.0 * 0.001)
    assert kernel.final_equity() == pytest.approx(1e6 + sign * 11.0)
    assert kernel.equity_curve().tolist() == pytest.approx([1e6, 1e6, 1e6 + sign * 11.0, 1e6 + sign * 11.0])


def test_funding_in_the_moment_of_an_open_comes_before_its_orders():
    config = switched(FREE, exchange={"has_funding": True})
    kernel = run(config, market(100, 100, 100), 1, funding=([MINUTE_NS], [0.001], [100.0]))
    assert kernel.funding_received() == 0.0


def test_a_position_is_liquidated_where_equity_meets_the_maintenance_margin():
    config = switched(
        KernelConfig(cash=1_000.0, fee_bps=0.0, slippage_bps=0.0),
        exchange={"leverage": 10.0, "maintenance": ((0.0, 0.01),)},
    )
    kernel = run(config, market(100, 100, (100, 100, 85, 86), 86, 86), 1, None, None, 1)
    # 100 units at 100 with 1,000: equity 1000 + 100 (p - 100) meets 1 % of 100 p at 9000/99.
    trade = kernel.trades()[0]
    assert (trade["reason"], trade["exit_fill"]) == (Reason.LIQUIDATION, pytest.approx(9000 / 99))
    assert kernel.is_liquidated() and kernel.decisions()["action"].tolist()[1] == Action.LIQUIDATED
    assert kernel.decisions()[-1]["gates"] & Gate.LIQUIDATED
    assert kernel.final_equity() == pytest.approx(1000 + 100 * (9000 / 99 - 100))


def test_margin_that_is_not_there_blocks_the_entry():
    config = switched(KernelConfig(cash=900.0), exchange={"leverage": 10.0})
    kernel = run(config, market(100, 100), 1)
    assert kernel.decisions()[0]["gates"] == Gate.MARGIN and kernel.position(0).side == 0


def test_rejects_are_the_same_for_the_same_seed_and_lose_no_exit():
    config = switched(FREE, exchange={"reject_probability": 0.5})
    bars = market(*[100 + i % 7 for i in range(120)])
    script = [1 if i % 4 < 2 else 0 for i in range(120)]
    first, again = run(config, bars, *script), run(config, bars, *script)
    other = run(switched(config), bars, *script)
    assert first.decision_hash() == again.decision_hash() == other.decision_hash()
    actions = first.decisions()["action"].tolist()
    assert Action.REJECTED in actions and first.trades().size > 5
    assert (
        run(
            KernelConfig(fee_bps=0.0, slippage_bps=0.0, seed=1, exchange=config.exchange), bars, *script
        ).decision_hash()
        != first.decision_hash()
    )


def test_a_hole_in_time_drops_the_entry_due_and_blocks_the_next_but_no_exit():
    config = switched(FREE, exchange={"max_gap_bars": 2, "interval_ns": MINUTE_NS})
    bars = [
        (ts + (9 * MINUTE_NS if i >= 2 else 0), *rest)
        for i, (ts, *rest) in enumerate(market(100, 100, 100, 100))
    ]
    late = run(config, bars, None, 1, 1)
    assert late.decisions()[["action", "gates"]].tolist() == [
        (Action.OPEN, 0),
        (Action.DROPPED, Gate.GAP),
        (Action.BLOCKED, Gate.GAP),
    ]
    assert run(config, bars, 1, 0).trades().size == 1


def test_a_bad_print_executes_no_level_and_opens_nothing():
    config = switched(FREE, guards={"glitch_move": 0.4})
    kernel = run(config, market(100, 100, (100, 100, 50, 100), 94), Signal(1, stop=5.0))
    assert (kernel.trades()["exit_bar"][0], kernel.trades()["exit_fill"][0]) == (3, 94.0)
    blocked = run(config, market(100, (100, 100, 50, 100)), None, 1)
    assert blocked.decisions()["gates"].tolist() == [Gate.DATA]


def test_after_a_stop_the_same_direction_waits_and_the_other_does_not():
    config = switched(FREE, guards={"cooldown_s": 180.0})
    bars = market(100, 100, 90, 90, 90, 90, 90)
    same = run(config, bars, Signal(1, stop=5.0), None, 1, 1, 1, 1)
    assert same.decisions()["gates"].tolist() == [0, 0, Gate.COOLDOWN, 0]
    assert same.decisions()["step"].tolist() == [0, 2, 2, 5]
    other = run(config, bars, Signal(1, stop=5.0), None, -1)
    assert other.decisions()["gates"].tolist() == [0, 0, 0]


def test_a_flip_leaves_no_cooldown():
    config = switched(FREE, guards={"cooldown_s": 1e6})
    kernel = run(config, market(*[100] * 6), 1, -1, 1, -1)
    assert set(kernel.decisions()["action"].tolist()) == {Action.OPEN, Action.CLOSE}


@pytest.mark.parametrize(
    ("sizing", "units"),
    [
        ({"mode": "equity", "fraction": 0.5}, 5_000.0),
        ({"mode": "risk", "fraction": 0.01}, 2_000.0),
        ({"mode": "risk", "fraction": 0.9}, 10_000.0),
        ({"mode": "equity", "fraction": 0.5, "max_notional_usd": 700.0}, 7.0),
        ({"mode": "kelly", "fraction": 0.1, "kelly_min_trades": 1}, 1_000.0),
        ({"mode": "kelly", "fraction": 0.1, "kelly_min_trades": 0}, 0.0),
    ],
)
def test_sizes(sizing, units):
    kernel = run(switched(FREE, sizing=sizing), market(100, 100), Signal(1, stop=5.0))
    assert kernel.position(0).units == round(units * 1e6)
    if not units:
        assert kernel.decisions()[0]["gates"] == Gate.SIZE


def test_the_envelope_only_shrinks():
    kernel = Kernel(
        switched(FREE, sizing={"mode": "equity", "fraction": 0.5}),
        [LaneSpec(symbol="X", strategy=Scripted([1]))],
    )
    kernel.set_size_multiplier(0, 0.25)
    (intent,) = kernel.close(0, 1, 100.0, 100.0, 100.0, 100.0)
    assert intent.units == 1_250_000_000
    with pytest.raises(ValueError):
        kernel.set_size_multiplier(0, 1.01)


def test_the_end_of_data_closes_only_when_asked():
    kernel = run(KernelConfig(), market(100, 100, 110), 1)
    assert kernel.position(0).side == 1 and not len(kernel.trades())
    kernel.finish(0)
    trade = kernel.trades()[0]
    assert (trade["reason"], trade["exit_bar"]) == (Reason.END_OF_DATA, 2)
    assert trade["exit_fill"] == pytest.approx(110 * (1 - 1e-4))
    assert kernel.equity_curve()[-1] == pytest.approx(kernel.final_equity())


@pytest.mark.parametrize(
    "fields",
    [
        {"latency_ms": 1.0},
        {"max_gap_bars": 1},
        {"has_sub_bars": True},
        {"fill_share": 1.5},
        {"slippage_mode": "ATR"},
        {"maintenance": ((1.0, 0.1),)},
        {"maintenance": ((0.0, 0.2), (5.0, 0.1))},
        {"reject_probability": float("nan")},
        {"leverage": -1.0},
    ],
)
def test_senseless_exchange_rules_are_refused(fields):
    with pytest.raises(ValueError):
        Kernel(switched(FREE, exchange=fields), [LaneSpec(symbol="X", strategy="buy_and_hold")])


def test_what_is_switched_off_cannot_be_given():
    kernel = Kernel(FREE, [LaneSpec(symbol="X", strategy="buy_and_hold")])
    one = np.array([1.0])
    with pytest.raises(ValueError, match="has_funding"):
        kernel.set_funding(0, np.array([1]), one, one)
    with pytest.raises(ValueError, match="has_sub_bars"):
        kernel.set_sub_bars(0, np.array([1]), one, one, one, one, one)
    with pytest.raises(StrategyFailed, match="entry_limit_bps"):
        run(FREE, market(100), Signal(1, limit=1.0))
