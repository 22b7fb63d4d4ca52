"""What a session remembers of a market is exact, and None where it does not know."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from engine.trading.market_memory import MarketMemory, p90
from engine.trading.traffic import Traffic
from safety.facts import MarketFacts
from seams.clock import NS_PER_S
from venues.types import Bar, Quote, Side

MINUTE, DAY = 60 * NS_PER_S, 86_400 * NS_PER_S


def bar(open_ns: int, close: float, length_ns: int = MINUTE, *, spread: float = 1.0) -> Bar:
    return Bar(
        symbol="BTC", open_ns=open_ns, close_ns=open_ns + length_ns, open=close, high=close + spread,
        low=close - spread, close=close, volume=1.0,
    )  # fmt: skip


def test_a_market_that_nobody_has_seen_has_no_facts() -> None:
    assert MarketMemory(has_live_health=True).facts(0) == MarketFacts()


def test_stillness_counts_from_the_last_move_and_repeats_do_not_end_it() -> None:
    memory = MarketMemory(has_live_health=True)
    for second, bid in ((1, 99.0), (2, 99.0), (3, 99.0)):
        memory.take(Quote(symbol="BTC", at_ns=second * NS_PER_S, bid=bid, ask=bid + 2))
    assert memory.facts(5 * NS_PER_S).unchanged_ms == 4_000
    memory.take(Quote(symbol="BTC", at_ns=6 * NS_PER_S, bid=98.0, ask=101.0))
    facts = memory.facts(6 * NS_PER_S)
    assert (facts.unchanged_ms, facts.bid, facts.ask) == (0, Decimal("98.0"), Decimal("101.0"))


def test_the_window_forgets_what_is_older_than_five_minutes() -> None:
    memory = MarketMemory(has_live_health=True)
    for minute, price in enumerate((100.0, 110.0, 105.0)):
        memory.take(Quote(symbol="BTC", at_ns=(1 + 3 * minute) * MINUTE, bid=price, ask=price))
    facts = memory.facts(7 * MINUTE)
    assert (facts.window_low, facts.window_high) == (Decimal("105.0"), Decimal("110.0"))
    assert memory.facts(60 * MINUTE).window_low is None


def test_holes_among_the_latest_bars_are_counted_and_a_replay_has_none_of_its_own() -> None:
    live, replayed = MarketMemory(has_live_health=True), MarketMemory(has_live_health=False)
    for memory in (live, replayed):
        for minute in (1, 2, 5, 6):
            memory.take(bar(minute * MINUTE, 100.0))
    assert live.facts(7 * MINUTE).gap_bars == 2
    assert (replayed.facts(7 * MINUTE).gap_bars, replayed.facts(7 * MINUTE).unchanged_ms) == (None, None)


def test_the_true_range_needs_its_bars() -> None:
    memory = MarketMemory(has_live_health=True)
    memory.prime([bar(minute * MINUTE, 100.0) for minute in range(14)])
    assert memory.facts(15 * MINUTE).atr is None
    memory.prime([bar(14 * MINUTE, 103.0)])
    assert memory.facts(15 * MINUTE).atr == Decimal(repr((13 * 2.0 + 4.0) / 14))


def test_the_percentile_of_daily_moves_is_the_linear_one_and_needs_thirty_days() -> None:
    closes = [100.0 * math.exp(0.001 * (n * 37 % 23) * (-1) ** n) for n in range(60)]
    memory = MarketMemory(has_live_health=False)
    memory.prime([bar(day * DAY, close, DAY) for day, close in enumerate(closes[:31])])
    assert memory.facts(31 * DAY).p90_volatility is None, "the newest day is not complete"
    memory.prime([bar(day * DAY, close, DAY) for day, close in enumerate(closes) if day > 30])
    moves = np.abs(np.diff(np.log(closes[:59])))
    facts = memory.facts(60 * DAY)
    assert facts.volatility_days == 58
    assert float(facts.p90_volatility or 0) == pytest.approx(float(np.percentile(moves, 90)), abs=1e-9)
    assert p90([0.02]) == Decimal("0.02")


def test_a_cancel_is_a_message_and_no_execution() -> None:
    traffic = Traffic()
    traffic.sent(0, "BTC", Side.BUY, "k", is_entry=True)
    traffic.sent(0, "BTC", Side.SELL, "l", is_entry=False)
    traffic.message(NS_PER_S)
    assert traffic.messages(NS_PER_S) == 3
    assert (traffic.repeats(0, "BTC", Side.BUY), traffic.repeats(0, "BTC", Side.SELL)) == (1, 0)
    assert (traffic.entries(0), traffic.entries(0, "ETH"), traffic.exits(0)) == (1, 0, 1)
    assert traffic.messages(3 * NS_PER_S) == 0 and traffic.keys(59 * NS_PER_S) == ("k", "l")
    assert traffic.keys(60 * NS_PER_S) == () and traffic.entries(60 * NS_PER_S) == 0
    assert traffic.repeats(599 * NS_PER_S, "BTC", Side.BUY) == 1


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    traffic = Traffic()
    traffic.sent(100 * NS_PER_S, "BTC", Side.BUY, "k", is_entry=True)
    assert traffic.entries(0) == 1 and traffic.repeats(-600 * NS_PER_S, "BTC", Side.BUY) == 1


def test_the_gap_to_the_last_entry_is_of_its_symbol_and_an_exit_is_none() -> None:
    traffic = Traffic()
    assert traffic.since_entry_ms(0, "BTC") == 600_000
    traffic.sent(1 * NS_PER_S, "BTC", Side.BUY, "a", is_entry=True)
    traffic.sent(2 * NS_PER_S, "BTC", Side.SELL, "b", is_entry=False)
    traffic.sent(3 * NS_PER_S, "ETH", Side.BUY, "c", is_entry=True)
    assert traffic.since_entry_ms(3 * NS_PER_S, "BTC") == 2_000
    assert traffic.since_entry_ms(3 * NS_PER_S, "ETH") == 0
    assert traffic.since_entry_ms(3 * NS_PER_S, "SOL") == 600_000
    assert traffic.since_entry_ms(900 * NS_PER_S, "BTC") == 600_000
