"""The order in which a portfolio serves entries and the caps they meet: against the twin, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.codes import Action, Gate
from native.intents import KernelConfig, LaneSpec
from native.portfolio import Portfolio
from native.rules import RANKS, PortfolioRules, is_major
from native.selfcheck import random_bars
from native.strategy import Signal
from tests.native.markets import Scripted, candles, columns, switched, wishes
from tests.reference.portfolio import run_twin

caps_usd = st.sampled_from([0.0, 4_000.0, 10_000.0, 15_000.0, 25_000.0])
rules_of = st.builds(
    PortfolioRules,
    rank=st.sampled_from(RANKS),
    max_entries=st.integers(1, 4),
    max_positions=st.integers(1, 4),
    max_notional_usd=caps_usd,
    max_symbol_notional_usd=caps_usd,
    max_strategy_notional_usd=caps_usd,
    max_alt_longs_usd=caps_usd,
    max_alt_shorts_usd=caps_usd,
    max_heat=st.sampled_from([0.0, 0.0002, 0.001, 0.01]),
    majors=st.sampled_from([("BTC",), ("BTC", "ETH")]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32), rules_of, st.integers(1, 4), st.sampled_from(["plain", "atr", "equity"]), st.data()
)
def test_ranks_and_caps_equal_the_twin(seed, rules, count, kind, data):
    bars = data.draw(st.integers(2, 45))
    scripts = [data.draw(st.lists(wishes, min_size=bars, max_size=bars)) for _ in range(count)]
    names = data.draw(st.permutations(["BTC", "ETH", "SOL", "XRP"]))[:count]
    markets = [[(*bar, 1.0) for bar in random_bars(seed + i, bars)] for i in range(count)]
    config = replace(KernelConfig(cash=100_000.0), portfolio=rules)
    if kind == "atr":
        config = switched(config, exchange={"slippage_mode": "atr"})
    elif kind == "equity":
        config = switched(config, sizing={"max_notional_usd": 9_000.0})
    lanes = [LaneSpec(symbol=n, strategy=Scripted(s)) for n, s in zip(names, scripts, strict=True)]
    portfolio = Portfolio(config, lanes)
    assert portfolio.replay([columns(market) for market in markets]) == bars
    for lane, twin in enumerate(run_twin(config, markets, scripts, names)):
        mine = portfolio.decisions(lane)
        mine["lane"] = 0
        assert mine.tobytes() == b"".join(twin.records), f"lane {lane}"
        assert portfolio.equity_curve(lane).tolist() == twin.equity


def served(markets, script, names=None, **rules):
    """Run one wish on each of several markets; return what became of it: (action, gates, notional)."""
    names = names or [f"S{at}" for at in range(len(markets))]
    scripts = script if isinstance(script[0], list) else [script] * len(markets)
    config = replace(KernelConfig(cash=100_000.0), portfolio=PortfolioRules(**rules))
    lanes = [LaneSpec(symbol=n, strategy=Scripted(each)) for n, each in zip(names, scripts, strict=True)]
    portfolio = Portfolio(config, lanes)
    portfolio.replay([columns(market) for market in markets])
    found = {}
    for row in portfolio.decisions():
        if row["action"] in (Action.OPEN, Action.BLOCKED):
            found.setdefault(names[row["lane"]], []).append(
                (Action(row["action"]), Gate(int(row["gates"])), round(row["units"] / 1e6 * row["price"]))
            )
    return found


def flat(count=3, level=100.0, spread=0.0):
    return [(t, level, level + spread, level - spread, level, 1.0) for t in range(count)]


def rising(step, count=30):
    return [(t, 100 + step * t, 101 + step * t, 99 + step * t, 100 + step * t, 1.0) for t in range(count)]


@pytest.mark.parametrize(
    ("rank", "first"), [("momentum", "fast"), ("volatility", "wide"), ("calm", "still"), ("strength", "sure")]
)
def test_the_chosen_measure_serves_first(rank, first):
    wide = [(t, 100.0, 130.0, 70.0, 100.0, 1.0) for t in range(30)]
    markets = [rising(0.1), rising(2.0), wide, rising(0.1), flat(30, spread=0.1)]
    names = ["slow", "fast", "wide", "sure", "still"]
    scripts = [[None] * 25 + [Signal(1, strength=s), *[None] * 4] for s in (0.6, 0.6, 0.6, 0.7, 0.6)]
    found = served(markets, scripts, names, rank=rank, max_entries=1)
    opened = [name for name, rows in found.items() if rows[0][0] is Action.OPEN]
    assert opened == [first]


def test_short_momentum_is_a_falling_close():
    falling = [(t, 200 - t, 201 - t, 199 - t, 200.0 - t, 1.0) for t in range(30)]
    script = [None] * 25 + [-1, *[None] * 4]
    found = served([rising(1.0), falling], script, ["up", "down"], rank="momentum", max_entries=1)
    assert found["down"][0][0] is Action.OPEN and found["up"][0][0] is Action.BLOCKED


def test_a_cap_on_notional_shrinks_to_what_is_left_and_then_blocks():
    found = served([flat()] * 3, [1, None, None], max_notional_usd=14_000.0)
    assert [found[f"S{at}"][0] for at in range(3)] == [
        (Action.OPEN, Gate(0), 10_000),
        (Action.OPEN, Gate(0), 4_000),
        (Action.BLOCKED, Gate.CAPACITY, 10_000),
    ]


def test_a_symbol_and_a_strategy_have_caps_over_all_their_lanes():
    one = served([flat()] * 2, [1, None, None], ["X", "X"], max_symbol_notional_usd=13_000.0)
    assert [row[2] for row in one["X"]] == [10_000, 3_000]
    other = served([flat()] * 2, [1, None, None], ["X", "Y"], max_symbol_notional_usd=13_000.0)
    assert [other[name][0][2] for name in "XY"] == [10_000, 10_000]
    lanes = [LaneSpec(symbol=n, strategy="buy_and_hold") for n in "XY"]
    lanes.append(LaneSpec(symbol="Z", strategy=Scripted([1, None, None])))
    config = replace(KernelConfig(), portfolio=PortfolioRules(max_strategy_notional_usd=12_000.0))
    portfolio = Portfolio(config, lanes)
    portfolio.replay([columns(flat())] * 3)
    held = [round(portfolio.position(at).units / 1e6 * 100.0) for at in range(3)]
    assert held == [10_000, 2_000, 10_000]


def test_altcoins_have_caps_by_side_and_majors_have_none():
    names = ["BTC-PERP", "ETH-PERP", "SOL-PERP", "ADA-PERP"]
    scripts = [[1, None, None], [1, None, None], [1, None, None], [-1, None, None]]
    found = served([flat()] * 4, scripts, names, max_alt_longs_usd=15_000.0, max_alt_shorts_usd=15_000.0)
    actions = {name: rows[0][:2] for name, rows in found.items()}
    assert actions == {
        "BTC-PERP": (Action.OPEN, Gate(0)),
        "ETH-PERP": (Action.OPEN, Gate(0)),
        "SOL-PERP": (Action.BLOCKED, Gate.EXPOSURE),
        "ADA-PERP": (Action.OPEN, Gate(0)),
    }


@pytest.mark.parametrize(
    ("symbol", "is_one"),
    [("BTC", 1), ("btc-perp", 1), ("BTC/USDT", 1), ("BTCUSDT", 1), ("BTCDOM-PERP", 0), ("WBTC", 0), ("", 0)],
)
def test_a_symbol_that_is_not_surely_a_major_counts_as_an_altcoin(symbol, is_one):
    assert is_major(symbol, ("BTC",)) is bool(is_one)


def test_heat_is_what_all_stops_would_lose_and_a_position_without_a_stop_shuts_it():
    # 10,000 at 100 with a stop 2 away risks 200: 0.2 % of 100,000.
    stopped = [Signal(1, stop=2.0), None, None]
    found = served([flat(spread=0.5)] * 3, [stopped] * 3, max_heat=0.0045)
    gates = [found[f"S{at}"][0][1] for at in range(3)]
    assert gates == [Gate(0), Gate(0), Gate.HEAT]
    bare = served([flat()], [[1, None, None]], max_heat=0.5)
    assert bare["S0"][0][1] == Gate.HEAT, "an entry without a stop"
    held = served([flat(spread=0.5)] * 2, [stopped, [None, Signal(1, stop=9.0), None]], max_heat=0.0045)
    assert held["S1"][0][1] == Gate.HEAT, "what is held counts at later times too"


def test_a_portfolio_ranked_by_momentum_goes_on_from_a_saved_state():
    markets = [columns([(*bar, 1.0) for bar in random_bars(seed, 400)]) for seed in range(6)]
    rules = PortfolioRules(rank="momentum", max_entries=1, max_positions=3, max_heat=0.05)

    def build():
        lanes = [
            LaneSpec(symbol=f"S{i}", strategy="ema_cross", params={"fast": 3, "slow": 8, "bracket": 1})
            for i in range(6)
        ]
        return Portfolio(KernelConfig(portfolio=rules), lanes)

    whole, first, second = build(), build(), build()
    whole.replay(markets)
    first.replay([[c[:150] for c in m] for m in markets])
    second.import_state(first.export_state())
    second.replay([[c[150:] for c in m] for m in markets])
    assert second.state_hash() == whole.state_hash() and len(whole.trades()) > 20
    gates = whole.decisions()["gates"]
    assert np.any(gates & int(Gate.CAPACITY))


@pytest.mark.parametrize(
    "fields",
    [{"rank": "luck"}, {"max_heat": -1.0}, {"majors": ("btc",)}, {"max_alt_longs_usd": float("nan")}],
)
def test_senseless_portfolio_rules_are_refused(fields):
    with pytest.raises(ValueError, match=r"rank|max_|majors"):
        Portfolio(
            KernelConfig(portfolio=PortfolioRules(**fields)), [LaneSpec(symbol="X", strategy="buy_and_hold")]
        )


def test_symbols_with_holes_keep_their_caps():
    markets = [columns(candles(seed, 200)) for seed in (1, 2, 3)]
    lanes = [LaneSpec(symbol=n, strategy="ema_cross", params={"fast": 3, "slow": 8}) for n in "XYZ"]
    rules = PortfolioRules(max_notional_usd=14_000.0, max_symbol_notional_usd=6_000.0)
    portfolio = Portfolio(KernelConfig(portfolio=rules), lanes)
    portfolio.replay(markets)
    opened = portfolio.decisions()
    opened = opened[opened["action"] == Action.OPEN]
    notional = opened["units"] / 1e6 * opened["price"]
    assert len(opened) > 20 and notional.max() <= 6_000.0 and notional.min() < 2_100.0
