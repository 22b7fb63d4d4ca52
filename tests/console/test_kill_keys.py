"""Keys of the kill: two keys and a word from anywhere, one id, and what is shown until it is proved."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events

from console.tui.gateway import EngineGateway
from console.tui.kill import Stage
from console.tui.model import Link, Trust
from console.tui.past import PastGateway
from console.tui.widgets.guard_bar import GuardBar
from engine.api.commands import (
    AlarmAck,
    Flatten,
    Kill,
    KillArm,
    KillDone,
    TicketApprove,
)
from engine.api.home import HomePaths
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, read_latch
from seams.clock import FixedClock
from seams.disk import RealDisk
from seams.net import NetDown, NoAnswer
from tests.console import desk_fixture as desk
from tests.console.fixture_gateway import reply_with
from tests.console.hand import SIZE, picture, press, said, sent

ON_DISK = KillDone(
    kill_id="K-1", level="halt_all", latched_at_ns=desk.NOW_NS, latch_ms=0.4, cancels_sent=0,
    cancels_confirmed=0, positions_kept=0,
)  # fmt: skip


async def test_kill_is_one_id_one_word_and_is_shown_with_its_time() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", *"kill")
        assert not sent(app, Kill)
        await press(pilot, "enter")
        kills = [(body, request) for body, _, request in app.gateway.sent if isinstance(body, Kill)]  # type: ignore[attr-defined]
        assert {body.confirm for body, _ in kills} == {"KILL"}
        assert len({request for _, request in kills}) == 1
        assert kills[0][0].nonce == "n1"
        assert app.flow.stage is Stage.DONE
        assert "HALTED" in picture(app)
        assert "ms from Enter" in picture(app)
        assert "positions kept 4" in picture(app)


async def test_the_answer_is_left_by_the_key_that_it_and_the_hold_line_name() -> None:
    """The hold says `7, then u` below an answer that says `7 = GATES`: 7 must not be dead."""
    app = desk.make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter", "7")
        assert app.flow.stage is Stage.DONE, "a key in flight closes nothing"
        app.clock.advance(1.0)  # type: ignore[attr-defined]
        await press(pilot, "K", "7")
        assert app.flow.stage is Stage.DOWN
        assert app.room_name == "gates"


async def test_a_wrong_letter_a_repeat_a_paste_and_escape_do_not_kill() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "k", "k", "k", "enter", "enter")
        app.desktop.on_paste(events.Paste("KILL"))
        await press(pilot, "enter")
        assert app.flow.stage is Stage.ARMED
        await press(pilot, "ctrl+x", "ctrl+x", "escape")
        assert app.flow.stage is Stage.DOWN
        assert not sent(app, Kill)


async def test_the_guard_closes_by_itself_after_ten_seconds() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "k")
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(10)
        app._tick()
        assert app.flow.stage is Stage.DOWN
        assert "disarmed" in said(app)
        await pilot.pause()


async def test_tab_moves_to_flatten_with_its_own_word() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "tab", "tab", *"flatten", "enter")
        assert sent(app, Flatten)[0].confirm == "FLATTEN"
        assert not sent(app, Kill)


async def test_close_only_is_a_kill_that_keeps_orders_and_carries_the_word_the_engine_wants() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "tab", *"close", "enter")
        assert sent(app, Kill)[0] == Kill(level="close_only", cancel_orders=False, confirm="KILL", nonce="n1")


async def test_an_unanswered_kill_is_unconfirmed_and_repeats_under_its_id() -> None:
    gateway = desk.gateway()
    gateway.replies = {KillArm: NetDown("gone"), Kill: NoAnswer("silence")}
    app = desk.make_app(gateway)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await asyncio.sleep(0.4)
        await pilot.pause()
        assert app.flow.stage is Stage.UNCONFIRMED
        assert "interlock kill --direct --confirm KILL" in picture(app)
        await press(pilot, "r")
        await asyncio.sleep(0.4)
        requests = [request for body, _, request in gateway.sent if isinstance(body, Kill)]
        assert len(requests) == 6
        assert len(set(requests)) == 1


async def test_a_kill_shuts_the_gates_before_the_engine_is_asked_and_close_only_does_not() -> None:
    gateway = desk.gateway()
    gateway.on_disk = ON_DISK
    app = desk.make_app(gateway)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", "tab", *"close", "enter")
        assert sent(app, Kill) and not gateway.shut_after, "an engine that obeys the byte cancels"
        app.clock.advance(2.0)  # type: ignore[attr-defined]
        await press(pilot, "escape")
        before = len(gateway.sent)
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert gateway.shut_after == [before + 1], "after the arming's question, before the kill"
        assert app.flow.stage is Stage.DONE and not gateway.latched


async def test_a_gate_that_is_not_ours_to_shut_is_said_and_the_engine_is_asked_all_the_same() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill) and app.gateway.shut_after  # type: ignore[attr-defined]
        assert not app.flow.is_shut


async def test_what_a_console_latched_by_itself_says_so(tmp_path: Path) -> None:
    gateway = EngineGateway(tmp_path, FixedClock(), "mara")
    assert (await gateway.latch_on_disk("close_only")).level == "close_only"
    record = read_latch(RealDisk(), HomePaths(tmp_path).safety)
    assert (record.by, record.source) == ("mara", "console, direct")


def test_the_hand_of_a_console_reaches_the_gate_of_every_process(tmp_path: Path) -> None:
    byte = KillByte.shared(HomePaths(tmp_path).safety / BYTE_FILE)
    for gateway in (EngineGateway(tmp_path, FixedClock(), "mara"), PastGateway(tmp_path, 0, "mara")):
        byte.clear()
        gateway.shut()
        assert byte.level is KillLevel.HALT_ALL


@pytest.mark.parametrize("before", [("colon",), ("slash", "b"), ("question_mark",), ("2", "R")])
async def test_kill_arms_from_palette_input_help_and_question(before: tuple[str, ...]) -> None:
    app = desk.make_app(is_readonly=before == ("question_mark",))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *before, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


@pytest.mark.parametrize("closing", ["enter", "escape"])
async def test_keys_are_the_consoles_again_once_the_palette_has_closed(closing: str) -> None:
    """The screen gave its focus to a field of the hidden order form, which then ate every letter."""
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "colon", *"limits")
        await pilot.pause(0.5)  # the palette gathers what fits
        await press(pilot, closing)
        while len(app.screen_stack) > 1:
            await pilot.pause(0.05)
        assert app.focused is None
        await press(pilot, "3")
        assert app.room_name == "positions"


async def test_the_too_small_page_still_kills() -> None:
    app = desk.make_app()
    async with app.run_test(size=(60, 15)) as pilot:
        while "P1 UNACK" not in picture(app):  # the engine is heard a moment after the first frame
            await pilot.pause(0.05)
        assert "needs 80x24, has 60x15" in picture(app)
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


async def test_a_stale_console_refuses_commands_but_not_a_kill() -> None:
    app = desk.make_app(desk.gateway(tickets=desk.tickets(desk.REVIEWED)))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "2")
        assert isinstance(app.clock, FixedClock)
        app.clock.advance(2.5)
        assert app.desk.trust is Trust.STALE
        await press(pilot, "A", "a", is_engine_heard=False)
        assert not sent(app, TicketApprove)
        assert not sent(app, AlarmAck)
        assert "STALE" in said(app)
        await press(pilot, "ctrl+x", *"kill", "enter")
        assert sent(app, Kill)


async def test_a_kill_that_latched_while_the_venue_is_silent_says_what_is_done_and_what_is_not() -> None:
    given = desk.gateway()
    given.replies = {**given.replies, Kill: NoAnswer("no answer within 2 s")}
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await pilot.pause(0.6)
        assert app.flow.stage is Stage.UNCONFIRMED
        app.paint()
        assert "Assume NOTHING was stopped" in app.desktop.query_one(GuardBar).plain()
        latched = {"kill_level": "halt_all", "killed_by": "mara", "killed_at_ns": desk.ago(1)}
        app.desk.store(desk.status(seq=50, level="halt", orders_working=2, venues_up=1, **latched))
        app.desk.note_resync()
        app.paint()
        shown = app.desktop.query_one(GuardBar).plain()
        assert "LATCHED, CANCELS UNCONFIRMED" in shown and "BLOCKED: halt_all" in shown
        assert "2 orders still work" in shown and "1/2" in shown and "NOTHING" not in shown
        app.desk.set_link(Link.DOWN)
        app.paint()
        assert "Assume NOTHING" in app.desktop.query_one(GuardBar).plain(), "an old picture proves nothing"


async def test_cancels_that_nobody_confirmed_are_said_aloud() -> None:
    given = desk.gateway()
    done = KillDone(
        kill_id="K-1", level="halt_all", latched_at_ns=desk.NOW_NS, latch_ms=0.4, cancels_sent=3,
        cancels_confirmed=1, positions_kept=0,
    )  # fmt: skip
    given.replies = {**given.replies, Kill: reply_with(done)}
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        await pilot.pause()
        assert "CANCEL UNCONFIRMED, 3 still work" in app.desktop.query_one(GuardBar).plain()


async def test_a_kill_that_no_engine_answers_is_latched_on_disk_and_says_that_nothing_was_cancelled() -> None:
    """The banner of a lost engine promises that ^X works; the bus is not the only way."""
    given = desk.gateway()
    given.replies = {KillArm: NetDown("gone"), Kill: NetDown("gone")}
    given.on_disk = ON_DISK
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", *"kill", "enter")
        while app.flow.on_disk is None:
            await pilot.pause(0.05)
        await pilot.pause()
        shown = app.desktop.query_one(GuardBar).plain()
        assert given.latched == ["halt_all"]
        assert "LATCHED ON DISK, CANCELS UNCONFIRMED" in shown and "NOTHING" not in shown
        assert "may still work at the venue" in shown and "Esc = close" in shown and "~" not in shown


async def test_a_flatten_that_nobody_answers_names_the_command_that_needs_no_engine() -> None:
    given = desk.gateway()
    given.replies = {**given.replies, Flatten: NetDown("gone")}
    app = desk.make_app(given)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+x", "tab", "tab", *"flatten", "enter")
        await pilot.pause(0.5)
        app.paint()
        shown = app.desktop.query_one(GuardBar).plain()
        assert "interlock flatten --direct --confirm FLATTEN" in shown and "~" not in shown
        assert not given.latched


async def test_the_banners_of_a_lost_engine_fit_the_smallest_terminal() -> None:
    app = desk.make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "1")
        app.clock.advance(99)  # type: ignore[attr-defined]
        app.paint()
        assert "^X KILL works" in picture(app)
        app.desk.set_link(Link.DOWN)
        app.clock.advance(5999)  # type: ignore[attr-defined]
        app.paint()
        await pilot.pause()
        assert "DISCONNECTED" in picture(app) and "^X KILL works" in picture(app)
