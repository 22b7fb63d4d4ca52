"""The quoting simulation: fill by fill what the plain one gives, whatever the market, model and latency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.depth import DEPTH_DTYPE, BookFault, DepthKind
from native.quotes import QueueModel, QuoteRules
from native.quoting import QuoteSimulation
from tests.reference.quoting import PlainQuotes

MS = 1_000_000


def market(seed, count=400, wild=0.02):
    """Sets, trades and now and then a clear around a wandering price: (local, exchange) events."""
    chance = np.random.default_rng(seed)
    middle = 1_000 + np.cumsum(chance.integers(-1, 2, count))
    table = np.zeros(count, DEPTH_DTYPE)
    table["side"] = chance.choice([1, -1], count)
    is_trade = chance.random(count) < 0.25
    table["kind"] = np.where(is_trade, int(DepthKind.TRADE), int(DepthKind.SET))
    away = table["side"] * chance.integers(-1, 12, count)
    table["tick"] = np.where(is_trade, middle + table["side"], middle - away)
    table["lot"] = np.where(is_trade, chance.integers(1, 30, count), chance.integers(0, 40, count))
    for place in np.flatnonzero(chance.random(count) < wild):
        table["kind"][place] = chance.choice([3, 5, 6])
        table["lot"][place] = chance.integers(0, 4)
    exchange = table.copy()
    exchange["ts_ns"] = np.sort(chance.integers(0, max(60, count // 8), count)) * MS * 10
    table["ts_ns"] = np.maximum.accumulate(exchange["ts_ns"] + chance.integers(0, 8, count) * MS)
    return table, exchange


rules = st.builds(
    QuoteRules,
    tick_size=st.just(0.1),
    lot_size=st.just(0.001),
    order_lots=st.just(10),
    half_spread_ticks=st.integers(0, 4),
    skew_ticks=st.integers(0, 2),
    max_units=st.integers(1, 5),
    interval_ns=st.integers(1, 40).map(lambda ms: ms * MS),
    order_latency_ns=st.integers(0, 30).map(lambda ms: ms * MS),
    response_latency_ns=st.integers(0, 30).map(lambda ms: ms * MS),
    queue_model=st.sampled_from(QueueModel),
    queue_power=st.sampled_from([0.5, 1.0, 3.0]),
)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32 - 1), rules)
def test_every_market_gives_fill_by_fill_what_the_plain_one_gives(seed, chosen):
    local, exchange = market(seed)
    simulation = QuoteSimulation(local, exchange, chosen)
    result = simulation.run()
    plain = PlainQuotes(local.tolist(), exchange.tolist(), chosen)
    wanted = plain.run()
    assert simulation.fills().tolist() == plain.fills
    assert result == wanted


def test_the_markets_of_these_tests_do_fill():
    chosen = QuoteRules(tick_size=0.1, lot_size=0.001, order_lots=10, interval_ns=5 * MS, half_spread_ticks=1)
    assert min(QuoteSimulation(*market(seed), chosen).run().fills for seed in range(10)) > 10


@pytest.mark.parametrize(
    ("model", "traded", "is_filled"),
    [
        (QueueModel.CONSERVATIVE, 100, False),  # all cancels were behind us: 100 are ahead
        (QueueModel.CONSERVATIVE, 101, True),
        (QueueModel.POWER, 50, False),  # as many behind as ahead: half of the cancels were ahead of us
        (QueueModel.POWER, 51, True),
        (QueueModel.LOGARITHM, 50, False),
        (QueueModel.LOGARITHM, 51, True),
    ],
)
def test_a_queue_of_which_only_the_size_is_known_moves_by_its_model(model, traded, is_filled):
    """100 lots, then ours, then 100 more; 100 are cancelled; then some trade at the price."""
    steps = [
        (0, DepthKind.SET, 1, 50, 100), (0, DepthKind.SET, -1, 60, 100),
        (50, DepthKind.SET, 1, 50, 200), (60, DepthKind.SET, 1, 50, 100),
        (70, DepthKind.TRADE, -1, 50, traded), (90, DepthKind.TRADE, 1, 60, 1),
    ]  # fmt: skip
    table = np.zeros(len(steps), DEPTH_DTYPE)
    for place, (ms, kind, side, tick, lot) in enumerate(steps):
        table[place] = (ms * MS, tick, lot, int(kind), side, 1, 0, place)
    chosen = QuoteRules(
        tick_size=1, lot_size=1, order_lots=1, interval_ns=10 * MS, half_spread_ticks=1, queue_model=model
    )
    simulation = QuoteSimulation(table, table, chosen)
    simulation.run(lambda bid, ask, held: (50 if held == 0 else None, None))
    plain = PlainQuotes(table.tolist(), table.tolist(), chosen)
    plain.run(lambda bid, ask, held: (50 if held == 0 else None, None))
    wanted = [(70 * MS, 50, 1)] if is_filled else []
    made = simulation.fills()
    assert made.tolist() == plain.fills
    assert made[["ts_ns", "tick", "side"]].tolist() == wanted


def test_the_profit_is_what_the_fills_say():
    chosen = QuoteRules(tick_size=0.5, lot_size=0.1, order_lots=3, interval_ns=10 * MS, fee_bps=5.0)
    simulation = QuoteSimulation(*market(3, 4_000), chosen)
    result = simulation.run()
    fills = simulation.fills()
    paid = float((fills["tick"] * 0.5 * 0.1 * 3 * fills["side"]).sum())
    assert result.fills == len(fills) > 10
    assert result.position_lots == 3 * int(fills["side"].sum())
    assert math.isclose(result.balance, -paid, rel_tol=1e-12)
    assert math.isclose(result.fees, float((fills["tick"] * 0.5 * 0.1 * 3).sum()) * 5e-4, rel_tol=1e-12)


def test_a_quoter_in_python_is_the_built_in_rule_when_it_says_the_same():
    chosen = QuoteRules(tick_size=0.1, lot_size=0.001, order_lots=10, interval_ns=10 * MS)
    local, exchange = market(11, 4_000)
    built_in, spoken = QuoteSimulation(local, exchange, chosen), QuoteSimulation(local, exchange, chosen)
    plain = PlainQuotes(local.tolist(), exchange.tolist(), chosen)
    assert built_in.run() == spoken.run(plain.skewed)
    assert built_in.fills().tolist() == spoken.fills().tolist()
    assert QuoteSimulation(local, exchange, chosen).run(lambda bid, ask, held: (None, None)).submits == 0


def test_an_order_that_arrives_after_the_end_is_never_filled_and_the_run_ends():
    local, exchange = market(11, 4_000)
    slow = QuoteRules(tick_size=0.1, lot_size=0.001, order_lots=10, order_latency_ns=10**12)
    result = QuoteSimulation(local, exchange, slow).run()
    assert (result.fills, result.submits) == (0, 2)


@pytest.mark.parametrize("which", ["local", "exchange"])
def test_a_bad_event_is_named(which):
    local, exchange = market(1)
    feed = {"local": local, "exchange": exchange}[which]
    feed["kind"][200], feed["message"][200] = 9, 4242
    with pytest.raises(BookFault, match="bad_kind in message 4242 ") as caught:
        QuoteSimulation(local, exchange, QuoteRules(tick_size=1, lot_size=1, order_lots=1)).run()
    assert caught.value.index == 200


def test_what_cannot_be_simulated_is_refused():
    local, exchange = market(1)
    chosen = QuoteRules(tick_size=1, lot_size=1, order_lots=1)
    with pytest.raises(ValueError, match="local events are not sorted"):
        QuoteSimulation(local[::-1].copy(), exchange, chosen)
    with pytest.raises(ValueError, match="must have events"):
        QuoteSimulation(local[:0], exchange, chosen)
    with pytest.raises(ValueError, match="positive"):
        QuoteRules(tick_size=0.0, lot_size=1, order_lots=1)
    simulation = QuoteSimulation(local, exchange, chosen)
    simulation.run()
    with pytest.raises(ValueError, match="runs once"):
        simulation.run()
