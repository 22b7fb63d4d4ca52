"""How an engine stands with its venue: keys that end, keys that withdraw, budgets, the dead man's switch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.cli import link
from console.cli.app import run
from engine.api.venues import VenueView, key_said
from engine.api.views import PartHealth
from engine.daemon import Seams, build_core
from engine.dead_man import ARMED, OFF, REFUSED, UNARMED
from engine.keeping import venue_desk
from engine.sim.world import ENVIRON
from engine.trading.custody import Custody, Verdict
from engine.venue_desk import VenueDesk
from safety.killbyte import KillByte, KillLevel
from seams.disk import MemoryDisk
from seams.rng import Rng
from seams.virtual import VirtualLoop, run_virtual
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues import test_kraken_adapter as kr
from venues.contract import Busy, OutcomeUnknown, Retryable
from venues.sandbox.kraken import keys as kraken_keys
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.programs import Fault, Strike
from venues.standing import BudgetStanding

Rig = hl.Rig | kr.Rig
DAY_MS = 86_400_000


class Room:
    """An engine's core and custody beside a venue, with the desk that watches it."""

    def __init__(self, folder: Path, rig: Rig, **environ: str) -> None:
        (folder / "db").mkdir(mode=0o700)
        self.rig = rig
        seams = Seams(rig.clock, None, Rng(1), MemoryDisk(), pid=1, commit="0" * 40)
        self.core = build_core(seams, folder, {**ENVIRON, **environ}, KillByte.anonymous())
        self.custody = Custody(self.core, rig.adapter, "a")
        self.custody.load()
        desk = venue_desk(self.core, self.custody)
        assert desk is not None
        self.desk: VenueDesk = desk

    async def turn(self, seconds: int = 1) -> None:
        """Let so many seconds of the main loop and of custody go by."""
        for _ in range(seconds):
            await self.custody.tend()
            self.desk.tend()
            await self.rig.clock.sleep(1)

    async def view(self) -> VenueView:
        return await self.desk.view(is_fresh=False)

    def alarms(self) -> set[str]:
        self.core.alarms.tick(self.core.clock.now_ns())
        return {
            row.code
            for row in self.core.alarms.rows(self.core.clock.now_ns())
            if row.state in ("UNACK", "ACKED")
        }

    @property
    def switch(self) -> str:
        return self.desk.dead_man.row().state


def in_room(
    folder: Path, make: Callable[[VirtualLoop], Rig], scene: Callable[[Room], Awaitable[None]], **environ: str
) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await make(loop).up()
        room = Room(folder, rig, **environ)
        for _ in range(5):
            if await room.custody.reconcile() is Verdict.CLEAN:
                break
            await rig.clock.sleep(3)
        await scene(room)
        await room.desk.close()
        await rig.adapter.close()

    run_virtual(play(), loop)


ON = {"INTERLOCK_EXECUTION__ARMS_DEAD_MAN": "true"}


def test_a_switch_that_policy_does_not_want_is_never_asked_for(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(30)
        assert room.switch == OFF
        assert isinstance(room.rig, hl.Rig) and room.rig.bodies == []

    in_room(tmp_path, hl.Rig, scene)


def test_a_switch_that_the_venue_refuses_is_never_shown_as_armed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        seen = set()
        for _ in range(60):
            await room.turn()
            seen.add(room.switch)
        assert ARMED not in seen and room.switch == REFUSED
        (part,) = [each for each in room.desk.parts() if each.part == "dead man"]
        assert part.state == "off" and part.detail.startswith("REFUSED") and "1000000" in part.detail
        assert isinstance(room.rig, hl.Rig) and len(room.rig.bodies) == 1, "asked once, and believed"

    in_room(tmp_path, hl.Rig, scene, **ON)


def test_a_switch_is_renewed_while_the_desk_is_well_and_lapses_when_it_is_not(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.turn(40)
        assert room.switch == ARMED and 40 <= room.desk.dead_man.row().left_s <= 60
        room.core.kill.trip(KillLevel.HALT_ALL, by="t", reason="t", source="t")
        await room.turn(45)
        assert room.switch == ARMED, "it still runs at the venue"
        await room.turn(20)
        assert room.switch == UNARMED, "and after its term nobody calls it armed"

    in_room(tmp_path, lambda loop: kr.Rig(loop), scene, **ON)


def test_a_renewal_without_an_answer_makes_nothing_armed(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        assert isinstance(room.rig, kr.Rig)
        program = room.rig.desk.exchange.program
        program.add(Fault(nth=1, on="CancelAllOrdersAfter", strike=Strike.APPLY_THEN_DROP))
        await room.turn(8)
        assert room.switch == UNARMED
        await room.turn(15)
        assert room.switch == ARMED, "the next renewal was answered"

    in_room(tmp_path, lambda loop: kr.Rig(loop), scene, **ON)


def test_a_key_that_ends_within_two_weeks_rings_and_is_shown(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        assert isinstance(room.rig, hl.Rig)
        exchange = room.rig.exchange
        for number, agent in enumerate((hl.AGENT, hl.ASKER)):
            exchange.add_agent(
                hl.MASTER.address,
                agent.address,
                f"a{number}",
                exchange.now_ms() + (10 + 80 * number) * DAY_MS,
            )
        await room.turn(2)
        assert "key_ending" in room.alarms()
        view = await room.desk.view(is_fresh=True)
        assert {key.name: key.state for key in view.keys} == {"orders": "ending", "cancels": "ok"}
        assert view.keys[0].days_left == pytest.approx(10, abs=0.1) and view.keys[0].can_withdraw is False
        part = next(each for each in room.desk.parts() if each.part == "venue keys")
        assert part.state == "slow" and "orders ending 10 d" in part.detail
        exchange.add_agent(hl.MASTER.address, hl.AGENT.address, "a0", exchange.now_ms() + 90 * DAY_MS)
        await room.desk.view(is_fresh=True)
        assert "key_ending" not in room.alarms()

    in_room(tmp_path, hl.Rig, scene)


def test_an_agent_without_a_name_is_in_order_and_its_end_is_not_told(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        view = await room.desk.view(is_fresh=True)
        orders, cancels = view.keys
        assert (orders.state, orders.days_left, cancels.state) == ("unknown", None, "ok")
        assert key_said(orders) == "orders ok, end not told" and key_said(cancels) == "cancels ok 180 d"
        (warning,) = view.warnings
        assert warning.endswith(
            "when the key for orders ends: an agent without a name; approve one with a name"
        )
        part = next(each for each in room.desk.parts() if each.part == "venue keys")
        assert part.state == "ok" and part.detail == "orders ok, end not told, cancels ok 180 d"
        assert isinstance(room.rig, hl.Rig)
        room.rig.exchange.add_agent(hl.MASTER.address, hl.AGENT.address, "engine")
        view = await room.desk.view(is_fresh=True)
        assert not view.warnings and key_said(view.keys[0]) == "orders ok 180 d"

    in_room(tmp_path, hl.Rig, scene)


@pytest.mark.parametrize("command", ["check", "keys"])
def test_an_agent_without_a_name_is_a_warning_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """`venue keys` exited 1 for it, as for one that must go; a stranger in its place still does."""

    async def scene(room: Room) -> None:
        assert isinstance(room.rig, hl.Rig)
        exchange = room.rig.exchange
        for is_fine, said in ((True, "an agent without a name"), (False, "not an agent of")):
            await room.turn(3)
            view = await room.desk.view(is_fresh=True)
            monkeypatch.setattr(link, "ask", lambda *_, view=view, **__: view)
            assert run(("venue", command)) == (0 if is_fine else 1)
            assert said in capsys.readouterr().out
            part = next(each for each in room.desk.parts() if each.part == "venue keys")
            assert part.state == ("ok" if is_fine else "failed"), part
            assert run(("venue", command, "--json")) == (0 if is_fine else 1)
            assert said in capsys.readouterr().out
            exchange.add_agent(hl.MASTER.address, hl.OTHER.address)  # the next without a name replaces it

    in_room(tmp_path, hl.Rig, scene)


def test_a_kraken_key_that_can_withdraw_rings_at_once(tmp_path: Path) -> None:
    def rig(loop: VirtualLoop) -> kr.Rig:
        made = kr.Rig(loop)
        unsafe = ApiKey("K", kr.SECRET, "trader", kraken_keys.READS | {kraken_keys.TRADE, "withdraw-funds"})
        made.desk.exchange.gate.keys["K"] = unsafe
        return made

    async def scene(room: Room) -> None:
        await room.turn(2)
        assert "key_unsafe" in room.alarms()
        view = await room.desk.view(is_fresh=True)
        assert view.problems == ("the key for orders can withdraw",)
        assert {key.name: key.state for key in view.keys} == {"orders": "unsafe", "questions": "ok"}
        assert next(each for each in room.desk.parts() if each.part == "venue keys").state == "failed"

    in_room(tmp_path, rig, scene)


def test_a_kraken_key_that_may_only_cancel_rings_before_an_order_meets_it(tmp_path: Path) -> None:
    def rig(loop: VirtualLoop) -> kr.Rig:
        made = kr.Rig(loop)
        made.desk.exchange.gate.keys["K"] = ApiKey(
            "K", kr.SECRET, "trader", kraken_keys.READS | {"close-trades"}
        )
        return made

    async def scene(room: Room) -> None:
        await room.turn(2)
        assert "key_places_nothing" in room.alarms()
        view = await room.desk.view(is_fresh=True)
        (problem,) = view.problems
        assert "no modify-trades" in problem and "watchdog" in problem
        assert {key.name: key.state for key in view.keys} == {"orders": "no orders", "questions": "ok"}
        assert next(each for each in room.desk.parts() if each.part == "venue keys").state == "failed"
        assert isinstance(room.rig, kr.Rig)
        may = kraken_keys.READS | {kraken_keys.TRADE}
        room.rig.desk.exchange.gate.keys["K"] = ApiKey("K", kr.SECRET, "trader", may, highest=2**40)
        await room.desk.view(is_fresh=True)
        assert "key_places_nothing" not in room.alarms()

    in_room(tmp_path, rig, scene)


def test_budgets_show_what_is_left_and_what_is_kept_for_cancels(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        view = await room.desk.view(is_fresh=True)
        assert {each.name for each in view.budgets} == {"address", "minute"}
        assert all(0 < each.left <= 1 and each.state == "ok" for each in view.budgets)
        assert room.desk.facts() == {}, "a loopback's budget is not about money"

    in_room(tmp_path, hl.Rig, scene)
    tight = BudgetStanding(name="b", unit="u", used=85, cap=100, reserve=20)
    assert tight.is_for_cancels and tight.left == pytest.approx(0.15)
    assert BudgetStanding(name="b", unit="u", used=0, cap=0, reserve=0).left == 0.0


def test_a_venue_that_does_not_answer_is_a_problem_and_no_empty_account(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.desk.view(is_fresh=True)
        room.rig.wire.is_up = False
        view = await room.desk.view(is_fresh=True)
        assert view.snapshot is None and view.problems[0] == "the wire is cut"
        with pytest.raises(Retryable):
            await room.desk.ask()

    in_room(tmp_path, hl.Rig, scene)


def test_what_is_known_of_keys_reaches_the_rules_where_money_moves(tmp_path: Path) -> None:
    async def scene(room: Room) -> None:
        await room.desk.view(is_fresh=True)
        standing = room.desk.standing
        assert standing is not None
        room.core.environment = room.core.environment.TESTNET
        known: dict[str, Any] = room.desk.facts()
        assert known["signer_is_master"] is False
        assert "signer_left_ms" not in known, "an agent without a name: its end is not told"
        assert Decimal(0) < known["budget_left"] <= 1
        assert room.custody.venue_facts().signer_is_master is False
        room.desk.standing = msgspec.structs.replace(standing, at_ns=1)  # type: ignore[type-var]
        assert room.desk.facts() == {}, "what is old is not known"

    in_room(tmp_path, hl.Rig, scene)


@pytest.mark.parametrize("make", [hl.Rig, kr.Rig], ids=["hyperliquid", "kraken"])
def test_a_stream_that_does_not_come_back_rings_though_questions_are_answered(
    make: Any, tmp_path: Path
) -> None:
    """Eight minutes without a stream read `up`, `clean`, no alarm and no problem on every screen."""

    async def scene(room: Room) -> None:
        await room.turn(30)
        assert "venue_stream_down" not in room.alarms()
        assert _part(room).state == "ok" and "no stream" not in str((await room.view()).problems)
        room.rig.adapter.is_up = False  # what breaks a stream is proved where streams are
        await room.turn(30)
        assert "venue_stream_down" in room.alarms() and "venue_silent" not in room.alarms()
        assert _part(room).state == "slow"
        assert "no stream" in str((await room.view()).problems)
        room.rig.adapter.is_up = True
        await room.turn(30)
        assert "venue_stream_down" not in room.alarms() and _part(room).state == "ok"

    in_room(tmp_path, make, scene)


def _part(room: Room) -> PartHealth:
    (found,) = (each for each in room.desk.parts() if each.part == "venue stream")
    return found


@pytest.mark.parametrize("make", [hl.Rig, kr.Rig], ids=["hyperliquid", "kraken"])
def test_what_was_not_answered_is_told_in_words(make: Any, tmp_path: Path) -> None:
    """`venue check` said `Busy: ...` and `OutcomeUnknown: ...`: names of ours that tell nobody anything."""

    async def scene(room: Room) -> None:
        await room.turn(3)
        room.rig.wire.is_up = False
        (said, *_) = (await room.desk.view(is_fresh=True)).problems
        ours = {each.__name__ for each in (Busy, OutcomeUnknown, Retryable)}
        assert said and said.split(":")[0] not in ours

    in_room(tmp_path, make, scene)


@pytest.mark.parametrize("make", [hl.Rig, kr.Rig], ids=["hyperliquid", "kraken"])
def test_a_venue_that_says_nothing_rings_until_it_answers(make: Any, tmp_path: Path) -> None:
    """A stalled venue with orders of ours showed as `VEN 0/1`, and nothing else said a word of it."""

    async def scene(room: Room) -> None:
        await room.turn(3)
        assert "venue_silent" not in room.alarms()
        room.rig.wire.is_up = False
        await room.turn(60)
        assert "venue_silent" in room.alarms()
        room.rig.wire.is_up = True
        await room.turn(60)
        assert "venue_silent" not in room.alarms()

    in_room(tmp_path, make, scene)
