"""A run's end as another's start: no records, no run id, every bit of what strategy and account know."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec import structs

from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.portfolio import Portfolio
from native.selfcheck import random_bars
from native.strategy import Strategy
from tests.native.markets import columns
from tests.native.test_exchange import build, cases


class Average(Strategy):
    """An indicator, a counter and a list: what a strategy may keep."""

    def on_start(self):
        from native.indicators import SMA

        self.mean, self.seen, self.last = SMA(5), 0, [0.0]

    def on_bar(self, bar):
        self.seen += 1
        self.last = [bar.close, *self.last[:3]]
        mean = self.mean.update(bar.close)
        return None if self.seen % 3 else (1 if bar.close > mean else -1)


LANES = [
    ("ema_cross", {"fast": 3.0, "slow": 8.0}),
    ("ema_cross", {"fast": 3.0, "slow": 8.0, "bracket": 1.0}),
    ("rsi_ma_cross", {"rsi_period": 4.0, "ma_fast": 3.0, "ma_slow": 9.0}),
    ("average", {}),
]


def fresh(case, run_id="run", matching="internal", config=None):
    name, params = case
    strategy = Average() if name == "average" else name
    lane = LaneSpec(symbol="X", strategy=strategy, params=params)
    return Kernel(config or KernelConfig(), [lane], matching=matching, run_id=run_id)


def same_rest(whole, first, second):
    """The second kernel's records are the whole's from where the first ended."""
    for name in ("decisions", "trades"):
        mine = [getattr(kernel, name)() for kernel in (whole, first, second)]
        assert mine[0].tobytes() == mine[1].tobytes() + mine[2].tobytes(), name
    count = len(first.equity_curve())
    assert whole.equity_curve()[count:].tolist() == second.equity_curve().tolist()
    assert whole.final_equity() == second.final_equity()
    flat = [structs.replace(each.position(0), outstanding=()) for each in (whole, second)]
    assert flat[0] == flat[1]
    assert (whole.wins(), whole.fees_paid()) == (second.wins(), second.fees_paid())


@pytest.mark.parametrize("case", LANES)
@pytest.mark.parametrize("cut", [1, 7, 150, 299])
def test_a_run_that_starts_from_anothers_end_decides_as_one_run_over_both(case, cut):
    bars = random_bars(11, 400)
    whole, first, second = fresh(case), fresh(case), fresh(case, "other")
    whole.replay(0, *columns(bars))
    first.replay(0, *columns(bars[:cut]))
    second.import_start(first.export_start())
    assert second.start_hash() == first.start_hash() and len(second.trades()) == 0
    second.replay(0, *columns(bars[cut:]))
    same_rest(whole, first, second)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_starting_holds_under_every_switch_of_the_exchange(case):
    config, bars, script, subs, funding = case
    half = len(bars) // 2
    size = len(subs) // len(bars) if subs else 1
    # A bar pays up to its end, a walked one up to the open of its last sub-bar.
    paid_until = subs[half * size - 1][0] if subs else bars[half - 1][0] + config.exchange.interval_ns - 1
    whole = build(config, script, subs, funding)
    first = build(config, script, subs[: half * size], funding)
    second = build(config, script, subs[half * size :], [row for row in funding if row[0] > paid_until])
    whole.replay(0, *columns(bars))
    first.replay(0, *columns(bars[:half]))
    second.import_start(first.export_start())
    assert second.start_hash() == first.start_hash()
    second.replay(0, *columns(bars[half:]))
    same_rest(whole, first, second)
    assert whole.funding_received() == second.funding_received()


def test_a_start_knows_no_matching_and_tells_what_waits():
    bars = random_bars(11, 400)
    first = fresh(LANES[0])
    cut = next(
        count for count in range(40, 400)
        if replayed(LANES[0], bars[:count]).position(0).outstanding
    )  # fmt: skip
    first.replay(0, *columns(bars[:cut]))
    second = fresh(LANES[0], "paper-1", "external")
    second.import_start(first.export_start())
    assert second.start_hash() == first.start_hash() and second.matching == "external"
    waiting = second.outstanding(0)
    assert [wish.intent_id for wish in waiting] == list(second.position(0).outstanding)
    assert all(wish.intent_id.startswith("paper-1:") and wish.units > 0 for wish in waiting) and waiting
    for wish in waiting:
        second.fill(0, wish.intent_id, wish.units, bars[cut][1], 0.0, bars[cut][0])
    assert second.outstanding(0) == []


def replayed(case, bars):
    kernel = fresh(case)
    kernel.replay(0, *columns(bars))
    return kernel


def test_the_exact_sum_of_earlier_results_is_carried_over_many_starts():
    bars = random_bars(3, 1_200)
    whole = replayed(LANES[0], bars)
    start = fresh(LANES[0])
    for first in range(0, 1_200, 100):
        kernel = fresh(LANES[0], f"part-{first}")
        kernel.import_start(start.export_start())
        kernel.replay(0, *columns(bars[first : first + 100]))
        start = kernel
    assert start.final_equity() == whole.final_equity() and start.start_hash() == whole.start_hash()


def _changed(data, change):
    """Change the body and make its checksum right: a forged file, not a broken one."""
    text = change(data[36:])
    return data[:4] + hashlib.sha256(text).digest() + text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(b'"lanes": [{', b'"lanes": [{"x": 1}, {'), "lanes"),
        (lambda text: text[:-8], "short"),
        (lambda text: text.replace(b'"carried"', b'"curried"'), "damaged"),
    ],
)
def test_a_forged_start_is_refused_and_changes_nothing(change, message):
    bars = random_bars(5, 200)
    first, second = replayed(LANES[2], bars), fresh(LANES[2])
    before = second.start_hash()

    def grown(text):
        size = int.from_bytes(text[:8], "little")
        head = change(text[8 : 8 + size]) if message != "short" else text[8 : 8 + size]
        body = text[8 + size :]
        return len(head).to_bytes(8, "little") + head + (change(body) if message == "short" else body)

    with pytest.raises(ValueError, match=message):
        second.import_start(_changed(first.export_start(), grown))
    assert second.start_hash() == before


def test_a_place_outside_the_ring_is_refused():
    first = replayed(LANES[2], random_bars(5, 200))
    data = first.export_start()
    size = int.from_bytes(data[36:44], "little")
    words = np.frombuffer(data[44 + size :], dtype="<i8").copy()
    found = [
        i for i in range(len(words) - 1) if words[i] == 9 and words[i - 1] == 9 and 0 <= words[i + 1] < 9
    ]
    assert found, "period and place of the slow average"
    words[found[0] + 1] = 1 << 40

    def forged(text):
        return text[: 8 + size] + words.tobytes()

    with pytest.raises(ValueError, match="layout"):
        fresh(LANES[2]).import_start(_changed(data, forged))


def test_a_start_fits_its_own_configuration_only():
    data = replayed(LANES[0], random_bars(5, 200)).export_start()
    with pytest.raises(ValueError, match="another configuration"):
        fresh(LANES[0], config=KernelConfig(fee_bps=1.0)).import_start(data)
    with pytest.raises(ValueError, match="another configuration"):
        fresh(("ema_cross", {"fast": 3.0, "slow": 9.0})).import_start(data)
    with pytest.raises(ValueError, match="damaged"):
        fresh(LANES[0]).import_start(data[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged"):
        fresh(LANES[0]).import_start(replayed(LANES[0], random_bars(5, 200)).export_state())
    with pytest.raises(ValueError, match="has begun"):
        replayed(LANES[0], random_bars(5, 200)).import_start(data)


def test_lanes_that_share_an_account_have_no_start():
    lanes = [LaneSpec(symbol=name, strategy="ema_cross") for name in ("A", "B")]
    portfolio = Portfolio(replace(KernelConfig(), stops="next_open"), lanes)
    with pytest.raises(TypeError, match="share an account"):
        portfolio.export_start()
