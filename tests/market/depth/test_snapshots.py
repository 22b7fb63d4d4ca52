"""Tardis and Hyperliquid: a snapshot voids what was known."""

from __future__ import annotations

import pytest

from engine.market.depth import hyperliquid, tardis
from engine.market.depth.replay import read_feed, replay_book
from native.book_l2 import L2Book
from seams.clock import SystemClock
from tests.market.depth.recordings import BOOKS, HEAD, SHARED, l2, lines, needs_shared, refusal, row


def test_tardis_a_new_snapshot_voids_what_was_known():
    data = "\n".join([
        HEAD, row(5, "true", "bid", "1.5", 2), row(5, "true", "ask", "2.5", 2),
        row(6, "false", "bid", "1.5", 0), row(6, "false", "bid", "1.0", 7), row(9, "true", "ask", "3.0", 4),
    ]).encode()  # fmt: skip
    feed = tardis.read_csv(data)
    book = L2Book()
    assert book.replay(feed.events).tolist() == [(5_000, 15, 25), (6_000, 10, 25)]
    assert book.snapshot()[1].tolist() == [[30, 4]] and book.levels == 1 and feed.messages == 3
    assert feed.exchange_ns[0] == 4_000


def test_tardis_refuses_what_is_late_wrong_or_begins_in_the_middle():
    def read(*rows):
        return refusal(tardis.read_csv, "\n".join([HEAD, *rows]).encode())

    first = row(5, "true", "bid", "1.5", 2)
    assert read(row(5, "false", "bid", "1.5", 2)) == ("no_snapshot", 0)
    assert read(first, row(4, "false", "bid", "1.5", 2)) == ("out_of_order", 1)
    assert read(first, row(6, "maybe", "bid", "1.5", 2)) == ("bad_message", 1)
    assert read(first, row(6, "false", "bid", "-1.5", 2)) == ("bad_message", 1)
    assert read(first, row(6, "false", "bid", "1.5", 2, symbol="Q")) == ("bad_message", 1)
    assert refusal(tardis.read_csv, b"a,b\n1,2") == ("unreadable_file", 0)


@pytest.mark.shared
@needs_shared
def test_the_tardis_sample_is_read():
    path = BOOKS / "tardis" / "deribit_incremental_book_L2_BTC-PERPETUAL.csv"
    found = replay_book(read_feed(path.read_bytes(), "tardis"), SystemClock())
    assert (found.messages, found.levels, found.asks[0].price, found.asks[0].size) == (1, 15, 6421.5, 18640.0)


def test_hyperliquid_every_message_is_the_whole_book():
    data = lines(
        l2(1, 1, [("10.5", "1")], [("11", "1")]), l2(2, 2, [("10", "3")], [("11", "2"), ("12", "1")])
    )
    book = L2Book()
    book.apply(hyperliquid.read_log(data).events)
    assert [side.tolist() for side in book.snapshot()] == [[[100, 3]], [[110, 2], [120, 1]]]
    late = lines(l2(1, 5, [("10", "1")], []), l2(2, 4, [("10", "1")], []))
    assert refusal(hyperliquid.read_log, late) == ("out_of_order", 1)


@pytest.mark.shared
@needs_shared
def test_the_recorded_hyperliquid_books_are_read():
    path = SHARED / "data/licensed/venue/hyperliquid/ws_recorded/btc_l2book_trades_20250126_part1.gz"
    found = replay_book(read_feed(path.read_bytes(), "hyperliquid"), SystemClock())
    assert (found.symbol, found.levels, found.crossed_messages, found.is_sound) == ("BTC", 40, 0, True)
