"""What is heard of a market, and what its days say: what was not heard is never said to be known."""

from __future__ import annotations

import math

import pytest

from engine.trading.heard_market import DAY_NS, MINUTE_NS, SILENCE_NS, HeardMarket, days_of
from seams.clock import NS_PER_S
from venues.types import Bar, Quote

T0 = 1_790_000_040 * NS_PER_S // MINUTE_NS * MINUTE_NS


def quote(at_ns: int, mid: float) -> Quote:
    return Quote(symbol="X", at_ns=at_ns, bid=mid - 0.5, ask=mid + 0.5)


def heard(*told: tuple[int, float], step_ns: int = NS_PER_S) -> HeardMarket:
    """Hear (second, mid) pairs and every second between them."""
    market = HeardMarket("X")
    for at_s, mid in told:
        market.take(quote(T0 + at_s * step_ns, mid))
    return market


def day(number: int, close: float, width: float = 2.0) -> Bar:
    open_ns = number * DAY_NS
    return Bar(symbol="X", open_ns=open_ns, close_ns=open_ns + DAY_NS, open=close, high=close + width / 2,
               low=close - width / 2, close=close, volume=1.0)  # fmt: skip


def test_only_a_minute_that_was_heard_from_end_to_end_is_kept() -> None:
    market = heard(*((second, 100.0 + second) for second in range(30, 200, 10)))
    assert sorted(market.minutes) == [T0 + MINUTE_NS, T0 + 2 * MINUTE_NS], "the first began in its middle"
    bar = market.minutes[T0 + MINUTE_NS]
    assert (bar.open, bar.high, bar.low, bar.close) == (160.0, 210.0, 160.0, 210.0)


def test_a_silence_ends_what_was_heard() -> None:
    market = heard(*((second, 100.0) for second in range(0, 100, 10)))
    silent_s = SILENCE_NS // NS_PER_S + 1
    market.take(quote(T0 + (90 + silent_s) * NS_PER_S, 100.0))
    assert market.since_ns == T0 + (90 + silent_s) * NS_PER_S
    assert market.moved_ns == T0, "the price is still the one of the first quote"
    for second in range(90 + silent_s, 190, 10):
        market.take(quote(T0 + second * NS_PER_S, 100.0))
    assert sorted(market.minutes) == [T0, T0 + 2 * MINUTE_NS], "not the minute of the silence"


def test_the_window_is_whole_only_where_all_of_it_is_known() -> None:
    market = heard(*((second, 100.0 + second / 10) for second in range(400, 461, 5)))
    now_ns = T0 + 461 * NS_PER_S
    partly = market.extremes(now_ns, {})
    assert partly is not None and not partly.is_whole
    past = {
        at_ns: Bar(symbol="X", open_ns=at_ns, close_ns=at_ns + MINUTE_NS, open=99.0, high=150.0, low=90.0,
                   close=99.0, volume=1.0)
        for at_ns in range(T0 + 2 * MINUTE_NS, T0 + 7 * MINUTE_NS, MINUTE_NS)
    }  # fmt: skip
    whole = market.extremes(now_ns, past)
    assert whole is not None and (whole.low, whole.high, whole.is_whole) == (90.0, 150.0, True)
    for missing in past:
        less = {at_ns: bar for at_ns, bar in past.items() if at_ns != missing}
        found = market.extremes(now_ns, less)
        assert found is not None and not found.is_whole
    late = market.extremes(T0 + 460 * NS_PER_S + SILENCE_NS + 1, past)
    assert late is not None and not late.is_whole, "nobody says what the price does now"


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_quote_that_is_none_or_old_changes_nothing(bad: float) -> None:
    market = heard((10, 100.0))
    market.take(quote(T0 + 11 * NS_PER_S, bad))
    market.take(quote(T0 + 9 * NS_PER_S, 50.0))
    assert market.quote == quote(T0 + 10 * NS_PER_S, 100.0)
    found = market.extremes(T0 + 10 * NS_PER_S, {})
    assert found is not None and (found.low, found.high) == (100.0, 100.0)


def test_the_window_forgets_what_is_older_than_it() -> None:
    market = heard(*((second, 500.0 if second == 0 else 100.0) for second in range(0, 400, 5)))
    found = market.extremes(T0 + 395 * NS_PER_S, market.minutes)
    assert found is not None and (found.high, found.is_whole) == (100.0, True)


def test_days_are_judged_only_with_their_neighbours() -> None:
    days = [day(number, 100.0 + number % 3) for number in range(60)]
    now_ns = 60 * DAY_NS + 1
    found = days_of(days, now_ns)
    assert found is not None and found.count == 59 and found.atr is not None and found.p90_volatility
    hole = days_of(days[:30] + days[31:], now_ns)
    assert hole is not None and hole.count == 57, "over a day that is missing there is no return"
    late = days_of(days[:55] + days[56:], now_ns)
    assert late is not None and late.atr is None and late.p90_volatility is not None
    few = days_of(days[-20:], now_ns)
    assert few is not None and (few.p90_volatility, few.count) == (None, 19)


@pytest.mark.parametrize("days_late", [0, 1, 2])
def test_days_that_ended_too_long_ago_say_nothing(days_late: int) -> None:
    days = [day(number, 100.0 + number % 3) for number in range(60)]
    found = days_of(days, (60 + days_late) * DAY_NS + 1)
    assert (found is not None) == (days_late < 2)
    assert days_of([], 0) is None


def test_a_day_without_a_price_is_missing() -> None:
    days = [day(number, 100.0 + number % 3) for number in range(60)]
    days[30] = day(30, 0.0)
    days[40] = day(40, math.nan)
    found = days_of(days, 60 * DAY_NS + 1)
    assert found is not None and found.count == 55
