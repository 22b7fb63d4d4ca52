"""What is counted of an account's traffic is what a look at every single order would count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.trading.traffic import Sent, Traffic
from seams.clock import NS_PER_S
from venues.types import Side

MINUTE, REPEAT, RATE = 60 * NS_PER_S, 600 * NS_PER_S, 2 * NS_PER_S
SYMBOLS = ("BTC", "ETH")
STEPS = st.sampled_from((0, 1, NS_PER_S, RATE - 1, RATE, 7 * NS_PER_S, MINUTE - 1, MINUTE, REPEAT))
ORDERS = st.tuples(STEPS, st.sampled_from(SYMBOLS), st.sampled_from(Side), st.booleans(), st.booleans())


def judged_by_looking(
    sent: list[Sent], messages: list[int], now: int, symbol: str, side: Side
) -> list[object]:
    """Return what the rules ask for, from everything that ever went out."""

    def within(window: int) -> list[Sent]:
        return [each for each in sent if now - each.at_ns < window]

    entered = [each.at_ns for each in within(REPEAT) if each.is_entry and each.symbol == symbol]
    return [
        tuple(each.key for each in within(MINUTE)),
        sum(now - at < RATE for at in messages),
        sum(each.is_entry and (each.symbol, each.side) == (symbol, side) for each in within(REPEAT)),
        sum(each.is_entry for each in within(MINUTE)),
        sum(each.is_entry and each.symbol == symbol for each in within(MINUTE)),
        sum(not each.is_entry for each in within(MINUTE)),
        (now - max(entered) if entered else REPEAT) // 1_000_000,
    ]


def counted(traffic: Traffic, now: int, symbol: str, side: Side) -> list[object]:
    return [
        traffic.keys(now),
        traffic.messages(now),
        traffic.repeats(now, symbol, side),
        traffic.entries(now),
        traffic.entries(now, symbol),
        traffic.exits(now),
        traffic.since_entry_ms(now, symbol),
    ]


@given(orders=st.lists(ORDERS, max_size=30), before=st.integers(0, 5))
def test_what_is_counted_is_what_a_look_at_everything_counts(
    orders: list[tuple[int, str, Side, bool, bool]], before: int
) -> None:
    now, sent, messages = 10 * REPEAT, list[Sent](), list[int]()
    traffic = Traffic()
    for number, (step, symbol, side, is_entry, is_cancel) in enumerate(orders):
        now += step
        messages.append(now)
        if is_cancel:
            traffic.message(now)
        else:
            sent.append(Sent(now, symbol, side, f"k{number}", is_entry))
            traffic.sent(now, symbol, side, f"k{number}", is_entry=is_entry)
            if len(sent) == before:  # a restart: the orders are on record, the cancels are not
                traffic, messages = Traffic(sent), [each.at_ns for each in sent]
        for later in (0, 1, RATE, MINUTE, REPEAT - 1, REPEAT):
            for of in SYMBOLS:
                wanted = judged_by_looking(sent, messages, now + later, of, Side.BUY)
                assert counted(traffic, now + later, of, Side.BUY) == wanted


@given(st.lists(st.integers(-REPEAT, REPEAT), min_size=1, max_size=12))
def test_a_clock_that_jumps_back_forgets_none_of_what_is_inside_the_window(times: list[int]) -> None:
    traffic = Traffic(Sent(at, "BTC", Side.BUY, str(at), True) for at in times)
    now = min(times)
    assert traffic.repeats(now, "BTC", Side.BUY) == traffic.entries(now) == len(times)
    assert all(traffic.alike(now, str(at)) == (str(at),) for at in times) and traffic.alike(now, "x") == ()
    assert sorted(traffic.keys(now)) == sorted(map(str, times)) and traffic.messages(now) == len(times)
