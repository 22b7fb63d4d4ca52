"""What a kernel, a portfolio or a sweep does not take, refused by name; and the answers at such edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from native import sweep
from native.cells import replay_cells
from native.codes import CONTROLLED_GATES, Action, Gate
from native.indicators import RSI, SMA
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.matching import size_units
from native.portfolio import Portfolio
from native.rules import PortfolioRules
from native.selfcheck import random_bars
from native.strategy import Signal, Strategy, StrategyFailed, param, strategy_failed
from tests.native.markets import MINUTE_NS, Scripted, columns, switched

BARS = columns(random_bars(4, 60))
FLIP = LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 2, "slow": 4})


class Capped(Strategy):
    max_contracts = param(0.0, low=-1.0, high=1e13)

    def on_bar(self, bar):
        return 1


def lane(strategy, **given):
    return LaneSpec(symbol="X", strategy=strategy, **given)


TWICE = Scripted([1])


@pytest.mark.parametrize(
    ("lanes", "more", "said"),
    [
        ([], {}, "at least one lane"),
        ([FLIP], {"matching": "both"}, "internal or external, got 'both'"),
        ([lane("no_such")], {}, "no compiled strategy 'no_such'"),
        ([lane(Scripted([1]), params={"fast": 2})], {}, "to the strategy instance, not to the lane"),
        ([lane(TWICE), lane(TWICE)], {}, "cannot serve two lanes"),
        ([lane(Capped(max_contracts=-1.0))], {}, r"max_contracts=-1.0 is outside \[0, 1e12\]"),
        ([lane(Capped(max_contracts=1e13))], {}, r"is outside \[0, 1e12\]"),
        ([lane(Capped(max_contracts=0.5), lot=1.0)], {}, "less than one lot"),
    ],
)
def test_lanes_that_make_no_sense_are_refused(lanes, more, said):
    with pytest.raises(ValueError, match=said):
        Kernel(KernelConfig(), lanes, **more)


@pytest.mark.parametrize(
    "fields",
    [
        *({name: value} for name, value in (("cash", np.nan), ("notional_usd", -1.0), ("stop_atr", np.inf))),
        *({name: value} for name, value in (("slippage_bps", 10_000.0), ("max_slippage_bps", -1.0))),
        *({"fee_bps": value} for value in (10_000.0, -10_000.0, np.nan)),
        {"min_hold_bars": 5, "max_hold_bars": 4},
    ],
)
def test_a_configuration_out_of_its_bounds_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields)) if len(fields) == 1 else "hold window"):
        Kernel(KernelConfig(**fields), [FLIP])


def test_what_is_no_strategy_is_no_lane_and_an_unknown_way_to_stop_no_configuration():
    with pytest.raises(TypeError, match="lane 0: object is not a Strategy"):
        Kernel(KernelConfig(), [lane(object())])
    with pytest.raises(ValueError, match="intrabar or next_open, got 'sometimes'"):
        Kernel(KernelConfig(stops="sometimes"), [FLIP])


@pytest.mark.parametrize("number", [-1, 1, 2**40])
def test_a_lane_that_is_not_there_is_named(number):
    kernel = Kernel(KernelConfig(), [FLIP])
    for ask in (kernel.position, kernel.bar_count, kernel.remembered, kernel.take_fills):
        with pytest.raises(IndexError, match=f"lane {number} of 1"):
            ask(number)


@pytest.mark.parametrize(
    "gate", [0, -1, 1 << 40, *(each for each in map(int, Gate) if not each & int(CONTROLLED_GATES))]
)
def test_only_the_engines_own_gates_are_its_to_set(gate):
    kernel = Kernel(KernelConfig(), [FLIP])
    with pytest.raises(ValueError, match="not one the engine controls"):
        kernel.set_gate(0, gate, True)
    kernel.replay(0, *BARS)
    assert np.any(kernel.decisions()["action"] == Action.OPEN)


@pytest.mark.parametrize(("rate", "mark"), [(np.nan, 100.0), (0.1, np.inf), (0.1, 0.0), (0.1, -1.0)])
def test_funding_that_is_no_number_is_refused_and_not_booked(rate, mark):
    kernel = Kernel(KernelConfig(), [FLIP])
    kernel.replay(0, *BARS)
    before = kernel.final_equity()
    with pytest.raises(ValueError, match="funding refused"):
        kernel.pay_funding(0, int(BARS[0][-1]) + 1, rate, mark)
    assert (kernel.final_equity(), kernel.funding_received()) == (before, 0.0)


@pytest.mark.parametrize("answer", ["long", [1], 0.5, 2, -2, {"side": 1}])
def test_an_answer_that_is_no_wish_is_refused_never_read_as_one(answer):
    kernel = Kernel(KernelConfig(), [lane(Scripted([answer, None]))])
    with pytest.raises(StrategyFailed, match=r"markets\.py:\d+: ValueError: on_bar must return None"):
        kernel.close(0, 0, 100.0, 100.0, 100.0, 100.0)
    assert len(kernel.decisions()) == 0 and kernel.position(0).side == 0


def test_an_order_of_more_units_than_are_counted_is_none():
    assert size_units(10_000.0, 1e-13) == 0 and size_units(10_000.0, 1.0) == 10_000_000_000
    kernel = Kernel(KernelConfig(), [lane(Scripted([1, None]))])
    kernel.replay(0, *columns([(t, *[1e-13] * 4) for t in range(2)]))
    assert [Action(code) for code in kernel.decisions()["action"]] == [Action.BLOCKED]
    assert kernel.position(0).units == 0


def test_a_venue_that_matches_gets_no_fill_of_the_simulated_exchange():
    config = switched(
        KernelConfig(), exchange={"fill_share": 0.5, "interval_ns": MINUTE_NS, "max_gap_bars": 1}
    )
    kernel = Kernel(config, [lane(Scripted([1, None, None]))], matching="external")
    assert len(kernel.close(0, 0, 100.0, 100.0, 100.0, 100.0, 1e9)) == 1
    assert kernel.open(0, 9 * MINUTE_NS, 100.0) == [], "neither filled nor dropped for the gap"
    assert len(kernel.outstanding(0)) == 1 and kernel.position(0).side == 0


def test_a_portfolio_is_stepped_as_one_and_only_by_the_simulated_exchange():
    with pytest.raises(ValueError, match="simulated exchange"):
        Portfolio(KernelConfig(), [FLIP], matching="external")
    one, two = Portfolio(KernelConfig(), [FLIP]), Portfolio(KernelConfig(), [FLIP, replace(FLIP, symbol="Y")])
    for step in (lambda: one.open(0, 0, 100.0), lambda: one.close(0, 0, 100.0, 100.0, 100.0, 100.0)):
        with pytest.raises(TypeError, match="replay"):
            step()
    turned = [column[::-1].copy() for column in BARS]
    for markets, said in (
        ([BARS, BARS], "2 markets for 1 lanes"),
        ([turned], "times must go forward"),
        ([(*BARS[:5], BARS[5][:-1])], "differ in length"),
    ):
        with pytest.raises(ValueError, match=said):
            one.replay(markets)
    assert [len(column) for column in one.portfolio_curve()] == [0, 0], "nothing was stepped"
    with pytest.raises(ValueError, match="of other lanes"):
        two.import_state(one.export_state())


def test_a_measure_that_is_not_known_yet_serves_last():
    still, moving = [(t, *[100.0] * 4) for t in range(3)], [(t, 100.0, 101.0, 99.0, 100.0) for t in range(3)]
    config = KernelConfig(portfolio=PortfolioRules(rank="calm", max_entries=1))
    lanes = [LaneSpec(symbol=name, strategy=Scripted([1, None, None])) for name in "AB"]
    portfolio = Portfolio(config, lanes)
    portfolio.replay([columns(still), columns(moving)])
    assert [portfolio.position(at).side for at in range(2)] == [0, 1]


def test_an_entry_that_rests_counts_in_the_heat_with_what_its_stop_would_lose():
    """10,000 at 100 with a stop 2 away risks 200: two of them are more than 0.35 % of 100,000."""
    bars = columns([(t, 100.0, 100.1, 99.9, 100.0) for t in range(4)])
    rules = PortfolioRules(max_heat=0.0035)
    config = switched(KernelConfig(cash=100_000.0, portfolio=rules), exchange={"entry_limit_bps": 50.0})
    found = []
    for first in (Signal(1, stop=2.0), None):
        scripts = [first, None, None, None], [None, Signal(1, stop=2.0), None, None]
        portfolio = Portfolio(
            config, [LaneSpec(symbol=n, strategy=Scripted(s)) for n, s in zip("AB", scripts, strict=True)]
        )
        portfolio.replay([bars, bars])
        assert portfolio.position(0).side == 0, "the entry rests"
        found.append([(Action(d["action"]), Gate(int(d["gates"]))) for d in portfolio.decisions(1)])
    assert found == [[(Action.BLOCKED, Gate.HEAT)], [(Action.OPEN, Gate(0))]]


def test_columns_that_do_not_fit_are_no_cells():
    short, none = (*BARS[:5], BARS[5][:-1]), tuple(column[:0] for column in BARS)
    for columns_given, said in ((short, "differ in length"), (none, "empty")):
        with pytest.raises(ValueError, match=said):
            replay_cells([Kernel(KernelConfig(), [FLIP])], *columns_given)
        with pytest.raises(ValueError, match="empty or differ in length"):
            sweep.FlipMarket(KernelConfig(), 1e-6, 0.0, *columns_given)
    flips = sweep.FlipMarket(KernelConfig(cash=5.0), 1e-6, 0.0, *BARS)
    assert (flips.bars, flips.config) == (60, KernelConfig(cash=5.0))


def test_what_a_lane_shows_of_the_crossing_with_rsi_is_what_the_indicators_say():
    params = {"rsi_period": 5, "ma_fast": 4, "ma_slow": 12}
    kernel = Kernel(KernelConfig(), [lane("rsi_ma_cross", params=params)])
    kernel.replay(0, *BARS)
    fast, slow, rsi = SMA(4), SMA(12), RSI(5)
    for close in BARS[4].tolist():
        wanted = {"ma_fast": fast.update(close), "ma_slow": slow.update(close), "rsi": rsi.update(close)}
    shown = kernel.indicators(0)
    assert {name: shown[name] for name in wanted} == wanted and shown["atr"] > 0.0


def test_new_decisions_are_those_from_a_number_on():
    kernel = Kernel(KernelConfig(), [FLIP])
    kernel.replay(0, *BARS)
    every = kernel.decisions()
    assert len(every) > 2
    for first in (-1, 0, 1, len(every), len(every) + 1, 2**40):
        assert kernel.decisions_since(0, first).tobytes() == every[max(first, 0) :].tobytes()


def test_a_strategy_says_where_it_failed_and_keeps_what_it_can():
    said = str(strategy_failed(print, ValueError("no")))
    assert said == "<built-in function print>: ValueError: no", "code without a line is named itself"
    with pytest.raises(ValueError, match=r"default 9 is outside \[1, 5\]"):
        param(9, low=1, high=5)
    for value, said in (
        (6, "is outside"),
        (2.5, "must be a whole number"),
        ("much", "it takes numbers only"),
    ):
        with pytest.raises(ValueError, match=said):
            param(3, low=1, high=5).checked(value)
    assert Capped.max_contracts.name == "max_contracts", "asked of the class a parameter is itself"

    class Keeping(Capped):
        def on_start(self):
            self.seen = {"a": [1, 2.5], "b": {"c": None}}

    state = Keeping().export_state()
    other = Keeping()
    other.seen = {}
    other.import_state(state)
    assert other.seen == {"a": [1, 2.5], "b": {"c": None}}
    other.seen = {1: "a number is no name"}
    with pytest.raises(TypeError, match="attribute seen of type dict cannot be kept"):
        other.export_state()


def test_a_bar_tells_all_it_is():
    said = []

    class Saying(Strategy):
        def on_bar(self, bar):
            said.append(repr(bar))

    Kernel(KernelConfig(), [lane(Saying())]).close(0, 7, 1.0, 3.0, 0.5, 2.0, 4.0)
    assert said == ["Bar(index=0, ts_ns=7, open=1.0, high=3.0, low=0.5, close=2.0, volume=4.0, side=0)"]


def test_rooms_given_back_by_many_lanes_serve_the_next_ones():
    """More lanes at once than rooms are kept for: what is over goes to the system, and nothing is lost."""
    bars = columns(random_bars(2, 60_000))
    wanted = Kernel(KernelConfig(), [FLIP])
    wanted.replay(0, *bars)
    for _ in range(2):
        kernels = [Kernel(KernelConfig(), [FLIP]) for _ in range(40)]
        for kernel in kernels:
            kernel.replay(0, *bars)
        assert {kernel.equity_curve().tobytes() for kernel in kernels} == {wanted.equity_curve().tobytes()}
        assert {kernel.decision_hash() for kernel in kernels} == {wanted.decision_hash()}
        kernels.clear()
