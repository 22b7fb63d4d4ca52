"""Databento's orders, DBN and CSV: exact ticks, named losses, one instrument; the same book from both."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.market.depth import databento
from engine.market.depth.feed import unpacked
from engine.market.depth.replay import replay_book
from native.book_l3 import L3Book
from seams.clock import FixedClock
from tests.market.depth.recordings import BOOKS, QUARTER, dbn, needs_shared, refusal
from tests.reference.books import PlainL3

NO_PRICE = (1 << 63) - 1
CSV_HEAD = (
    "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,channel_id,order_id,flags,"
    "ts_in_delta,sequence,symbol"
)


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


def as_csv(feed_bytes, *, is_readable):
    """A DBN file of orders as the vendor writes it in CSV, with plain or with readable times and prices."""
    content = unpacked(feed_bytes)
    records, _, symbol = databento._dbn(content)

    def time(ns):
        if not is_readable:
            return str(ns)
        whole = datetime.fromtimestamp(ns // 10**9, UTC)
        return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"

    def price(units):
        if not is_readable:
            return str(units)
        return "" if units == NO_PRICE else f"{units // 10**9}.{units % 10**9:09d}"

    rows = [
        f"{time(r['ts_recv'])},{time(r['ts_event'])},160,1,{r['instrument_id']},{chr(r['action'])},"
        f"{chr(r['side'])},{price(int(r['price']))},{r['size']},0,{r['order_id']},{r['flags']},0,"
        f"{r['sequence']},{symbol}"
        for r in records
    ]
    return "\n".join([CSV_HEAD, *rows, ""]).encode()


@pytest.mark.parametrize("is_readable", [False, True])
def test_a_csv_of_the_same_orders_gives_the_same_events(is_readable):
    data = dbn(
        ("R", "N", NO_PRICE, 0, 8, 0), ("A", "B", 19_240 * QUARTER, 5, 0, 1 << 60),
        ("A", "A", 19_241 * QUARTER, 6, 128, 2), ("C", "A", 19_241 * QUARTER, 6, 128 | 4, 2),
    )  # fmt: skip
    feed, wanted = databento.read_mbo(as_csv(data, is_readable=is_readable)), databento.read_mbo(data)
    assert feed.events.tolist() == wanted.events.tolist() and feed.symbol == wanted.symbol == "ESH4"
    assert feed.exchange_ns.tolist() == wanted.exchange_ns.tolist() and feed.gaps == wanted.gaps != ()
    assert feed.scale == wanted.scale


def test_a_csv_that_lacks_a_column_or_has_words_for_numbers_is_refused():
    data = as_csv(dbn(("A", "B", QUARTER, 5, 128, 1)), is_readable=False)
    assert refusal(databento.read_mbo, data.replace(b"order_id", b"other")) == ("unreadable_file", 0)
    assert refusal(databento.read_mbo, data.replace(b",160,", b",word,")) == ("unreadable_file", 0)
    assert refusal(databento.read_mbo, data.split(b"\n")[0] + b"\n") == ("empty_file", 0)


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("is_readable", [False, True])
def test_the_recorded_orders_are_the_same_from_csv(is_readable):
    data = (BOOKS / "databento/esh4-glbx-mdp3-20231224.mbo.dbn.zst").read_bytes()
    feed, wanted = databento.read_mbo(as_csv(data, is_readable=is_readable)), databento.read_mbo(data)
    assert feed.events.tobytes() == wanted.events.tobytes() and len(wanted.events) == 8_725
    assert (feed.exchange_ns == wanted.exchange_ns).all() and feed.scale == wanted.scale
