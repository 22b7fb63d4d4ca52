"""What holds for the readers of all sources."""

from __future__ import annotations

import gzip
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.depth import binance
from engine.market.depth.feed import BadFeed, units
from engine.market.depth.replay import FORMATS, read_feed, replay_book
from native.depth import BookFault, DepthKind
from seams.clock import FixedClock
from tests.market.depth.recordings import HEAD, QUARTER, dbn, depth, l2, lines, rest, row, session
from tests.market.depth.test_kraken_orders import session as kraken_orders_session


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*sorted(FORMATS), "kraken level3"]), st.binary(max_size=200), st.integers(0, 60))
def test_hostile_bytes_are_refused_and_never_crash(source, noise, place):
    samples = {
        "kraken": session(), "binance": lines(rest(1, 10, [("1", "1")], []), depth(2, 11, 12)),
        "tardis": f"{HEAD}\n{row(5, 'true', 'bid', '1', 2)}".encode(),
        "hyperliquid": l2(1, 1, [("1", "1")], []),
        "databento": dbn(("A", "B", QUARTER, 5, 128, 1)), "kraken level3": kraken_orders_session(),
    }  # fmt: skip
    good = samples[source]
    for data in (
        noise,
        good[: place * 3] + noise + good[place * 3 :],
        good[:place],
        gzip.compress(good)[:place],
    ):
        with suppress(BadFeed, BookFault):
            replay_book(read_feed(data, source.partition(" ")[0]), FixedClock())


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
