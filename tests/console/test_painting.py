"""What is painted: hostile text inert, cuts marked, nothing in vain, the cursor on its key."""

from __future__ import annotations

import gc
import time

import pytest

from console.tui.text import clean
from console.tui.theme import Look
from console.tui.widgets.hold_line import HOW, HoldLines
from console.tui.widgets.lines import Lines, settle
from console.tui.widgets.live_table import Column, LiveTable
from engine.api.commands import (
    REJECT_REASONS,
)
from safety.interlock import HOLDS
from tests.console import desk_fixture as desk
from tests.console.hand import SIZE, picture, press, said

HOSTILE = "[bold]x[/] [@click=app.quit]go[/] \x1b[31mred\x1b]0;title\x07 \u202eabc\u200b\x9b1m"


async def test_hostile_text_is_shown_inert() -> None:
    rows = (desk.order(0, reason=HOSTILE, symbol=HOSTILE),)
    app = desk.make_app(desk.gateway(orders=desk.v.OrdersView(seq=41, at_ns=1, rows=rows)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4")
        shown = picture(app)
        assert "[bold]x[/] [@click=app.quit]go[/] red abc" in shown
        assert all(char == "\n" or char.isprintable() for char in shown)
        assert clean(HOSTILE).isprintable()


async def test_all_six_reasons_are_readable_on_a_narrow_terminal() -> None:
    app = desk.make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "R")
        await pilot.pause()
        shown = " ".join(picture(app).split())
        for reason in REJECT_REASONS.values():
            assert reason in shown


async def test_what_was_said_goes_with_the_screen_it_was_said_on() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2", "A")
        assert said(app)
        await press(pilot, "5")
        assert said(app) == ""


def test_a_cut_is_marked_and_blanks_are_not_a_cut() -> None:
    assert settle((("abcdef", "text"),), 4) == (("abc~", "text"),)
    assert settle((("abc      ", "text"),), 4) == (("abc ", "text"),)


async def test_idle_paints_nothing() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "1")
        app.paint()
        await pilot.pause()
        assert sum(pane.update() for pane in app.desktop.query(Lines)) == 0


async def test_a_hundred_thousand_rows_are_shown_at_once() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4")
        table = app.desktop.query_one("#room-orders #list", LiveTable)
        took_s = []
        for turn in range(5):  # a loaded host takes the time of one of them, not of each
            rows = [desk.order(turn)] * 100_000
            table.move(-100_000)
            before = time.perf_counter()
            table.set_rows(rows)
            table.move(99_999)
            took_s.append(time.perf_counter() - before)
        assert "99,9" in table.plain()
        assert min(took_s) < 0.2


def test_the_cursor_stays_on_its_key_when_rows_move() -> None:
    table: LiveTable[str] = LiveTable("T", [Column("A", 0, str)], str, look=Look())
    table.set_rows(["a", "b", "c"])
    table.move(1)
    table.set_rows(["z", "y", "a", "b"])
    assert table.selected == "b"


async def test_a_collector_held_off_for_the_start_works_again_after_the_first_frame() -> None:
    gc.disable()
    try:
        async with desk.make_app().run_test(size=SIZE) as pilot:
            await pilot.pause()
            assert gc.isenabled() and gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()


async def test_the_theme_is_on_before_the_style_sheets_are_read_and_they_are_read_once() -> None:
    app = desk.make_app()
    read: list[int] = []
    reparse = app.stylesheet.reparse
    app.stylesheet.reparse = lambda: (read.append(1), reparse())[1]  # type: ignore[method-assign]
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.theme == "interlock-grey" and app.has_class("-theme-interlock-grey", "-dark-mode")
    assert read == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_hold_is_in_sight_with_its_reason_and_where_it_is_cleared(size: tuple[int, int]) -> None:
    held = desk.status(level="halt", holds=desk.MORE_HOLDS[:2])
    app = desk.make_app(desk.gateway(status=held))
    async with app.run_test(size=size) as pilot:
        for key in ("1", "2", "4", "9", "d"):
            await press(pilot, key)
            shown = app.desktop.query_one(HoldLines).plain()
            for hold in desk.MORE_HOLDS[:2]:
                assert hold.code in shown and hold.evidence[:12] in shown
            assert "7, then u" in shown and ("-> d" in shown or "booked adjustment" in shown)
        app.desk.store(desk.status(seq=43))
        await press(pilot, "1")
        assert not app.desktop.query_one(HoldLines).display, "no hold, no line"


def test_every_kind_of_hold_says_where_it_is_cleared() -> None:
    for code, spec in HOLDS.items():
        assert HOW.get(code) or spec.cleared_by, code
    assert set(HOW) <= set(HOLDS)
