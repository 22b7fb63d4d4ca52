"""What a running lane does not take: columns, fills, sub-bars, funding and states that cannot be right."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from native.codes import Action
from native.indicators import Percentile
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.selfcheck import random_bars
from native.strategy import Signal, Strategy
from tests.native.markets import MINUTE_NS, Scripted, columns, parents, switched, with_volume

BARS = columns(random_bars(4, 60))
FLIP = LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 2, "slow": 4})
SUBBED = switched(KernelConfig(), exchange={"has_sub_bars": True, "interval_ns": 5 * MINUTE_NS})
FUNDED = switched(KernelConfig(), exchange={"has_funding": True})


def waiting():
    """A lane matched by a venue that has decided to buy; its order and the kernel."""
    kernel = Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=Scripted([1, None]))], matching="external")
    (order,) = kernel.close(0, 0, 100.0, 100.0, 100.0, 100.0)
    return kernel, order


@pytest.mark.parametrize(
    ("units", "price", "fee", "side"),
    [
        *((units, 100.0, 0.0, None) for units in (0, -1)),
        *((1, price, 0.0, None) for price in (0.0, np.nan)),
        (1, 100.0, np.inf, None),
        *((1, 100.0, 0.0, side) for side in (0, 2, -1)),
    ],
)
def test_a_fill_that_cannot_be_is_refused_and_not_booked(units, price, fee, side):
    kernel, order = waiting()
    with pytest.raises(ValueError, match=r"fill refused|has side -1, the intent 1"):
        kernel.fill(0, order.intent_id, units, price, fee, 1, side)
    assert kernel.position(0).units == 0 and len(kernel.outstanding(0)) == 1
    kernel.fill(0, order.intent_id, order.units, 100.0, 0.0, 1, 1)
    assert kernel.position(0).units == order.units and kernel.outstanding(0) == []


def test_nothing_is_booked_or_replayed_on_the_wrong_matching():
    kernel, order = waiting()
    with pytest.raises(KeyError, match="no outstanding intent other to reject"):
        kernel.reject(0, "other", "expired")
    with pytest.raises(ValueError, match="use warm"):
        kernel.replay(0, *BARS)
    with pytest.raises(ValueError, match="closed at its venue"):
        kernel.finish(0)
    with pytest.raises(ValueError, match="cannot be warmed"):
        kernel.warm(0, *BARS)
    inside = Kernel(KernelConfig(), [FLIP])
    with pytest.raises(ValueError, match="only with external matching"):
        inside.fill(0, order.intent_id, 1, 100.0, 0.0, 1)
    assert inside.replay(0, *(column[:0] for column in BARS)) == 0
    with pytest.raises(ValueError, match="differ in length"):
        inside.replay(0, *BARS[:5], BARS[5][:-1])
    assert inside.bar_count(0) == 0


def test_sub_bars_and_funding_that_do_not_fit_are_refused():
    plain, subbed, funded = (Kernel(config, [FLIP]) for config in (KernelConfig(), SUBBED, FUNDED))
    turned = tuple(column[::-1].copy() for column in BARS)
    for given, said in ((turned, "sub-bar 1 refused"), ([c[:0] for c in BARS], "empty or differ")):
        with pytest.raises(ValueError, match=said):
            subbed.set_sub_bars(0, *given)
    with pytest.raises(ValueError, match=r"need exchange\.has_sub_bars"):
        plain.set_sub_bars(0, *BARS)
    with pytest.raises(ValueError, match=r"need exchange\.has_sub_bars"):
        plain.sub_bar(0, 1, 100.0, 100.0, 100.0, 100.0)
    ts, rate, mark = np.array([1, 2]), np.array([0.1, 0.1]), np.array([100.0, 100.0])
    for given, said in (
        ((ts, rate, mark[:1]), "differ in length"),
        ((ts[::-1].copy(), rate, mark), "funding 1"),
    ):
        with pytest.raises(ValueError, match=said):
            funded.set_funding(0, *given)
    with pytest.raises(ValueError, match=r"need exchange\.has_funding"):
        plain.set_funding(0, ts, rate, mark)


@pytest.mark.parametrize("seed", range(6))
def test_sub_bars_one_by_one_are_those_of_a_replay(seed):
    subs = with_volume(seed, random_bars(seed, 300))
    bars = parents(subs, 5)
    lane = LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 2, "slow": 4, "bracket": 1})
    whole, stepped = Kernel(SUBBED, [lane]), Kernel(SUBBED, [lane])
    whole.set_sub_bars(0, *columns(subs))
    whole.replay(0, *columns(bars))
    for at, bar in enumerate(bars):
        stepped.open(0, bar[0], bar[1])
        for sub in subs[5 * at : 5 * at + 5]:
            stepped.sub_bar(0, *sub)
        stepped.close(0, *bar)
    assert stepped.decision_hash() == whole.decision_hash()
    assert stepped.trades().tobytes() == whole.trades().tobytes() and len(whole.trades()) > 3
    assert stepped.equity_curve().tobytes() == whole.equity_curve().tobytes()
    with pytest.raises(ValueError, match="sub-bar refused"):
        stepped.sub_bar(0, bars[-1][0], 100.0, 100.0, 100.0, 100.0)


def test_a_limit_that_must_fill_at_once_is_withdrawn_where_it_does_not():
    rules = {"entry_limit_bps": 50.0, "time_in_force": "ioc"}
    for low, filled in ((100.0, False), (99.0, True)):
        lane = LaneSpec(symbol="X", strategy=Scripted([1, None, None]))
        kernel = Kernel(switched(KernelConfig(), exchange=rules), [lane])
        bars = [(0, *[100.0] * 4), (1, low, 100.0, low, 100.0), (2, 100.0, 100.0, 90.0, 100.0)]
        kernel.replay(0, *columns(bars))
        assert kernel.position(0).side == int(filled)
        actions = [Action(code) for code in kernel.decisions()["action"]]
        assert actions == ([Action.OPEN] if filled else [Action.OPEN, Action.WITHDRAWN])


def test_equity_over_all_lanes_is_the_sum_of_their_results_up_to_the_shortest():
    lanes = [FLIP, LaneSpec(symbol="Y", strategy="buy_and_hold")]
    kernel = Kernel(KernelConfig(cash=1_000.0), lanes)
    kernel.replay(0, *BARS)
    kernel.replay(1, *(column[:40] for column in BARS))
    one, two = kernel.equity_curve(0), kernel.equity_curve(1)
    wanted = 1_000.0 + (one[:40] - 1_000.0) + (two - 1_000.0)
    assert np.allclose(kernel.equity_curve(), wanted, rtol=1e-14) and np.ptp(wanted) > 1.0


def test_a_text_of_many_trades_is_the_text_of_each():
    kernel = Kernel(KernelConfig(), [FLIP])
    kernel.replay(0, *columns(random_bars(1, 9_000)))
    trades = kernel.trades()
    whole, prices = ["entry_bar", "exit_bar", "side", "units"], ["entry_fill", "exit_fill"]
    texts = [[*(str(t[n]) for n in whole), *(f"{t[n]:.6f}" for n in prices)] for t in trades]
    lines = [",".join(text) + "\n" for text in texts]
    assert len(trades) > 1_000
    assert kernel.trades_sha256() == hashlib.sha256("".join(lines).encode()).hexdigest()


class Keeper(Strategy):
    def on_start(self):
        self.window, self.pair = Percentile(5), (1, 2)

    def on_bar(self, bar):
        self.window.update(bar.close)


def test_a_strategy_keeps_its_indicators_and_tuples_and_takes_back_no_others():
    first, second = Keeper(), Keeper()
    Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy=first)]).replay(0, *BARS)
    first.pair = (3, 4, "more")
    state = first.export_state()
    second.import_state(state)
    assert second.pair == (3, 4, "more") and second.window.value == first.window.value
    assert second.export_state() == state
    state["window"] = {**state["window"], "indicator": "EMA"}
    with pytest.raises(ValueError, match="saved EMA does not fit Percentile"):
        second.import_state(state)
    with pytest.raises(ValueError, match="Keeper has no parameter fast"):
        Keeper(fast=3)
    with pytest.raises(NotImplementedError, match=r"Strategy\.on_bar"):
        Strategy().on_bar(None)
    assert Signal(1).strength == 1.0
