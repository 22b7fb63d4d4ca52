"""Recorded messages of the real venues are read by the feed's streams as what they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from venues.hyperliquid.public import book_of, candle, top_of, trade_of

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).resolve().parents[3] / "shared"))
RECORDINGS = SHARED / "recordings" / "hyperliquid"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="INTERLOCK_SHARED names no recordings"),
]


def pushed(name: str) -> list[dict[str, Any]]:
    """Return the pushed messages of one subscription file (lines that begin with `=`)."""
    found = []
    for path in RECORDINGS.glob(f"jkorf/Subscriptions/*/{name}.txt"):
        for block in path.read_text().split("\n="):
            text = block.strip().lstrip("=").strip()
            try:
                said = json.loads(text)
            except json.JSONDecodeError:
                continue
            if isinstance(said, dict) and "data" in said and said.get("channel") != "subscriptionResponse":
                found.append(said)
    return found


def test_recorded_books_are_in_order_and_read_level_for_level() -> None:
    snapshot = json.loads((RECORDINGS / "nautilus" / "http_l2_book_btc.json").read_text())
    found = book_of(snapshot)
    assert len(found.bids) == len(snapshot["levels"][0]) and len(found.asks) == len(snapshot["levels"][1])
    assert found.bids[0][0] < found.asks[0][0]
    for said in pushed("OrderBook"):
        book = book_of(said["data"])
        assert [level[0] for level in book.bids] == [float(each["px"]) for each in said["data"]["levels"][0]]


def test_a_recorded_book_with_its_sides_changed_about_is_refused() -> None:
    snapshot = json.loads((RECORDINGS / "nautilus" / "http_l2_book_btc.json").read_text())
    for levels in (snapshot["levels"][::-1], [snapshot["levels"][0][::-1], snapshot["levels"][1]]):
        with pytest.raises(ValueError):
            book_of({**snapshot, "levels": levels})


def test_recorded_candles_and_trades_and_best_prices_are_read() -> None:
    cassette = json.loads((RECORDINGS / "sdk_cassettes" / "test_get_candles_snapshot.json").read_text())
    bodies = [each["response"]["body"] for each in cassette]
    said = [json.loads(body) if isinstance(body, str) else body for body in bodies]
    rows = [each for body in said if isinstance(body, list) for each in body if "t" in each]
    assert rows
    for each in rows:
        read = candle(each)
        assert read.bar.low <= min(read.bar.open, read.bar.close) <= read.bar.high
        assert read.bar.open_ns == each["t"] * 1_000_000 and read.interval == each["i"]
    trades = json.loads((RECORDINGS / "nautilus" / "http_recent_trades_btc.json").read_text())
    assert len({trade_of(each).trade_id for each in trades}) == len(trades)
    for push in pushed("Trades"):
        assert all(trade_of(each).size > 0 for each in push["data"])
    for push in pushed("BookTicker"):
        assert top_of(push["data"]) is not None
