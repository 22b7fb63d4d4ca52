"""Market making on a recording: the example runs, and every fill is the plain simulation's."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.market.depth.binance import read_log
from engine.market.depth.feed import BadFeed
from engine.market.depth.quoting import quote, rules_for, two_views
from native.quotes import QueueModel
from tests.reference.quoting import PlainQuotes

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("INTERLOCK_SHARED", ROOT.parent / "shared"))
RECORDED = SHARED / "data" / "licensed" / "orderbook" / "binance_raw" / "usdm_btcusdt_20240808.gz"


def example():
    spec = importlib.util.spec_from_file_location("market_making", ROOT / "docs/examples/market_making.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recording(messages=3_000, seed=4, *, has_trades=True):
    """A log of a wandering market in the venue's form, received 3 to 9 ms after it happened."""
    chance = np.random.default_rng(seed)
    tick, recv_ns = 60_000, 1_700_000_000_000_000_000
    levels = [[f"{(tick - side * away) / 10:.1f}", "0.500"] for side in (1, -1) for away in range(1, 40)]
    head = {"lastUpdateId": 1, "E": recv_ns // 10**6, "bids": levels[:39], "asks": levels[39:]}
    out = [f"{recv_ns} {json.dumps(head)}"]
    for number in range(2, messages):
        tick += int(chance.integers(-1, 2)) * int(chance.random() < 0.3)
        recv_ns += int(chance.integers(1, 40)) * 10**6
        at_ms = recv_ns // 10**6 - int(chance.integers(3, 10))
        if has_trades and chance.random() < 0.4:
            is_sell = bool(chance.random() < 0.5)
            price = f"{(tick - 1 if is_sell else tick + 1) / 10:.1f}"
            size = f"{chance.integers(1, 900) / 1000:.3f}"
            data = {"e": "trade", "E": at_ms, "T": at_ms, "s": "XY", "p": price, "q": size, "m": is_sell}
        else:
            sides = {"b": [], "a": []}
            for name, side in (("b", 1), ("a", -1)):
                for away in [-1, 0, *chance.integers(1, 30, 3).tolist()]:
                    size = 0 if away < 1 else int(chance.integers(0, 900))
                    sides[name].append([f"{(tick - side * away) / 10:.1f}", f"{size / 1000:.3f}"])
            data = {
                "e": "depthUpdate",
                "E": at_ms,
                "T": at_ms,
                "s": "XY",
                "U": number,
                "u": number,
                "pu": number - 1,
            }
            data |= sides
        out.append(f"{recv_ns} {json.dumps({'stream': 'x', 'data': data})}")
    return "\n".join(out).encode()


def compare(feed, rules, quoter=None, plain_quoter=None):
    report, fills = quote(feed, rules, quoter)
    views = two_views(feed)
    plain = PlainQuotes(views.local.tolist(), views.exchange.tolist(), rules)
    wanted = plain.run(plain_quoter)
    assert fills.tolist() == plain.fills
    assert (report.steps, report.submits, report.cancels) == (wanted.steps, wanted.submits, wanted.cancels)
    assert (report.cash, report.fees, report.equity) == (wanted.balance, wanted.fees, wanted.equity)
    return report


@pytest.mark.parametrize("model", list(QueueModel))
def test_the_examples_quotes_are_filled_as_the_plain_simulation_fills_them(model):
    feed = read_log(recording())
    rules = rules_for(feed, 0.01, queue_model=model, queue_power=3.0, half_spread_ticks=1)
    maker = example().LeaningQuotes
    report = compare(feed, rules, maker(rules.order_lots), maker(rules.order_lots))
    assert report.fills > 20 and report.buys + report.sells == report.fills
    assert report.position == pytest.approx((report.buys - report.sells) * 0.01)
    compare(feed, rules)


def test_the_example_runs_as_it_is_written():
    report = example().run(recording())
    assert report.fills > 0 and report.queue_model == "power" and report.clock_shift_ms == 0.0


def test_a_recorder_whose_clock_is_behind_does_not_see_the_future():
    feed = read_log(recording(300))
    feed.events["ts_ns"] -= 2_000_000_000
    views = two_views(feed)
    lag = (views.local["ts_ns"] - feed.exchange_ns).min()
    assert (views.clock_shift_ns, lag) == (2_000_000_000, 0)
    assert (np.diff(views.exchange["ts_ns"]) >= 0).all()


def test_what_cannot_be_quoted_is_refused():
    with pytest.raises(BadFeed, match="without trades"):
        two_views(read_log(recording(50, has_trades=False)))
    with pytest.raises(ValueError, match="is not a multiple"):
        rules_for(read_log(recording(50)), 0.0105)


@pytest.mark.shared
@pytest.mark.skipif(not RECORDED.is_file(), reason="INTERLOCK_SHARED has no order books")
@pytest.mark.parametrize("model", [QueueModel.CONSERVATIVE, QueueModel.LOGARITHM])
def test_on_recorded_data_every_fill_is_the_plain_simulations(model):
    data = gzip.decompress(RECORDED.read_bytes())
    feed = read_log(b"\n".join(data.split(b"\n")[:16_000]))
    report = compare(feed, rules_for(feed, 0.01, queue_model=model))
    assert report.fills > 30 and report.clock_shift_ms > 1_000
