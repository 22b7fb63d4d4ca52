"""hftbacktest: quoting on recorded levels with its latency and its conservative queue, compiled by numba.

The recording is converted by its own converter and tiled in time as ours is (`benchmarks/_book_data.py`).
The rule is the built-in one of `native.quotes.QuoteRules`; of its two books the faster one is used, which is
told the range of prices beforehand.
"""

import sys

import _peer
import hftbacktest
import numpy as np
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import binancefutures
from numba import njit

TICK, LOT, SIZE, FEE = 0.1, 0.001, 0.01, 0.0002
HALF, SKEW, MOST, STEP_NS, LATENCY_NS = 5, 1, 10, 100_000_000, 1_000_000
TILES, SHIFT_NS, LOCAL = 10, 400_000_000_000, 1 << 30
FAR = 10**15


@njit
def _quote(market):
    number = steps = submits = cancels = 0
    while market.elapse(STEP_NS) == 0:
        steps += 1
        market.clear_inactive_orders(0)
        depth = market.depth(0)
        best_bid, best_ask = depth.best_bid_tick, depth.best_ask_tick
        if best_bid < -FAR or best_ask > FAR:
            continue
        held = round(market.position(0) / SIZE)
        twice = best_bid + best_ask
        bid = min(best_bid, (twice - 2 * HALF - 2 * SKEW * held) // 2)
        ask = max(best_ask, -((-(twice + 2 * HALF - 2 * SKEW * held)) // 2))
        has_bid = has_ask = False
        old_bid = old_ask = 0
        orders = market.orders(0).values()
        while orders.has_next():
            order = orders.get()
            tick = round(order.price / TICK)
            if order.side == BUY:
                has_bid = True
                if (held >= MOST or tick != bid) and order.cancellable:
                    old_bid = order.order_id
            else:
                has_ask = True
                if (held <= -MOST or tick != ask) and order.cancellable:
                    old_ask = order.order_id
        if old_bid != 0:
            market.cancel(0, old_bid, False)
            cancels += 1
        if old_ask != 0:
            market.cancel(0, old_ask, False)
            cancels += 1
        if held < MOST and not has_bid:
            number += 1
            submits += 1
            market.submit_buy_order(0, number, bid * TICK, SIZE, GTX, LIMIT, False)
        if held > -MOST and not has_ask:
            number += 1
            submits += 1
            market.submit_sell_order(0, number, ask * TICK, SIZE, GTX, LIMIT, False)
    state = market.state_values(0)
    return steps, submits, cancels, state.num_trades, state.position, state.balance, state.fee


def _market(data):
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(FEE, FEE)
        .tick_size(TICK)
        .lot_size(LOT)
        .last_trades_capacity(0)
        .roi_lb(55_000.0)
        .roi_ub(65_000.0)
    )
    return ROIVectorMarketDepthBacktest([asset])


def _tiled(recording):
    tile = binancefutures.convert(recording)
    tiles = [tile.copy() for _ in range(TILES)]
    for number, each in enumerate(tiles):
        each["exch_ts"] += number * SHIFT_NS
        each["local_ts"] += number * SHIFT_NS
    return np.concatenate(tiles)


def main():
    """Run and report."""
    data, rounds = _tiled(sys.argv[1]), int(sys.argv[2])
    _quote(_market(data[:2000]))
    markets = [_market(data) for _ in range(rounds)]
    seconds, found = _peer.timed(rounds, lambda: _quote(markets.pop()))
    steps, submits, cancels, fills, position, balance, fee = found
    counts = (steps, submits, cancels, fills, round(position / LOT))
    note = "recorded levels, 100 ms steps; same: steps, orders, cancels, fills, position"
    events = int(((data["ev"] & LOCAL) != 0).sum())
    _peer.report_counts(hftbacktest.__version__, seconds, events, counts, balance - fee, note)


main()
