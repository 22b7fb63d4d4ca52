"""The L3 book: price, then time; queue positions to the lot; equal to dictionaries on every market."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.book_l3 import L3Book
from native.depth import (
    MAX_TICK,
    ORDER_DTYPE,
    TOP_DTYPE,
    BookFault,
    DepthFault,
    DepthFlag,
    OnCrossed,
    OrderAction,
)
from tests.reference.books import PlainL3

LAST = int(DepthFlag.LAST)
ADD, CANCEL, MODIFY, TRADE, FILL, CLEAR, TRUNCATE = (int(action) for action in OrderAction)


def rows(*events):
    """(action, order id, side, tick, size) to columns, a message each."""
    table = np.zeros(len(events), ORDER_DTYPE)
    for place, (action, order_id, side, tick, size) in enumerate(events):
        table[place] = (place, order_id, tick, size, action, side, LAST, 0, place)
    return table


orders = st.lists(
    st.tuples(
        st.sampled_from([ADD, ADD, ADD, ADD, CANCEL, CANCEL, MODIFY, MODIFY, TRADE, FILL, CLEAR, TRUNCATE]),
        st.integers(0, 12) | st.integers(0, 2**64 - 1),
        st.sampled_from([1, -1]),
        st.integers(95, 105) | st.integers(-(10**12), 10**12),
        st.integers(0, 9),
    ),
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(orders)
def test_every_market_gives_what_dictionaries_give(market):
    table = rows(*market)
    book, plain = L3Book(), PlainL3()
    records = book.replay(table)
    plain.apply(table.tolist())
    book.check()
    assert records.tolist() == plain.records
    assert (book.live_orders, book.unknown) == (len(plain.places), plain.unknown)
    for (side, tick), level in plain.levels.items():
        assert book.queue(side, tick) == list(level.items())
    for order_id, (side, tick) in plain.places.items():
        ahead = list(plain.levels[side, tick].items())
        place = [each for each, _ in ahead].index(order_id)
        wanted = (side, tick, ahead[place][1], sum(size for _, size in ahead[:place]), place)
        assert book.order(order_id) == wanted


def test_pools_grow_and_shrink_with_the_market():
    chance = np.random.default_rng(5)
    ids = chance.permutation(20_000) + 1
    adds = rows(*((ADD, int(i), 1 if i % 2 else -1, 1_000 + int(i) % 97 * (-1) ** int(i), 1) for i in ids))
    book, plain = L3Book(), PlainL3()
    book.apply(adds)
    book.check()
    plain.apply(adds.tolist())
    gone = rows(*((CANCEL, int(i), 0, 0, 1) for i in chance.permutation(ids)[:15_000]))
    book.apply(gone)
    plain.apply(gone.tolist())
    book.check()
    assert book.live_orders == 5_000 == len(plain.places)
    assert {place: book.queue(*place) for place in plain.levels} == {
        place: list(level.items()) for place, level in plain.levels.items()
    }
    book.clear()
    book.check()
    assert book.live_orders == 0 and book.order(int(ids[0])) is None


def test_only_a_change_that_is_no_improvement_keeps_the_place():
    book = L3Book()
    book.apply(rows((ADD, 1, 1, 100, 5), (ADD, 2, 1, 100, 5), (ADD, 3, 1, 100, 5)))
    book.apply(rows((MODIFY, 1, 1, 100, 3)))
    assert book.queue(1, 100) == [(1, 3), (2, 5), (3, 5)]
    book.apply(rows((MODIFY, 1, 1, 100, 4)))
    assert book.queue(1, 100) == [(2, 5), (3, 5), (1, 4)]
    book.apply(rows((MODIFY, 2, 1, 99, 5)))
    assert book.queue(1, 100) == [(3, 5), (1, 4)] and book.queue(1, 99) == [(2, 5)]
    assert book.order(1) == (1, 100, 4, 5, 1)
    assert book.best() == (100, 9, None, 0)


def test_a_tracked_order_moves_up_and_fills_exactly_when_its_place_is_reached():
    book = L3Book()
    book.apply(rows((ADD, 1, 1, 100, 5), (ADD, 2, 1, 100, 4), (ADD, 9, -1, 101, 1)))
    ours = book.track(1, 100, 3)
    assert book.tracked(ours) == (9, 0, 0)
    book.apply(rows((ADD, 3, 1, 100, 6), (CANCEL, 2, 1, 100, 1), (MODIFY, 1, 1, 100, 2)))
    assert book.tracked(ours) == (5, 0, 0)
    book.apply(rows((MODIFY, 2, 1, 100, 8)))  # larger: it goes behind ours
    assert book.tracked(ours) == (2, 0, 0)
    book.apply(rows((FILL, 1, 1, 100, 2), (CANCEL, 1, 1, 100, 2)))
    assert book.tracked(ours) == (0, 0, 0)
    fill = rows((FILL, 3, 1, 100, 2), (CANCEL, 3, 1, 100, 2))
    fill["ts_ns"] = 77
    book.apply(fill)
    assert book.tracked(ours) == (0, 2, 77)
    book.apply(rows((ADD, 4, 1, 99, 9), (FILL, 4, 1, 99, 9)))  # a worse price was hit: ours was before it
    assert book.tracked(ours) == (0, 3, 1)
    book.apply(rows((FILL, 9, -1, 101, 1)))
    assert book.tracked(ours) == (0, 3, 1)
    book.untrack(ours)
    assert book.tracked(ours) is None and book.snapshot()[0].tolist() == [[100, 12, 2], [99, 9, 1]]


def test_tracking_is_bounded_and_ends_with_a_clear():
    book = L3Book()
    handles = [book.track(-1, 10, 1) for _ in range(16)]
    with pytest.raises(ValueError, match="at most 16"):
        book.track(-1, 10, 1)
    book.apply(rows((CLEAR, 0, 0, 0, 0)))
    assert [book.tracked(handle) for handle in handles] == [None] * 16
    with pytest.raises(ValueError, match="side"):
        book.track(0, 10, 1)


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ((9, 5, 1, 10, 1), DepthFault.BAD_KIND),
        ((ADD, 5, 0, 10, 1), DepthFault.BAD_SIDE),
        ((CANCEL, 1, 1, 10, -1), DepthFault.NEGATIVE_SIZE),
        ((ADD, 5, 1, MAX_TICK, 1), DepthFault.BAD_TICK),
        ((MODIFY, 1, 1, -MAX_TICK, 1), DepthFault.BAD_TICK),
    ],
)
def test_a_bad_event_is_refused_by_name_and_changes_nothing(event, fault):
    book = L3Book()
    with pytest.raises(BookFault, match="in message 1 ") as caught:
        book.apply(rows((ADD, 1, 1, 100, 5), event, (ADD, 2, 1, 101, 5)))
    assert caught.value.fault is fault
    assert book.queue(1, 100) == [(1, 5)] and book.live_orders == 1
    book.check()


def test_a_crossed_book_is_counted_or_refused():
    crossing = rows((ADD, 1, 1, 100, 5), (ADD, 2, -1, 100, 5))
    book = L3Book()
    book.apply(crossing)
    assert (book.crossed_messages, book.first_crossed) == (1, 1)
    with pytest.raises(BookFault, match="crossed in message 1"):
        L3Book(OnCrossed.REFUSE).apply(crossing)


def test_records_go_where_they_are_wanted_and_state_hashes_tell_queues_apart():
    table = rows((ADD, 1, 1, 100, 5), (ADD, 2, 1, 100, 5), (ADD, 3, -1, 101, 5))
    out = np.zeros(3, TOP_DTYPE)
    first, second = L3Book(), L3Book()
    assert first.replay(table, out).tolist() == [(2, 100, 10, 2, 101, 5, 1)] == out[:1].tolist()
    second.apply(table[[1, 0, 2]])
    assert first.best() == second.best() and first.state_hash() != second.state_hash()
    with pytest.raises(ValueError, match="less room"):
        first.replay(table, out[:2])
