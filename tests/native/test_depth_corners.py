"""The corners of the books: levels far apart, ids that share a place, no room, what is cut off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from native.book import Book
from native.book_l2 import L2Book
from native.book_l3 import L3Book
from native.depth import DEPTH_DTYPE, ORDER_DTYPE, DepthFlag, DepthKind, OrderAction
from native.quotes import QuoteRules
from native.quoting import QuoteSimulation
from tests.reference.books import PlainL2, PlainL3
from tests.reference.quoting import PlainQuotes

LAST, MS = int(DepthFlag.LAST), 1_000_000
ADD, CANCEL, MODIFY, TRADE, FILL, CLEAR, TRUNCATE = (int(action) for action in OrderAction)
# Few prices, so that the same far level is set, changed and taken out again.
FAR_TICKS = [100, 101, 102, 2_000_000, 2_000_001, 10**9, 10**9 + 1, -(10**12), -(10**12) + 1]
GOLDEN = 0x9E3779B97F4A7C15


def l2_rows(market):
    table = np.zeros(len(market), DEPTH_DTYPE)
    for place, (kind, side, tick, lot) in enumerate(market):
        table[place] = (place, tick, lot, kind, side, LAST, 0, place)
    return table


def l3_rows(*market):
    table = np.zeros(len(market), ORDER_DTYPE)
    for place, (action, order_id, side, tick, size) in enumerate(market):
        table[place] = (place, order_id, tick, size, action, side, LAST, 0, place)
    return table


def id_at(place, number):
    """An id whose search begins at `place` (of 8192; a larger table splits them), one of many such."""
    return ((place << 51) + number) * pow(GOLDEN, -1, 2**64) % 2**64


far_l2 = st.tuples(
    st.sampled_from([1, 1, 1, 1, 3, 4, 5, 6]),
    st.sampled_from([1, -1]),
    st.sampled_from(FAR_TICKS),
    st.integers(0, 3),
)


trades = st.tuples(st.just(2), st.sampled_from([1, -1]), st.sampled_from(FAR_TICKS), st.integers(1, 30))


@settings(max_examples=300, deadline=None)
@given(st.lists(far_l2, max_size=120))
def test_a_book_of_levels_far_apart_is_what_dictionaries_give(market):
    table = l2_rows(market)
    book, plain = L2Book(), PlainL2()
    records = book.replay(table)
    plain.apply(table.tolist())
    book.check()
    assert records.tolist() == plain.records
    assert book.state_hash() == plain.state_hash()


crowded = st.tuples(
    st.sampled_from([ADD, ADD, ADD, CANCEL, CANCEL, MODIFY, TRUNCATE]),
    st.builds(id_at, st.sampled_from([0, 1, 2, 8190, 8191]), st.integers(0, 5)),
    st.sampled_from([1, -1]),
    st.sampled_from(FAR_TICKS),
    st.integers(0, 4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(crowded, max_size=150))
def test_ids_that_share_their_place_are_found_after_any_of_them_has_gone(market):
    table = l3_rows(*market)
    book, plain = L3Book(), PlainL3()
    book.apply(table)
    plain.apply(table.tolist())
    book.check()
    assert (book.live_orders, book.unknown) == (len(plain.places), plain.unknown)
    for order_id in {event[1] for event in market}:
        found = book.order(order_id)
        assert (found[:2] if found else None) == plain.places.get(order_id)
    for (side, tick), level in plain.levels.items():
        assert book.queue(side, tick) == list(level.items())


@settings(max_examples=200, deadline=None)
@given(st.lists(far_l2 | trades, min_size=1, max_size=120))
@example([(1, 1, 100, 1), (1, -1, 10**9, 1), (1, 1, 2_000_001, 2), (1, 1, 2_000_001, 0), (2, -1, 100, 9)])
def test_quotes_in_a_market_of_levels_far_apart_are_the_plain_ones(market):
    exchange = l2_rows(market)
    exchange["ts_ns"] = np.arange(len(market)) * 10 * MS
    local = exchange.copy()
    local["ts_ns"] += 3 * MS
    chosen = QuoteRules(tick_size=0.1, lot_size=0.001, order_lots=2, interval_ns=5 * MS, half_spread_ticks=1)
    simulation = QuoteSimulation(local, exchange, chosen)
    plain = PlainQuotes(local.tolist(), exchange.tolist(), chosen)
    assert simulation.run() == plain.run()
    assert simulation.fills().tolist() == plain.fills


def test_more_fills_than_there_was_room_for_are_all_there():
    steps = [(DepthKind.SET, 1, 100, 1), (DepthKind.SET, -1, 102, 1)]
    steps += [(DepthKind.TRADE, side, 101 + side, 1_000) for _ in range(1_300) for side in (-1, 1)]
    table = l2_rows([(int(kind), *rest) for kind, *rest in steps])
    table["ts_ns"] = np.arange(len(steps)) * 10 * MS
    chosen = QuoteRules(tick_size=1, lot_size=1, order_lots=1, interval_ns=5 * MS, half_spread_ticks=1)
    simulation = QuoteSimulation(table, table, chosen)
    plain = PlainQuotes(table.tolist(), table.tolist(), chosen)
    assert simulation.run() == plain.run()
    assert simulation.fills().tolist() == plain.fills and len(plain.fills) > 1_024


def test_room_made_at_once_changes_nothing():
    chance = np.random.default_rng(3)
    table = l3_rows(*((ADD, int(i) + 1, 1, 1_000 + int(i) % 9, 1) for i in chance.permutation(9_000)))
    grown, made = L3Book(), L3Book()
    made.reserve(10_000)
    made.reserve(10)  # there is more already
    for book in (grown, made):
        book.apply(table)
        book.check()
    assert made.state_hash() == grown.state_hash() and made.live_orders == 9_000


@pytest.mark.parametrize("orders", [2**31, 2**60, 2**61 - 1, 2**62, 2**63 - 1])
def test_room_for_more_orders_than_a_book_can_count_is_refused_and_the_book_stays(orders):
    book = L3Book()
    book.apply(l3_rows((ADD, 1, 1, 100, 5), (ADD, 2, 1, 100, 4)))
    with pytest.raises(MemoryError, match="that many orders"):
        book.reserve(orders)
    book.apply(l3_rows(*((ADD, number, 1, 100, 1) for number in range(3, 5_000))))
    book.check()
    assert book.live_orders == 4_999 and book.order(2) == (1, 100, 4, 5, 1)


def test_a_tracked_order_beyond_what_stays_in_sight_is_switched_off():
    book = L3Book()
    book.apply(l3_rows((ADD, 1, 1, 100, 5), (ADD, 2, 1, 99, 4), (ADD, 3, -1, 101, 1)))
    near, cut, other = book.track(1, 100, 1), book.track(1, 99, 1), book.track(-1, 103, 1)
    book.apply(l3_rows((TRUNCATE, 0, 1, 0, 1)))
    assert book.tracked(near) == (5, 0, 0) and book.tracked(cut) is None
    assert book.tracked(other) == (0, 0, 0), "the other side keeps what it shows"
    book.check()


def test_a_book_that_is_neither_l2_nor_l3_does_nothing():
    book = Book()
    for act in (lambda: book.apply([1]), book.snapshot, book.checksum_input, book.check):
        with pytest.raises(NotImplementedError):
            act()
