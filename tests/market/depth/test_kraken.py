"""Kraken's book channel: every checksum holds, a wrong digit is found at its message."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.market.depth import kraken
from engine.market.depth.replay import read_feed, replay_book
from native.book_l2 import L2Book
from native.depth import DepthKind
from seams.clock import FixedClock, SystemClock
from tests.market.depth.recordings import SHARED, crc, lines, refusal, session, v2

KRAKEN = sorted((SHARED / "recordings" / "kraken" / "cryptofeed_ws_v1_book").glob("*.jsonl"))
VECTORS = SHARED / "vectors" / "venues.json"


def test_kraken_checksums_hold_and_levels_beyond_the_depth_go():
    found = replay_book(kraken.read_log(session()), FixedClock())
    assert (found.checksums_held, found.checksums_failed, found.is_sound, found.levels) == (4, 0, True, 20)
    assert [level.price for level in found.asks] == [10.0, 10.1, 10.2, 10.3, 10.4]


def test_kraken_a_wrong_digit_drops_the_book_until_the_next_snapshot():
    found = replay_book(kraken.read_log(session(flip=True)), FixedClock())
    assert (found.checksums_held, found.checksums_failed, found.stale_messages) == (2, 1, 1)
    assert not found.is_sound and found.levels == 20
    assert [(problem.code, problem.message) for problem in found.problems] == [("checksum_mismatch", 1)]


def test_kraken_v1_counts_the_last_of_a_level_and_both_halves_of_a_message():
    start = {"as": [["2.0", "1.0", "1.0"]], "bs": [["1.0", "1.0", "1.0"]]}
    both = [{"a": [["2.0", "9.0", "2.0"], ["2.0", "3.0", "2.5"]]}, {"b": [["1.5", "4.0", "2.0"]], "c": "0"}]
    both[1]["c"] = str(crc([("2.0", "3.0")], [("1.5", "4.0"), ("1.0", "1.0")]))
    feed = kraken.read_log(
        lines(
            {"recv": 3.5, "msg": [7, start, "book-10", "A/B"]},
            {"recv": 4.5, "msg": [7, *both, "book-10", "A/B"]},
        )
    )
    found = replay_book(feed, FixedClock())
    assert (found.checksums_held, found.checksums_failed, feed.messages) == (1, 0, 2)
    assert feed.exchange_ns[-1] == 2_500_000_000 and feed.events["ts_ns"][-1] == 4_500_000_000


def test_kraken_refuses_an_update_without_a_snapshot_and_a_choice_nobody_made():
    update = v2("update", [("9.95", "1")], [], 0)
    assert refusal(kraken.read_log, lines(update)) == ("no_snapshot", 0)
    other = session().replace(b"A/B", b"C/D")
    assert refusal(kraken.read_log, lines(session(), other)) == ("bad_message", 4)
    assert kraken.read_log(lines(session(), other), "C/D").skipped == 4


@pytest.mark.shared
@pytest.mark.skipif(not KRAKEN, reason="INTERLOCK_SHARED has no recordings")
@pytest.mark.parametrize("path", KRAKEN, ids=lambda path: path.stem)
def test_every_recorded_kraken_checksum_holds_and_a_flipped_digit_is_found(path):
    data = path.read_bytes()
    found = replay_book(read_feed(data, "kraken"), SystemClock())
    assert found.is_sound and found.checksums_held == found.messages - 1 >= 20
    book = L2Book()
    book.apply(kraken.read_log(data).events)
    book.check()
    recorded = data.split(b"\n")
    place = _first_change_of_a_best_level(recorded)
    message = json.loads(recorded[place])
    for levels in (value for name, value in message["msg"][1].items() if name in "ab"):
        size = levels[-1][1]
        levels[-1][1] = size[:-1] + str((int(size[-1]) + 1) % 10)
    recorded[place] = json.dumps(message).encode()
    hurt = replay_book(read_feed(b"\n".join(recorded), "kraken"), SystemClock())
    assert (hurt.checksums_held, hurt.checksums_failed) == (place - 1, 1)
    assert hurt.stale_messages == hurt.messages - 1 - place
    assert [(problem.code, problem.message) for problem in hurt.problems] == [("checksum_mismatch", place)]


def _first_change_of_a_best_level(recorded):
    """Return the first message whose last size is at once among the ten best: only those are summed."""
    book, feed = L2Book(), kraken.read_log(b"\n".join(recorded))
    for end in np.flatnonzero(feed.events["flags"] & 1):
        message = feed.events[feed.events["message"] == feed.events["message"][end]]
        book.apply(message)
        best = {int(tick) for side in book.snapshot(10) for tick in side[:, 0]}
        if message["kind"][0] == DepthKind.SET and {*message["tick"][:-2].tolist()} <= best:
            return int(message["message"][0])
    raise AssertionError("no update touched the ten best levels")


@pytest.mark.shared
@pytest.mark.skipif(not VECTORS.is_file(), reason="INTERLOCK_SHARED has no vectors")
def test_the_checksum_vectors_hold():
    cases = [case for case in json.loads(VECTORS.read_text())["vectors"] if case["kind"] == "kr.book_crc32"]
    assert len(cases) > 10
    for case in cases:
        given_ = case["input"]
        feed = kraken.read_log(
            lines(
                {"channel": "instrument", "data": {"pairs": [
                    {"symbol": "A/B", "price_precision": given_["price_precision"],
                     "qty_precision": given_["qty_precision"]}]}},
                v2("snapshot", given_["asks"], given_["bids"], case["expected"]["checksum"]),
            ),
            "A/B",
        )  # fmt: skip
        assert replay_book(feed, FixedClock()).checksums_held == 1, case["id"]
