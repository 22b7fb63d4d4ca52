"""Recorded depth: each source by its own rules; what is missing, late or false is named by its message."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.depth import binance, databento, hyperliquid, kraken, tardis
from engine.market.depth.feed import BadFeed, units
from engine.market.depth.replay import FORMATS, read_feed, replay_book
from native.book_l2 import L2Book
from native.book_l3 import L3Book
from native.book_reference import PlainL3
from native.depth import BookFault, DepthKind
from seams.clock import FixedClock, SystemClock

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).parents[2].parent / "shared"))
BOOKS = SHARED / "data" / "licensed" / "orderbook"
KRAKEN = sorted((SHARED / "recordings" / "kraken" / "cryptofeed_ws_v1_book").glob("*.jsonl"))
VECTORS = SHARED / "vectors" / "venues.json"
needs_shared = pytest.mark.skipif(not BOOKS.is_dir(), reason="INTERLOCK_SHARED has no order books")


def lines(*messages):
    return b"\n".join(
        message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages
    )


def refusal(read, data, **options):
    with pytest.raises(BadFeed) as caught:
        read(data, **options)
    return caught.value.problem.code, caught.value.problem.message


# --- kraken --------------------------------------------------------------------------------------


def crc(asks, bids):
    """The venue's rule, from the texts: ten best, dots and leading zeros away."""
    digits = [text.replace(".", "").lstrip("0") for level in [*asks[:10], *bids[:10]] for text in level]
    return zlib.crc32("".join(digits).encode())


def v2(kind, asks, bids, checksum):
    def side(levels):
        return "[" + ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in levels) + "]"

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/B","asks":{side(asks)},"bids":{side(bids)},'
        f'"checksum":{checksum},"timestamp":"2026-11-21T10:00:00.000001Z"}}]}}'
    ).encode()


ASKS = [(f"10.{place}0", f"{place + 1}.50000000") for place in range(10)]
BIDS = [(f"9.{9 - place}0", f"0.{place + 1:02d}000000") for place in range(10)]


def session(*, flip=False):
    """Snapshot, an update that pushes the tenth ask out, one that brings nothing back, a new snapshot."""
    better = [("9.95", "7.00000000"), *ASKS[:9]]
    after = better[1:]
    wrong = "7.00000001" if flip else "7.00000000"
    return lines(
        v2("snapshot", ASKS, BIDS, crc(ASKS, BIDS)),
        v2("update", [("9.95", wrong)], [], crc(better, BIDS)),
        v2("update", [("9.95", "0.00000000")], [], crc(after, BIDS)),
        v2("snapshot", ASKS, BIDS, crc(ASKS, BIDS)),
    )


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


# --- binance -------------------------------------------------------------------------------------


def depth(recv, first, last, before=None, bids=(), asks=()):
    data = {"e": "depthUpdate", "E": recv, "s": "XY", "U": first, "u": last, "b": bids, "a": asks}
    if before is not None:
        data |= {"pu": before, "T": recv}
    return f"{recv:019d} ".encode() + json.dumps({"stream": "x", "data": data}).encode()


def rest(recv, last, bids, asks):
    return f"{recv:019d} ".encode() + json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


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


# --- tardis, hyperliquid -------------------------------------------------------------------------

HEAD = ",".join(tardis.COLUMNS)


def row(local, is_snapshot, side, price, amount, symbol="P"):
    return f"x,{symbol},{local - 1},{local},{is_snapshot},{side},{price},{amount}"


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


def l2(recv, time, bids, asks, coin="BTC"):
    levels = [[{"px": price, "sz": size, "n": 1} for price, size in side] for side in (bids, asks)]
    message = {"channel": "l2Book", "data": {"coin": coin, "time": time, "levels": levels}}
    return f"{recv} ".encode() + json.dumps(message).encode()


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


# --- databento -----------------------------------------------------------------------------------


def dbn(*records, version=1):
    """(action, side, price in 1e-9, size, flags, order id[, instrument]) to a DBN file."""
    metadata = b"\0" * 108 + b"ESH4".ljust(22, b"\0")
    body = b""
    for place, (action, side, price, size, flags, order, *instrument) in enumerate(records):
        body += struct.pack(
            "<BBHIQQqIBBccQiI", 14, 0xA0, 1, (instrument or [77])[0], place, order, price, size, flags, 0,
            action.encode(), side.encode(), 1_000 + place, 0, place,
        )  # fmt: skip
    return b"DBN" + bytes([version]) + struct.pack("<I", len(metadata)) + metadata + body


QUARTER = 250_000_000


@pytest.mark.parametrize("version", [1, 2, 3])
def test_databento_ticks_are_the_coarsest_that_hold_every_price(version):
    feed = databento.read_mbo(
        dbn(
            ("R", "N", (1 << 63) - 1, 0, 0, 0), ("A", "B", 19_240 * QUARTER, 5, 0, 1),
            ("A", "A", 19_241 * QUARTER, 6, 128, 2), ("C", "A", 19_241 * QUARTER, 6, 0, 2),
            ("A", "A", 19_242 * QUARTER, 1, 128, 3), version=version,
        )
    )  # fmt: skip
    assert (feed.symbol, feed.scale.tick_units, feed.scale.price_decimals) == ("ESH4", 25, 2)
    book = L3Book()
    records = book.replay(feed.events)
    assert records.tolist() == [(1_002, 19_240, 5, 1, 19_241, 6, 1), (1_004, 19_240, 5, 1, 19_242, 1, 1)]
    assert replay_book(feed, FixedClock()).asks[0].price == 4_810.5


def test_databento_names_lost_packets_and_refuses_a_second_instrument():
    order = ("A", "B", QUARTER, 5, 128, 1)
    feed = databento.read_mbo(dbn(order, ("A", "B", QUARTER, 5, 128 | 4, 2)))
    assert [problem.message for problem in feed.gaps] == [1]
    assert refusal(databento.read_mbo, dbn(order, (*order, 78))) == ("bad_message", 1)
    assert refusal(databento.read_mbo, dbn(order, ("Q", *order[1:]))) == ("bad_message", 1)
    assert refusal(databento.read_mbo, dbn(order, ("A", "N", *order[2:]))) == ("bad_message", 1)
    assert refusal(databento.read_mbo, dbn(order)[:-1]) == ("unreadable_file", 0)
    assert refusal(databento.read_mbo, b"DBX") == ("unreadable_file", 0)


@pytest.mark.shared
@needs_shared
def test_the_recorded_orders_give_what_dictionaries_give():
    feed = databento.read_mbo((BOOKS / "databento/esh4-glbx-mdp3-20231225.mbo.dbn.zst").read_bytes())
    part = feed.events[:12_000]
    book, plain = L3Book(), PlainL3()
    records = book.replay(part)
    plain.apply(part.tolist())
    book.check()
    assert records.tolist() == plain.records and len(feed.events) == 68_792
    book.apply(feed.events[12_000:])
    book.check()
    assert (book.unknown, book.replaced) == (0, 0)


# --- all -----------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=200), st.integers(0, 60))
def test_hostile_bytes_are_refused_and_never_crash(source, noise, place):
    samples = {
        "kraken": session(), "binance": lines(rest(1, 10, [("1", "1")], []), depth(2, 11, 12)),
        "tardis": f"{HEAD}\n{row(5, 'true', 'bid', '1', 2)}".encode(),
        "hyperliquid": l2(1, 1, [("1", "1")], []),
        "databento": dbn(("A", "B", QUARTER, 5, 128, 1)),
    }  # fmt: skip
    good = samples[source]
    for data in (
        noise,
        good[: place * 3] + noise + good[place * 3 :],
        good[:place],
        gzip.compress(good)[:place],
    ):
        with suppress(BadFeed, BookFault):
            replay_book(read_feed(data, source), FixedClock())


@given(st.integers(0, 2**52), st.integers(0, 12))
def test_texts_become_units_exactly(value, decimals):
    whole, part = divmod(value, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}00" if decimals else str(whole)
    assert units(text, decimals, 0) == value
    for wrong in ("", "-1", "1e5", "1.2.3", "nan", "1_0", "٣"):
        with pytest.raises(BadFeed):
            units(wrong, decimals, 0)


def test_messages_end_at_their_last_event():
    feed = binance.read_log(
        lines(rest(1, 10, [("1", "1")], [("2", "1")]), depth(2, 11, 12, bids=[("1", "2")]))
    )
    ends = np.flatnonzero(feed.events["flags"] & 1)
    assert (
        feed.events["message"][ends].tolist() == [0, 1] and feed.events["kind"][0] == DepthKind.CLEAR_THROUGH
    )
