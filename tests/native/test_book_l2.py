"""The L2 book: equal to dictionaries on every market, refuses what is not one, and stays consistent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.book_l2 import L2Book
from native.depth import DEPTH_DTYPE, MAX_TICK, BookFault, DepthFault, DepthFlag, DepthKind, OnCrossed
from tests.reference.books import PlainL2

LAST, SET = int(DepthFlag.LAST), int(DepthKind.SET)


def rows(*events, flags=LAST):
    """(kind, side, tick, lot) to columns, a message each."""
    table = np.zeros(len(events), DEPTH_DTYPE)
    for place, (kind, side, tick, lot) in enumerate(events):
        table[place] = (place, tick, lot, kind, side, flags, 0, place)
    return table


close = st.integers(900, 1100)
distant = st.integers(-(10**12), 10**12) | st.integers(0, 5_000_000)
sizes = st.integers(0, 3) | st.integers(0, 2**53)
events = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6]), st.sampled_from([1, -1]), close | distant, sizes
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(events, st.lists(st.booleans(), min_size=120, max_size=120))
def test_every_market_gives_what_dictionaries_give(market, ends):
    table = rows(*[(k, s, t, q % 7 if k == 6 else q) for k, s, t, q in market])
    table["flags"] = [LAST * end for end in ends[: len(table)]]
    book, plain = L2Book(), PlainL2()
    records = book.replay(table)
    plain.apply(table.tolist())
    book.check()
    assert records.tolist() == plain.records
    assert book.state_hash() == plain.state_hash()
    assert (book.traded_lots, book.crossed_messages) == (plain.traded_lots, plain.crossed_messages)
    assert book.levels == len(plain.bids) + len(plain.asks)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_price_that_runs_away_is_followed(seed):
    chance = np.random.default_rng(seed)
    count = 3_000
    middle = 10_000_000 + np.cumsum(chance.integers(-3_000, 3_300, count))
    side = chance.choice([1, -1], count)
    table = np.zeros(count, DEPTH_DTYPE)
    table["kind"], table["side"], table["flags"], table["ts_ns"] = SET, side, LAST, np.arange(count)
    table["tick"] = middle - side * chance.geometric(0.001, count)
    table["lot"] = chance.integers(0, 4, count)
    book, plain = L2Book(), PlainL2()
    for part in np.array_split(table, 7):
        book.apply(part)
        book.check()
    plain.apply(table.tolist())
    assert book.state_hash() == plain.state_hash()


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ((9, 1, 10, 1), DepthFault.BAD_KIND),
        ((0, 1, 10, 1), DepthFault.BAD_KIND),
        ((SET, 0, 10, 1), DepthFault.BAD_SIDE),
        ((SET, 1, 10, -1), DepthFault.NEGATIVE_SIZE),
        ((DepthKind.TRADE, 1, 10, -1), DepthFault.NEGATIVE_SIZE),
        ((SET, 1, MAX_TICK, 1), DepthFault.BAD_TICK),
        ((SET, -1, -MAX_TICK, 1), DepthFault.BAD_TICK),
    ],
)
def test_a_bad_event_is_refused_by_name_and_changes_nothing(event, fault):
    book = L2Book()
    with pytest.raises(BookFault, match="in message 1 ") as caught:
        book.apply(rows((SET, 1, 100, 5), event, (SET, 1, 101, 5)))
    assert (caught.value.fault, caught.value.index) == (fault, 1)
    assert book.snapshot()[0].tolist() == [[100, 5]] and book.events == 1
    book.check()


def test_a_crossed_book_is_counted_or_refused_unless_the_source_says_it_may():
    crossing = rows((SET, 1, 100, 5), (SET, -1, 101, 5), (SET, 1, 101, 2))
    book = L2Book()
    book.apply(crossing)
    assert (book.crossed_messages, book.first_crossed) == (1, 2)
    with pytest.raises(BookFault, match="crossed in message 2"):
        L2Book(OnCrossed.REFUSE).apply(crossing)
    flagged = L2Book(OnCrossed.REFUSE)
    crossing["flags"] |= int(DepthFlag.MAY_CROSS)
    flagged.apply(crossing)
    assert flagged.crossed_messages == 0


def test_half_a_message_is_not_judged():
    book = L2Book(OnCrossed.REFUSE)
    table = rows((SET, 1, 100, 5), (SET, -1, 101, 5), (SET, 1, 101, 2), (SET, -1, 101, 0), (SET, -1, 102, 1))
    table["flags"][2:4] = 0
    assert book.replay(table).tolist() == [(1, 100, 101), (4, 101, 102)]


@pytest.mark.parametrize("side", [1, -1])
def test_when_the_near_levels_go_the_far_ones_are_found(side):
    book, plain = L2Book(), PlainL2()
    near, next_, far = 10_000_000, 10_000_001 - side, 10_000_000 - side * 9_000_000
    table = rows(
        (SET, side, near, 5), (SET, side, next_, 5), (SET, side, far, 7), (SET, side, next_, 0),
        (SET, side, near, 0), (SET, -side, near, 1), (SET, side, far, 0),
    )  # fmt: skip
    for event in np.split(table, len(table)):
        book.apply(event)
        plain.apply(event.tolist())
        book.check()
        assert book.state_hash() == plain.state_hash()
    assert book.levels == 1


def test_best_snapshot_and_checksum_read_what_is_there():
    book = L2Book()
    assert book.best() == (None, 0, None, 0)
    book.apply(rows((SET, 1, 100, 5), (SET, 1, 99, 7), (SET, -1, 105, 3), (SET, -1, 100_000_000, 1)))
    assert book.best() == (100, 5, 105, 3)
    bids, asks = book.snapshot(1)
    assert bids.tolist() == [[100, 5]] and asks.tolist() == [[105, 3]]
    assert book.checksum_input() == b"105310000000011005997"
    book.clear()
    book.check()
    assert book.levels == 0 and book.best() == (None, 0, None, 0)


def test_the_columns_must_be_depth_columns():
    with pytest.raises((ValueError, TypeError)):
        L2Book().apply(np.zeros(3))
    assert L2Book().apply(np.zeros(0, DEPTH_DTYPE)) == 0
