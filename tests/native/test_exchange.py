"""The simulated exchange equals its twin with any mix of its switches, decision by decision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from native.intents import KernelConfig, LaneSpec
from native.kernel import DECISION_DTYPE, Kernel
from native.selfcheck import CASES, random_bars
from native.strategy import Signal
from tests.native.markets import (
    MINUTE_NS,
    Scripted,
    candles,
    columns,
    limited,
    parents,
    switched,
    wishes,
    with_volume,
)
from tests.reference import exchange

FIELDS = ["entry_bar", "exit_bar", "side", "units", "entry_fill", "exit_fill", "pnl", "reason"]

slippage = st.fixed_dictionaries(
    {"slippage_mode": st.just("atr"), "slippage_atr": st.sampled_from([0.0, 0.05, 1.0])}
)
limits = st.fixed_dictionaries(
    {
        "entry_limit_bps": st.sampled_from([0.0, 5.0, 50.0]),
        "touch_fill_probability": st.sampled_from([0.0, 0.5, 1.0]),
        "limit_bars": st.integers(0, 3),
        "maker_fee_bps": st.sampled_from([None, -1.0, 2.0]),
    }
)
shares = st.fixed_dictionaries(
    {"fill_share": st.sampled_from([0.1, 1.0]), "time_in_force": st.sampled_from(["gtc", "ioc"])}
)
delays = st.fixed_dictionaries(
    {
        "latency_ms": st.sampled_from([0.0, 50.0, 70_000.0]),
        "latency_jitter_ms": st.sampled_from([0.0, 90.0]),
        "timeout_probability": st.sampled_from([0.0, 0.4]),
    }
)
faults = st.fixed_dictionaries({"reject_probability": st.sampled_from([0.2, 0.9])})
margins = st.fixed_dictionaries(
    {
        "leverage": st.sampled_from([5.0, 50.0]),
        "maintenance": st.sampled_from([((0.0, 0.005),), ((0.0, 0.005), (900.0, 0.02), (20_000.0, 0.2))]),
        "liquidation_fee_bps": st.sampled_from([0.0, 30.0]),
    }
)
gaps = st.fixed_dictionaries({"max_gap_bars": st.integers(1, 4)})
rules = st.lists(st.one_of(slippage, limits, shares, delays, faults, margins, gaps), max_size=4).map(
    lambda parts: {name: value for part in parts for name, value in part.items()}
)
guards = st.fixed_dictionaries(
    {
        "glitch_move": st.sampled_from([0.0, 0.02]),
        "glitch_atr": st.sampled_from([0.0, 2.0]),
        "cooldown_s": st.sampled_from([0.0, 300.0]),
    }
)
sizings = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["notional", "equity", "risk", "kelly"]),
        "fraction": st.sampled_from([0.02, 0.9]),
        "kelly_min_trades": st.sampled_from([0, 3]),
        "max_notional_usd": st.sampled_from([0.0, 700.0]),
    }
)


@st.composite
def cases(draw):
    script = draw(st.lists(wishes, min_size=2, max_size=60))
    switches = draw(rules)
    if "entry_limit_bps" in switches:
        shares_of = draw(
            st.lists(st.sampled_from([None, 0.0, 0.004]), min_size=len(script), max_size=len(script))
        )
        script = [limited(wish, share) for wish, share in zip(script, shares_of, strict=True)]
    config = switched(
        KernelConfig(
            cash=draw(st.sampled_from([1_000.0, 1e6])),
            stops=draw(st.sampled_from(["intrabar", "next_open"])),
            seed=7,
        ),
        exchange={**switches, "interval_ns": MINUTE_NS, "has_funding": True},
        guards=draw(guards | st.just({})),
        sizing=draw(sizings | st.just({})),
    )
    seed, size = draw(st.integers(0, 2**32)), draw(st.sampled_from([1, 1, 4]))
    payments = draw(
        st.lists(st.tuples(st.integers(-10, 3_000), st.sampled_from([-0.001, 0.0001, 0.003])), max_size=9)
    )
    funding = sorted(
        {ts * MINUTE_NS // 7: (ts * MINUTE_NS // 7, rate, 120.0) for ts, rate in payments}.values()
    )
    if size == 1:
        return config, candles(seed, len(script)), script, [], funding
    subs = with_volume(seed, random_bars(seed, len(script) * size))
    config = switched(config, exchange={"interval_ns": size * MINUTE_NS, "has_sub_bars": True})
    return config, parents(subs, size), script, subs, funding


def build(config, script, subs=(), funding=()):
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=Scripted(script))])
    if subs:
        kernel.set_sub_bars(0, *columns(subs))
    if funding:
        table = np.array(funding)
        ts = np.array([event[0] for event in funding], dtype=np.int64)
        kernel.set_funding(0, ts, np.ascontiguousarray(table[:, 1]), np.ascontiguousarray(table[:, 2]))
    return kernel


def replayed(config, bars, script, subs=(), funding=()):
    kernel = build(config, script, subs, funding)
    kernel.replay(0, *columns(bars))
    return kernel


PART_OPENS_AGAIN = (
    switched(KernelConfig(cash=1_000.0), exchange={"fill_share": 0.1, "interval_ns": MINUTE_NS}),
    [
        (0, 184.0, 185.0, 183.0, 184.0, 400.0),
        (MINUTE_NS, 184.0, 187.5, 183.0, 186.0, 400.0),
        (7 * MINUTE_NS, 186.0, 187.0, 186.0, 186.0, 0.0),
        (9 * MINUTE_NS, 186.0, 190.5, 185.5, 190.0, 40.0),
        (11 * MINUTE_NS, 190.0, 191.0, 188.0, 189.0, 4_000.0),
    ],
    [Signal(side=-1, strength=0.25, target=0.5, hold_bars=1, partial=0.25), None, None, None, None],
    [],
    [],
)
"""An entry filled in parts: the first has left, its stop moved, before the rest opens a position anew."""


@settings(max_examples=300, deadline=None)
@example(PART_OPENS_AGAIN)
@given(cases())
def test_exchange_equals_its_twin(case):
    kernel, twin = replayed(*case), exchange.run(*case)
    assert kernel.decisions().tolist() == np.frombuffer(b"".join(twin.records), DECISION_DTYPE).tolist()
    assert [tuple(row) for row in kernel.trades()[FIELDS].tolist()] == twin.trades
    assert kernel.equity_curve().tolist() == twin.equity
    assert kernel.fees_paid() == twin.fees and kernel.funding_received() == twin.funding
    assert kernel.is_liquidated() == twin.is_liquidated


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equity_changes_by_results_fees_and_funding_alone(case):
    config, bars = case[0], case[1]
    kernel = replayed(*case)
    trades, position = kernel.trades(), kernel.position(0)
    gross = (trades["side"] * (trades["units"] / 1e6) * (trades["exit_fill"] - trades["entry_fill"])).tolist()
    # The open position's own fees, funding and part exits are what its mark adds to its price change.
    unrealised = position.unrealised_usd
    closed = math.fsum([*gross, -math.fsum(trades["fees"]), math.fsum(trades["funding"])])
    assert kernel.final_equity() == pytest.approx(config.cash + closed + unrealised, rel=1e-12, abs=1e-6)
    kernel.finish(0)
    trades = kernel.trades()
    gross = (trades["side"] * (trades["units"] / 1e6) * (trades["exit_fill"] - trades["entry_fill"])).tolist()
    whole = config.cash + math.fsum(gross) - kernel.fees_paid() + kernel.funding_received()
    assert kernel.position(0).side == 0
    assert kernel.final_equity() == pytest.approx(whole, rel=1e-12, abs=1e-6)
    assert kernel.equity_curve()[-1] == pytest.approx(whole, rel=1e-12, abs=1e-6)
    assert len(kernel.equity_curve()) == len(bars)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_stepping_and_going_on_from_a_saved_state_equal_replay(case):
    config, bars, script, subs, funding = case
    whole = replayed(*case)
    first, second = build(config, script, subs, funding), build(config, script, subs, funding)
    half = len(bars) // 2
    for kernel, part in ((first, bars[:half]), (second, bars[half:])):
        if kernel is second:
            second.import_state(first.export_state())
        for ts, *prices in part:
            kernel.open(0, ts, prices[0])
            kernel.close(0, ts, *prices)
        kernel.take_fills(0)
    assert second.state_hash() == whole.state_hash()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(CASES), st.sampled_from(["intrabar", "next_open"]))
def test_the_long_path_with_nothing_on_equals_the_short_one(seed, case, stops):
    plain = KernelConfig(stops=stops)
    idle = switched(plain, exchange={"has_funding": True})
    bars = random_bars(seed, 250)
    kernels = []
    for config in (plain, idle):
        kernel = Kernel(config, [LaneSpec(symbol="X", strategy=case[0], params=case[1])])
        kernel.replay(0, *columns(bars))
        kernels.append(kernel)
    assert plain.is_plain and not idle.is_plain
    assert kernels[0].decision_hash() == kernels[1].decision_hash()
    assert kernels[0].trades().tobytes() == kernels[1].trades().tobytes()
    assert kernels[0].equity_curve().tolist() == kernels[1].equity_curve().tolist()
