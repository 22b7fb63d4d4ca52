"""The event ring: numbered, bounded, clean, newest first."""

from __future__ import annotations

from engine.api.views import EventRow
from engine.ops.events import EventRing
from seams.clock import FixedClock


def test_newest_first_in_pages() -> None:
    ring = EventRing(FixedClock(), capacity=5)
    for number in range(8):
        ring.add("session", "eng", f"e{number}")
    assert [row.seq for row in ring.page()] == [8, 7, 6, 5, 4]
    assert [row.seq for row in ring.page(before_seq=7, limit=2)] == [6, 5]
    assert ring.page(before_seq=4) == ()
    assert ring.page(limit=-1) == ()
    assert (ring.seq, ring.view(1, limit=1).rows[0].text) == (8, "e7")


def test_text_is_cleaned_and_listeners_hear() -> None:
    heard: list[EventRow] = []
    ring = EventRing(FixedClock(), listener=heard.append)
    row = ring.add("venue", "sand\x1b[31mbox", "two\nlines")
    assert (row.actor, row.text) == ("sand[31mbox", "two lines")
    assert heard == [row]
