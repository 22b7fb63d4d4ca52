"""What reaches the terminal of a changed line: all that differs, little else, in short colours."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich._palettes import EIGHT_BIT_PALETTE
from rich.color import Color, ColorType

from console.tui.text import fit_figure
from console.tui.theme import STYLES
from console.tui.widgets.lines import NEAR_CELLS, Line, changed_cells, cut, settle

WIDTH = 40
SPANS = st.lists(
    st.tuples(st.text("ab  1.\u2500", max_size=12), st.sampled_from(sorted(STYLES))), min_size=1, max_size=8
)


def seen(line: Line) -> list[tuple[object, ...]]:
    """What a person sees of each cell: of a blank its ground, its underline and its reversal."""
    return [
        (char, STYLES[style])
        if char != " "
        else (char, STYLES[style].bgcolor, STYLES[style].underline, STYLES[style].reverse)
        for text, style in line
        for char in text
    ]


@given(SPANS)
def test_a_settled_line_looks_as_it_was_given_and_no_two_neighbours_could_be_one(
    spans: list[tuple[str, str]],
) -> None:
    line = settle(tuple(spans), 200)
    given_cells = seen(tuple(spans))
    assert seen(line)[: len(given_cells)] == given_cells
    assert all(before[1] != after[1] for before, after in pairwise(line))


@given(SPANS, SPANS)
def test_painting_the_changed_stretches_over_the_old_line_shows_the_new_one(
    old: list[tuple[str, str]], new: list[tuple[str, str]]
) -> None:
    before, after = settle(tuple(old), WIDTH), settle(tuple(new), WIDTH)
    stretches = changed_cells(before, after)
    cells, wanted = seen(before), seen(after)
    for start, size in stretches:
        assert cells[start] != wanted[start] and cells[start + size - 1] != wanted[start + size - 1]
        cells[start : start + size] = wanted[start : start + size]
    assert cells == wanted
    pieces = cut(after, stretches)
    assert seen(pieces) == wanted
    ends = {sum(len(text) for text, _ in pieces[:i]) for i in range(len(pieces) + 1)}
    assert all({start, start + size} <= ends for start, size in stretches)


def test_changes_near_each_other_are_painted_as_one() -> None:
    before = settle((("." * WIDTH, "text"),), WIDTH)
    for gap, count in ((NEAR_CELLS - 1, 1), (NEAR_CELLS, 2)):
        after = settle((("x" + "." * gap + "x", "text"), ("." * (WIDTH - gap - 2), "text")), WIDTH)
        assert len(changed_cells(before, after)) == count


@pytest.mark.parametrize(("old", "new"), [("\u6771\u4eac 1", "\u6771\u4eac 2"), ("abcdef", "\u6771\u4eac 2")])
def test_a_line_with_wide_characters_is_painted_whole(old: str, new: str) -> None:
    before, after = settle(((old, "text"),), WIDTH), settle(((new, "text"),), WIDTH)
    assert changed_cells(before, after) == [(0, WIDTH)]
    assert cut(after, [(3, 4)]) == after


@pytest.mark.parametrize("name", sorted(STYLES))
def test_a_colour_of_the_fixed_palette_is_sent_by_its_number_and_stays_the_same(name: str) -> None:
    for color in (STYLES[name].color, STYLES[name].bgcolor):
        assert color is not None and color.triplet == Color.parse(color.name).triplet
        in_palette = [i for i in range(16, 256) if EIGHT_BIT_PALETTE[i] == color.triplet]
        if in_palette:
            assert (color.type, color.number) == (ColorType.EIGHT_BIT, in_palette[0])


@pytest.mark.parametrize(
    ("shown", "width", "wanted"),
    [
        ("64207.9", 6, " 64208"),
        ("64207.9", 7, "64207.9"),
        ("+119.9 bp", 6, "+120bp"),
        ("-31.7 bp", 6, " -32bp"),
        ("64.806", 6, "64.806"),
        ("0.2336", 5, "0.234"),
        ("100000000", 6, "10000~"),
        ("0.0000004", 6, "0.000~"),
        ("1,234.56", 6, "1234.6"),
        ("paper-2026112200", 8, "paper-2~"),
        ("", 6, "      "),
    ],
)
def test_a_figure_is_rounded_and_not_cut_where_its_column_is_narrow(
    shown: str, width: int, wanted: str
) -> None:
    """`64207~` on a ticket is not a price: at 80 columns NOW and AFTER looked alike."""
    assert fit_figure(shown, width) == wanted
