"""A venue that says it is not open: entries held, the dead man's switch disarmed, and people told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.dead_man import ARMED, OFF, UNARMED
from engine.venue_state import ASK_NS, CLOSED
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S
from tests.engine.test_venue_desk import ON, Room, in_room
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues import test_kraken_adapter as kr
from venues.contract import Trading
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.sandbox.programs import Fault, Strike
from venues.sandbox.pushes import PushFault, PushStrike


def at_kraken(folder: Path, scene: Callable[[Room], Awaitable[None]], **environ: str) -> None:
    in_room(folder, lambda loop: kr.Rig(loop), scene, **environ)


def exchange(room: Room) -> KrakenExchange:
    assert isinstance(room.rig, kr.Rig)
    return room.rig.desk.exchange


def is_held(room: Room) -> bool:
    return room.core.interlock.has(CLOSED, "kraken")


def acknowledge(room: Room) -> None:
    now_ns = room.core.clock.now_ns()
    (row,) = [each for each in room.core.alarms.rows(now_ns) if each.code == CLOSED]
    room.core.alarms.ack(row.alarm_id, "ana", now_ns)


def test_cancel_only_holds_entries_and_ends_with_a_clean_look(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(3)
        assert not is_held(room) and CLOSED not in room.alarms()
        exchange(room).trading.set_system("cancel_only")
        await room.turn(2)
        assert is_held(room) and CLOSED in room.alarms()
        assert room.core.interlock.level is HoldLevel.CLOSE_ONLY
        shown = await room.desk.view(is_fresh=False)
        assert "the venue is cancel_only" in shown.problems
        passes = room.custody.passes
        exchange(room).trading.set_system("online")
        await room.turn(5)
        assert not is_held(room) and CLOSED not in room.alarms()
        assert room.custody.passes > passes, "compared anew before anything new was risked"

    at_kraken(tmp_path, scene)


def test_after_a_maintenance_a_person_acknowledges_before_risk_goes_on(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(3)
        for word in ("maintenance", "cancel_only", "post_only"):
            exchange(room).trading.set_system(word)
            await room.turn(5)
            assert is_held(room), word
        exchange(room).trading.set_system("online")
        await room.turn(20)
        assert is_held(room) and room.custody.verdict == "clean"
        acknowledge(room)
        await room.turn(2)
        assert not is_held(room)

    at_kraken(tmp_path, scene)


def test_a_venue_that_takes_only_resting_orders_rings_and_holds_nothing(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        exchange(room).trading.set_system("post_only")
        await room.turn(2)
        assert CLOSED in room.alarms() and not is_held(room)

    at_kraken(tmp_path, scene)


def test_a_word_that_was_lost_is_asked_for(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(2)
        exchange(room).trading.set_system("cancel_only")
        await room.turn(2)
        for nth in (1, 2):
            exchange(room).sockets.pushes.add(PushFault(nth=nth, on="status", strike=PushStrike.DROP))
        exchange(room).trading.set_system("online")
        await room.turn(2)
        assert is_held(room)
        await room.turn(ASK_NS // NS_PER_S + 5)
        assert not is_held(room)

    at_kraken(tmp_path, scene)


def test_an_unlisted_word_opens_nothing(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        exchange(room).trading.system = "half_open"
        exchange(room).sockets.on_status()
        await room.turn(2)
        assert room.desk.state.trading is Trading.CANCEL_ONLY and is_held(room)

    at_kraken(tmp_path, scene)


def test_a_fault_program_puts_the_venue_into_a_state(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        exchange(room).script(Fault(nth=1, on="OpenOrders", strike=Strike.STATE, text="cancel_only"))
        room.custody.is_dirty = True
        await room.turn(3)
        assert is_held(room)

    at_kraken(tmp_path, scene)


def test_the_dead_mans_switch_does_not_run_through_a_maintenance(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        account = exchange(room).trading.accounts["trader"]
        await room.turn(20)
        assert room.switch == ARMED and account.cancel_all_ns
        exchange(room).trading.set_system("cancel_only")
        await room.turn(2)
        assert room.switch == UNARMED and not account.cancel_all_ns, "disarmed while it could be"
        exchange(room).trading.set_system("maintenance")
        await room.turn(30)
        assert room.switch == UNARMED
        exchange(room).trading.set_system("online")
        await room.turn(20)
        assert room.switch == ARMED, "armed again once the venue is open and both sides agree"

    at_kraken(tmp_path, scene, **ON)


def test_a_switch_that_a_sudden_maintenance_caught_is_disarmed_before_it_fires(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        account = exchange(room).trading.accounts["trader"]
        await room.turn(20)
        exchange(room).trading.set_system("maintenance")
        await room.turn(2)
        assert room.switch == ARMED, "the venue has not confirmed anything"
        assert "to be disarmed" in room.desk.dead_man.row().said
        await room.turn(20)
        exchange(room).trading.set_system("cancel_only")
        await room.turn(7)
        assert not account.cancel_all_ns and room.switch == UNARMED

    at_kraken(tmp_path, scene, **ON)


def test_a_switch_that_policy_no_longer_wants_is_disarmed_and_under_a_kill_it_may_fire(
    tmp_path: Path,
) -> None:
    async def scene(room: Room) -> None:
        account = exchange(room).trading.accounts["trader"]
        await room.turn(20)
        settings = room.core.settings
        wanted = settings.execution.model_copy(update={"arms_dead_man": False})
        room.core.settings = settings.model_copy(update={"execution": wanted})
        await room.turn(2)
        assert room.switch == OFF and not account.cancel_all_ns
        room.core.settings = settings
        await room.turn(20)
        assert room.switch == ARMED
        room.core.kill.trip(KillLevel.HALT_ALL, by="t", reason="t", source="t")
        exchange(room).trading.set_system("cancel_only")
        await room.turn(3)
        assert account.cancel_all_ns, "what is killed is to be cancelled"

    at_kraken(tmp_path, scene, **ON)


def test_a_venue_that_says_nothing_of_itself_counts_as_open(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(3)
        assert room.desk.state.trading is Trading.OPEN and room.core.interlock.level is HoldLevel.CLEAR

    in_room(tmp_path, hl.Rig, scene)
