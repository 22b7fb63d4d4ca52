"""Many symbols under one account: collect, rank, then consume capacity; equal to lanes of the twin."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.codes import Action, Gate
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.portfolio import Portfolio
from native.rules import PortfolioRules
from native.selfcheck import random_bars
from native.strategy import Signal
from tests.native.markets import Scripted, candles, columns, switched, wishes
from tests.reference.portfolio import run_twin


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 3), st.integers(1, 4), st.booleans(), st.data()
)
def test_portfolio_equals_ranked_lanes_of_the_twin(seed, entries, positions, count, is_plain, data):
    bars = data.draw(st.integers(2, 40))
    scripts = [data.draw(st.lists(wishes, min_size=bars, max_size=bars)) for _ in range(count)]
    names = data.draw(st.permutations("ABCD"))[:count]
    markets = [[(*bar, 1.0) for bar in random_bars(seed + i, bars)] for i in range(count)]
    rules = PortfolioRules(max_entries=entries, max_positions=positions)
    config = replace(KernelConfig(), portfolio=rules)
    if not is_plain:
        config = switched(config, exchange={"slippage_mode": "atr"}, guards={"cooldown_s": 300.0})
    lanes = [LaneSpec(symbol=n, strategy=Scripted(s)) for n, s in zip(names, scripts, strict=True)]
    portfolio = Portfolio(config, lanes)
    assert portfolio.replay([columns(market) for market in markets]) == bars
    for lane, twin in enumerate(run_twin(config, markets, scripts, names)):
        mine = portfolio.decisions(lane)
        mine["lane"] = 0
        assert mine.tobytes() == b"".join(twin.records), f"lane {lane}"
        assert portfolio.equity_curve(lane).tolist() == twin.equity


def test_capacity_goes_by_strength_then_symbol_and_never_stops_an_exit():
    flat = [(t, 100.0, 100.0, 100.0, 100.0, 1.0) for t in range(4)]
    names, strengths = ["C", "A", "B", "D"], [0.5, 0.5, 1.0, 0.25]
    config = replace(KernelConfig(), portfolio=PortfolioRules(max_entries=2, max_positions=2))
    lanes = [
        LaneSpec(symbol=n, strategy=Scripted([Signal(1, strength=s), None, 0, None]))
        for n, s in zip(names, strengths, strict=True)
    ]
    portfolio = Portfolio(config, lanes)
    portfolio.replay([columns(flat)] * 4)
    first = {names[d["lane"]]: (d["action"], d["gates"]) for d in portfolio.decisions() if d["step"] == 0}
    assert first == {
        "B": (Action.OPEN, 0),
        "A": (Action.OPEN, 0),
        "C": (Action.BLOCKED, Gate.CAPACITY),
        "D": (Action.BLOCKED, Gate.CAPACITY),
    }
    assert [portfolio.position(i).side for i in range(4)] == [0] * 4 and len(portfolio.trades()) == 2


def test_symbols_with_holes_are_merged_by_time_and_one_lane_alone_is_the_kernel():
    markets = [columns(candles(seed, 200)) for seed in (1, 2, 3)]
    lanes = [LaneSpec(symbol=n, strategy="ema_cross", params={"fast": 3, "slow": 8}) for n in "XYZ"]
    portfolio = Portfolio(KernelConfig(), lanes)
    times = portfolio.replay(markets)
    assert times == len(np.unique(np.concatenate([m[0] for m in markets])))
    for lane, market in enumerate(markets):
        alone = Kernel(KernelConfig(), [lanes[lane]])
        alone.replay(0, *market)
        assert portfolio.trades(lane)["pnl"].tolist() == alone.trades()["pnl"].tolist()
        assert portfolio.equity_curve(lane).tolist() == alone.equity_curve().tolist()
    ts, curve = portfolio.portfolio_curve()
    assert len(ts) == len(curve) == times
    assert curve[-1] == pytest.approx(portfolio.final_equity(), rel=1e-12)


def shared(**sizing):
    config = switched(KernelConfig(cash=50_000.0), sizing={"mode": "equity", "fraction": 0.2, **sizing})
    config = switched(config, exchange={"leverage": 2.0})
    return replace(
        config, portfolio=PortfolioRules(max_positions=4, max_entries=2, max_notional_usd=60_000.0)
    )


def test_shared_equity_and_margin_and_going_on_from_a_saved_state():
    markets = [columns(candles(seed, 300)) for seed in range(6)]
    params = {"fast": 3, "slow": 8, "bracket": 1}

    def build():
        return Portfolio(
            shared(), [LaneSpec(symbol=f"S{i}", strategy="ema_cross", params=params) for i in range(6)]
        )

    whole, first, second = build(), build(), build()
    whole.replay(markets)
    middle = int(np.median(np.concatenate([m[0] for m in markets])))
    cuts = [int(np.searchsorted(m[0], middle)) for m in markets]
    first.replay([[c[:cut] for c in m] for m, cut in zip(markets, cuts, strict=True)])
    second.import_state(first.export_state())
    assert second.state_hash() == first.state_hash()
    second.replay([[c[cut:] for c in m] for m, cut in zip(markets, cuts, strict=True)])
    assert second.state_hash() == whole.state_hash()
    gates = whole.decisions()["gates"]
    assert np.any(gates & int(Gate.CAPACITY)) and len(whole.trades()) > 50
    with pytest.raises(ValueError, match="damaged"):
        second.import_state(first.export_state()[:-1] + b"x")


def lane_bytes(portfolio):
    """Every lane's state, records and trend, without the configuration's fingerprint."""
    body = portfolio.export_state()[36:]
    size = int.from_bytes(body[:8], "little")
    lanes = body[44 : 8 + size]
    return lanes[8 + int.from_bytes(lanes[:8], "little") :] + body[8 + size :]


def any_spec(chance, index):
    fast = chance.choice([2, 3, 12])
    crossing = {"fast": fast, "slow": fast + chance.choice([1, 5, 14])}
    strategy, params = chance.choice(
        [("ema_cross", crossing)] * 3
        + [("ema_cross", {**crossing, "bracket": 1}), ("rsi_ma_cross", {}), ("buy_and_hold", {})]
    )
    return LaneSpec(
        symbol=f"{chance.choice('ABCD')}{index}",
        strategy=strategy,
        params=params,
        lot=chance.choice([1e-6, 1e-6, 0.5, 30.0]),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 4, 9, 20, 65]), st.booleans())
def test_passing_over_quiet_lanes_leaves_every_bit_as_stepping_each(seed, count, is_wide):
    """A cap on notional that never binds makes the portfolio step every lane at every time."""
    chance = random.Random(seed)
    bars = chance.choice([40, 255, 256, 257, 700])
    markets = [columns([(*bar, 1.0) for bar in random_bars(seed + i, bars)]) for i in range(count)]
    lanes = [any_spec(chance, i) for i in range(count)]
    config = KernelConfig(
        keeps_equity=chance.random() < 0.7,
        stops=chance.choice(["intrabar", "next_open"]),
        min_notional_usd=chance.choice([0.0, 10.0, 9_999.9]),
    )
    rules = PortfolioRules(
        max_entries=chance.choice([0, 1, 2, count]), max_positions=chance.choice([0, 1, 5, count])
    )
    passing = Portfolio(replace(config, portfolio=rules), lanes)
    stepping = Portfolio(replace(config, portfolio=replace(rules, max_notional_usd=1e14)), lanes)
    passing.is_wide = is_wide and passing.is_wide
    cuts = sorted({0, bars, *chance.sample(range(bars), 2)})
    for start, end in itertools.pairwise(cuts):
        gated, shrunk = chance.randrange(count), chance.randrange(count)
        gate = int(chance.choice([Gate.PAUSED, Gate.CAPACITY, Gate.WARMUP]))
        for portfolio in (passing, stepping):
            portfolio.set_gate(gated, gate, start % 2 == 0)
            portfolio.set_size_multiplier(shrunk, 0.5)
            assert portfolio.replay([[c[start:end] for c in m] for m in markets]) == end - start
        assert lane_bytes(passing) == lane_bytes(stepping), start
    for mine, its in zip(passing.portfolio_curve(), stepping.portfolio_curve(), strict=True):
        assert mine.tobytes() == its.tobytes()


@pytest.mark.parametrize("capped", [0.0, 1e14])
def test_a_bad_bar_stops_all_lanes_of_the_same_times_and_they_go_on_after_it(capped):
    markets = [columns([(*bar, 1.0) for bar in random_bars(seed, 400)]) for seed in (1, 2, 3)]
    rules = PortfolioRules(max_notional_usd=capped)
    lanes = [LaneSpec(symbol=n, strategy="ema_cross", params={"fast": 3, "slow": 8}) for n in "XYZ"]
    whole, broken = (Portfolio(KernelConfig(portfolio=rules), lanes) for _ in range(2))
    whole.replay(markets)
    good = markets[1][4][300]
    markets[1][4][300] = float("nan")
    with pytest.raises(ValueError, match="lane 1"):
        broken.replay(markets)
    assert [broken.bar_count(i) for i in range(3)] == [300] * 3
    markets[1][4][300] = good
    broken.replay([[c[300:] for c in m] for m in markets])
    assert broken.state_hash() == whole.state_hash()
    with pytest.raises(ValueError, match="lane 0"):
        broken.replay(markets)


def test_a_bad_bar_is_refused_with_what_lies_before_it_stepped():
    markets = [columns(candles(seed, 50)) for seed in (1, 2)]
    markets[1][4][20] = float("nan")
    portfolio = Portfolio(KernelConfig(), [LaneSpec(symbol=n, strategy="buy_and_hold") for n in "XY"])
    with pytest.raises(ValueError, match="lane 1"):
        portfolio.replay(markets)
    assert portfolio.bar_count(1) == 20
