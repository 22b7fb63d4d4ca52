"""Binance's logs and depth files: a missing update is named, what is late is refused."""

from __future__ import annotations

import gzip

import pytest

from engine.market.depth import binance
from engine.market.depth.replay import read_feed, replay_book
from native.book_l2 import L2Book
from seams.clock import SystemClock
from tests.market.depth.recordings import BOOKS, depth, lines, needs_shared, refusal, rest


def test_binance_updates_from_before_the_snapshot_apply_after_it_when_they_follow_it():
    data = lines(
        depth(1, 1, 10, 0, bids=[("1.0", "9")]),
        depth(2, 11, 20, 10, bids=[("2.0", "5")]),
        rest(3, 15, [("2.0", "1"), ("1.0", "1")], [("3.0", "1")]),
        depth(4, 21, 30, 20, asks=[("3.0", "0"), ("4.0", "2")]),
    )
    feed = binance.read_log(data)
    book = L2Book()
    book.apply(feed.events)
    assert (feed.gap_count, feed.skipped, feed.scale.price_decimals) == (0, 1, 0)
    assert [side.tolist() for side in book.snapshot()] == [[[2, 5], [1, 1]], [[4, 2]]]


@pytest.mark.parametrize(
    ("messages", "gap"),
    [
        ([depth(2, 11, 20, 10), depth(3, 21, 25, 19)], 2),
        ([depth(2, 11, 20), depth(3, 22, 25)], 2),
        ([depth(2, 12, 20)], 1),
        ([depth(2, 11, 20, 10), depth(3, 21, 25, 20)], None),
        ([depth(2, 11, 20), depth(3, 21, 25)], None),
        ([depth(2, 3, 9), depth(3, 10, 25)], None),
    ],
)
def test_binance_a_missing_update_is_named(messages, gap):
    feed = binance.read_log(lines(rest(1, 10, [("1", "1")], [("2", "1")]), *messages))
    assert [problem.message for problem in feed.gaps] == ([] if gap is None else [gap])


def test_binance_refuses_what_is_late_or_has_no_snapshot():
    good = rest(5, 10, [("1", "1")], [("2", "1")])
    assert refusal(binance.read_log, lines(good, depth(4, 11, 12))) == ("out_of_order", 1)
    assert refusal(binance.read_log, lines(depth(4, 11, 12))) == ("no_snapshot", 0)
    assert refusal(binance.read_log, lines(good, depth(6, 11, 12, bids=[("1", "-1")]))) == ("bad_message", 1)
    assert refusal(binance.read_log, lines(good, b"0000000000000000006 {")) == ("bad_message", 1)


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("name", ["usdm_btcusdt_20240808.gz", "spot_btcusdt_20240808.gz"])
def test_the_recorded_binance_feeds_have_no_gap_and_never_cross(name):
    data = gzip.decompress((BOOKS / "binance_raw" / name).read_bytes())
    part = b"\n".join(data.split(b"\n")[:12_000])
    feed = binance.read_log(part)
    book = L2Book()
    book.apply(feed.events)
    book.check()
    assert (feed.gap_count, book.crossed_messages) == (0, 0) and book.levels > 1_000
    recorded = part.split(b"\n")
    updates = [number for number, line in enumerate(recorded) if b"depthUpdate" in line]
    hurt = binance.read_log(b"\n".join(recorded[: updates[-3]] + recorded[updates[-3] + 1 :]))
    assert [problem.code for problem in hurt.gaps] == ["sequence_gap"]


@pytest.mark.shared
@needs_shared
def test_the_depth_files_of_binance_are_read():
    snapshot = replay_book(
        read_feed((BOOKS / "binance_csv/btcusdt-depth-snap.csv").read_bytes(), "binance"), SystemClock()
    )
    assert (snapshot.levels, snapshot.gap_count, snapshot.bids[0].price, snapshot.bids[0].size) == (
        100,
        0,
        20377.0,
        1.77,
    )
    updates = read_feed((BOOKS / "binance_csv/btcusdt-depth-update.csv").read_bytes(), "binance")
    assert (updates.messages, [problem.message for problem in updates.gaps]) == (1, [0])
