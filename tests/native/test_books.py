"""The books balance after every step: results less fees plus funding are what the cash says (AQ-14)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.portfolio import Portfolio
from native.rules import PortfolioRules
from tests.native.markets import MINUTE_NS, Scripted, candles, columns, switched, wishes

exchanges = st.sampled_from(
    [
        {},
        {"slippage_mode": "atr", "maker_fee_bps": -1.0},
        {"fill_share": 0.2, "entry_limit_bps": 5.0, "touch_fill_probability": 0.5},
        {"leverage": 3.0, "liquidation_fee_bps": 20.0},
        {
            "has_funding": True,
            "reject_probability": 0.2,
            "timeout_probability": 0.2,
            "interval_ns": MINUTE_NS,
        },
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), exchanges, st.sampled_from(["intrabar", "next_open"]), st.data())
def test_equity_moves_by_results_fees_and_funding_and_by_nothing_else(seed, exchange, stops, data):
    """Every fill and payment is added up here from what the kernel reports, and held against its curve."""
    bars = candles(seed, data.draw(st.integers(2, 60)))
    script = data.draw(st.lists(wishes, min_size=len(bars), max_size=len(bars)))
    config = switched(replace(KernelConfig(cash=50_000.0), stops=stops), exchange=exchange)
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=Scripted(script))])
    cash, fees, funding, units = config.cash, 0.0, 0.0, 0
    for ts, open_, high, low, close, volume in bars:
        fills = list(kernel.open(0, ts, open_))
        if exchange.get("has_funding"):
            paid = kernel.pay_funding(0, ts, 0.0004, open_)
            cash, funding = cash + paid, funding + paid
            # Orders have acted before this payment: it is on what they left.
        kernel.close(0, ts, open_, high, low, close, volume)
        fills += kernel.take_fills(0)
        for fill in fills:
            cash -= fill.side * fill.units / 1e6 * fill.price + fill.fee
            fees, units = fees + fill.fee, units + fill.side * fill.units
        equity = kernel.equity_curve()[-1]
        assert equity == pytest.approx(cash + units / 1e6 * close, abs=1e-6)
        held = kernel.position(0)
        assert held.side * held.units == units
    trades, held = kernel.trades(), kernel.position(0)
    gross = float(
        np.sum(trades["side"] * trades["units"] / 1e6 * (trades["exit_fill"] - trades["entry_fill"]))
    )
    assert kernel.fees_paid() == pytest.approx(fees, abs=1e-9)
    assert kernel.funding_received() == pytest.approx(funding, abs=1e-9)
    if held.side == 0:
        assert equity - config.cash == pytest.approx(gross - fees + funding, abs=1e-6)


def broken(kernel, value, wrong):
    """The kernel's state with one number in it changed, its checksums made right again."""
    state = kernel.export_state()
    portfolio = state[:4] == b"ILP2"
    body = state[36:] if not portfolio else state[44:]
    size = int.from_bytes(state[36:44], "little") if portfolio else len(body)
    lanes = body[36:] if not portfolio else body[36:size]
    lanes = lanes if portfolio else body
    old, new = struct.pack("<d", value), struct.pack("<d", wrong)
    assert lanes.count(old) == 1
    lanes = lanes.replace(old, new)
    if not portfolio:
        return state[:4] + hashlib.sha256(lanes).digest() + lanes
    inner = body[:4] + hashlib.sha256(lanes).digest() + lanes
    outer = size.to_bytes(8, "little") + inner + body[size:]
    return state[:4] + hashlib.sha256(outer).digest() + outer


def spec():
    return [LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 3, "slow": 8})]


def test_books_that_do_not_balance_stop_the_kernel_at_the_next_step():
    bars = columns(candles(5, 300))
    kernel, other = Kernel(KernelConfig(), spec()), Kernel(KernelConfig(), spec())
    kernel.replay(0, *(column[:200] for column in bars))
    realised = kernel.remembered(0)["realised_usd"]
    other.import_state(broken(kernel, realised, realised + 0.01))
    with pytest.raises(AssertionError, match="lane 0: results"):
        other.replay(0, *(column[200:] for column in bars))


@pytest.mark.parametrize("capped", [0.0, 1e14])
def test_a_portfolio_checks_every_lane_on_both_of_its_ways(capped):
    bars = columns(candles(6, 300))
    config = KernelConfig(portfolio=PortfolioRules(max_notional_usd=capped))
    whole, other = Portfolio(config, spec()), Portfolio(config, spec())
    whole.replay([[column[:200] for column in bars]])
    fees = whole.remembered(0)["realised_usd"]
    other.import_state(broken(whole, fees, fees - 0.5))
    with pytest.raises(AssertionError, match="lane 0: results"):
        other.replay([[column[200:] for column in bars]])
