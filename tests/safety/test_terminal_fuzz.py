"""No text from outside reaches a terminal as a control, direction or escape character."""

from __future__ import annotations

import random
import unicodedata

from tests.safety.terminal_fuzz import FORBIDDEN, PIECES, hostile, leaks, surfaces


def test_two_thousand_hostile_texts_arrive_inert_on_every_surface() -> None:
    for seed in range(2000):
        text = hostile(random.Random(seed))
        assert not leaks(text), f"seed {seed}: {text!r}"


def test_the_fuzz_draws_what_it_must_draw_and_looks_where_it_must_look() -> None:
    drawn = "".join(hostile(random.Random(seed)) for seed in range(300))
    assert all(piece in drawn for piece in ("\x1b]52", "\u202e", "\x9b", "\ud800", "[bold red]"))
    assert sum(unicodedata.category(char) in FORBIDDEN for char in drawn) > 300
    assert all(any(unicodedata.category(c) in FORBIDDEN for c in piece) for piece in PIECES[:25])
    assert len({name for name, _ in surfaces("x")}) >= 9
