"""Kraken's level3 channel: the venue's own checksums, queue places, and levels that leave its depth."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal

from engine.market.depth import kraken_orders
from engine.market.depth.replay import read_feed, replay_book
from native.book_l3 import L3Book
from seams.clock import FixedClock
from tests.market.depth.recordings import lines, refusal


def levels(*lines_of_a_level):
    """A price and the sizes of its orders, a line a level, to (price, size) of each order."""
    split = [line.split() for line in lines_of_a_level]
    return [(price, size) for price, *sizes in split for size in sizes]


# The worked example of the venue's guide "L3 checksum (WebSocket v2)": prices and sizes as it prints them.
EXAMPLE_CHECKSUM = 1063832831
EXAMPLE_BIDS = levels(
    "44939.4 0.88968699 0.45210000 0.10000000 0.14296323 0.25000000 0.10292988 0.33880000 1.28140860",
    "44937.1 0.03346877",
    "44934.7 0.35630000",
    "44930.2 0.22734299 0.01000000 0.05550000 0.70000000 0.15000000",
    "44928.0 0.00105240",
    "44919.6 0.33870000",
    "44919.5 0.07610000",
    "44912.0 0.35630000",
    "44909.7 0.06690000",
    "44901.9 0.00088982",
)
EXAMPLE_ASKS = levels(
    "44939.5 4.52308393 0.00111261 0.00100000 0.01000000",
    "44950.0 0.10334926",
    "44953.0 0.00064537",
    "44955.0 0.00250000",
    "44959.6 0.35630000 0.35630000",
    "44960.1 0.00338072",
    "44960.2 0.88967575",
    "44967.0 3.14392283",
    "44978.5 0.06778960",
    "44979.2 0.35630000",
)
STAMP = "2024-01-08T12:26:39.526146327Z"


def order(name, price, size, event=None):
    known = f'"event":"{event}",' if event else ""
    return (
        f'{{{known}"order_id":"{name}","limit_price":{price},"order_qty":{size},"timestamp":"{STAMP}"}}'
    )  # fmt: skip


def message(kind, asks, bids, checksum, symbol="A/B"):
    return (
        f'{{"channel":"level3","type":"{kind}","data":[{{"symbol":"{symbol}","asks":[{",".join(asks)}],'
        f'"bids":[{",".join(bids)}],"checksum":{checksum}}}]}}'
    ).encode()


def crc(asks, bids):
    """The rule over lists of (price, size) in priority order, of ten levels, best first."""
    digits = [text.replace(".", "").lstrip("0") for each in [*asks, *bids] for text in each]
    return zlib.crc32("".join(digits).encode())


def snapshot(asks, bids, checksum=None):
    named = [
        [order(f"{side}{place}", *each) for place, each in enumerate(levels)]
        for side, levels in (("a", asks), ("b", bids))
    ]
    return message("snapshot", *named, crc(asks, bids) if checksum is None else checksum)


ASKS, BIDS = [("2.0", "1.00"), ("2.0", "4.00"), ("2.1", "2.00")], [("1.9", "3.00"), ("1.9", "5.00")]


def session():
    """A snapshot; the first bid shrinks, the first ask grows to the end of its queue, a bid goes."""
    return lines(
        snapshot(ASKS, BIDS),
        message("update", [], [order("b0", "1.9", "2.50", "modify")], crc(ASKS, [("1.9", "2.50"), BIDS[1]])),
        message(
            "update",
            [order("a0", "2.0", "1.50", "modify")],
            [order("b1", "1.9", "0.00", "delete"), order("b2", "1.9", "7.00", "add")],
            crc([ASKS[1], ("2.0", "1.50"), ASKS[2]], [("1.9", "2.50"), ("1.9", "7.00")]),
        ),
    )


def test_the_venues_own_example_gives_its_checksum_and_another_order_of_the_queue_does_not():
    found = replay_book(
        read_feed(snapshot(EXAMPLE_ASKS, EXAMPLE_BIDS, EXAMPLE_CHECKSUM), "kraken"), FixedClock()
    )
    assert (found.is_by_order, found.checksums_held, found.is_sound, found.levels) == (True, 1, True, 20)
    assert (found.bids[0].price, found.bids[0].orders, found.scale.size_decimals) == (44939.4, 8, 8)
    swapped = [EXAMPLE_BIDS[1], EXAMPLE_BIDS[0], *EXAMPLE_BIDS[2:]]
    hurt = replay_book(read_feed(snapshot(EXAMPLE_ASKS, swapped, EXAMPLE_CHECKSUM), "kraken"), FixedClock())
    assert (hurt.checksums_failed, hurt.is_sound, hurt.levels) == (1, False, 0)


def test_places_in_the_queue_follow_the_venues_events():
    feed = kraken_orders.read_log(session())
    found = replay_book(feed, FixedClock())
    assert (found.checksums_held, found.checksums_failed, feed.messages) == (3, 0, 3)
    book = L3Book()
    book.apply(feed.events)
    book.check()
    assert [size for _, size in book.queue(-1, 20)] == [400, 150]
    assert [size for _, size in book.queue(1, 19)] == [250, 700] and book.unknown == 0
    assert feed.exchange_ns[1] == 1_704_716_799_526_146_327


def test_a_wrong_checksum_drops_the_book_until_the_next_snapshot():
    first, second, third = session().split(b"\n")
    wrong = second.replace(b"2.50", b"2.49")
    found = replay_book(read_feed(lines(first, wrong, third, first), "kraken"), FixedClock())
    assert (found.checksums_held, found.checksums_failed, found.stale_messages) == (2, 1, 1)
    assert [(each.code, each.message) for each in found.problems] == [("checksum_mismatch", 1)]
    assert not found.is_sound and found.levels == 3


def ladder(first, count, step):
    return [(str(Decimal(first) + step * place), "1.0") for place in range(count)]


def test_levels_beyond_the_depth_go_and_come_back_whole():
    asks, bids = ladder("20.0", 10, Decimal("0.1")), ladder("19.0", 10, Decimal("-0.1"))
    better = [("19.9", "2.0"), *asks[:9]]
    data = lines(
        snapshot(asks, bids),
        message("update", [order("new", "19.9", "2.0", "add")], [], crc(better, bids)),
        message(
            "update",
            [order("new", "19.9", "0.0", "delete"), order("a9", "20.9", "1.0", "add"),
             order("z", "20.9", "3.0", "add")],
            [],
            crc([*asks, ("20.9", "3.0")], bids),
        ),
    )  # fmt: skip
    found = replay_book(kraken_orders.read_log(data), FixedClock(), depth=10)
    assert (found.checksums_held, found.levels) == (3, 20)
    assert (found.asks[-1].price, found.asks[-1].size, found.asks[-1].orders) == (20.9, 4.0, 2)
    book = L3Book()
    feed = kraken_orders.read_log(data)
    first = feed.events["message"] == 0
    book.apply(feed.events[first])
    far, near = book.track(-1, 209, 5), book.track(-1, 208, 5)
    book.apply(feed.events[~first])
    assert book.tracked(far) is None, "its level left the venue's depth: nobody knows its queue"
    assert book.tracked(near) == (10, 0, 0)


def test_the_acknowledged_depth_counts_not_the_snapshots():
    asks, bids = ladder("20.0", 3, Decimal("0.1")), ladder("19.0", 2, Decimal("-0.1"))
    more = [order(f"n{place}", f"{30 + place}.0", "1.0", "add") for place in range(9)]
    orders = [*asks, *((f"{30 + place}.0", "1.0") for place in range(9))]
    told = {"method": "subscribe", "result": {"channel": "level3", "symbol": "A/B", "depth": 100}}
    data = lines(told, snapshot(asks, bids), message("update", more, [], crc(orders[:10], bids)))
    assert replay_book(kraken_orders.read_log(data), FixedClock()).levels == 14
    assert replay_book(kraken_orders.read_log(data.split(b"\n", 1)[1]), FixedClock()).levels == 12


def test_digits_come_from_the_instrument_channel_where_it_was_recorded():
    pairs = [{"symbol": "A/B", "price_precision": 2, "qty_precision": 3}]
    padded = [(f"{price}0", f"{size}0") for price, size in ASKS], [(f"{p}0", f"{s}0") for p, s in BIDS]
    data = lines({"channel": "instrument", "data": {"pairs": pairs}}, snapshot(ASKS, BIDS, crc(*padded)))
    found = replay_book(kraken_orders.read_log(data, "A/B"), FixedClock())
    assert (found.checksums_held, found.scale.price_decimals, found.skipped_messages) == (1, 2, 1)


def test_what_is_no_level3_recording_is_refused():
    first, second, _ = session().split(b"\n")
    assert refusal(kraken_orders.read_log, second) == ("no_snapshot", 0)
    assert refusal(kraken_orders.read_log, lines(first, second.replace(b"modify", b"moved"))) == (
        "bad_message",
        1,
    )
    assert refusal(kraken_orders.read_log, lines(first, first.replace(b"A/B", b"C/D"))) == ("bad_message", 1)
    assert refusal(kraken_orders.read_log, lines({"channel": "status"})) == ("empty_file", 0)
    assert json.loads(first)["channel"] == "level3"
