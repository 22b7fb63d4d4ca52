"""Arming over loopback exchanges that stand in for the real ones: nothing leaves before, and what does after.

No test opens a socket: the transport is injected, and says which addresses an engine would have called.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.api.arming import ArmConfirm, Disarm
from engine.arming_note import is_tended
from engine.keeping import transport_without_engine
from engine.trading.custody import Verdict
from engine.venue import open_hyperliquid
from safety.interlock import Action, permits
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.disk import MemoryDisk, RealDisk
from seams.wire import Unsent
from tests.engine.arming_place import ANN, BOB, TESTNET, Place, in_place, order
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues.test_kraken_adapter import KEY as KRAKEN_KEY
from venues.contract import Retryable
from venues.dry import DryVenue
from venues.types import Environment


def codes(refused: pytest.ExceptionInfo[Refusal]) -> set[str]:
    return {part.split(" ")[0] for part in refused.value.detail.split("; ")}


def test_an_engine_that_is_not_armed_calls_nobody_whatever_it_is_asked(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        venue = place.parts.venue
        assert venue is not None
        assert not place.desk.may_start(), "its streams do not begin"
        venue.start()  # and where somebody began them, they would stay closed
        for _ in range(60):
            await place.turn()
        with pytest.raises(Retryable):
            await venue.account()
        with pytest.raises(Retryable):
            await venue.cancel_all()
        assert await place.custody.reconcile() is Verdict.HYDRATING
        assert place.wires.called == [] and place.wires.opened == []
        assert place.engine.core.interlock.has("arming") and place.desk.view().state == "disarmed"
        assert not permits(Action.ADD_RISK, place.engine.core.interlock.level)
        assert place.custody.is_in_touch(), "it does what it should: no watchdog need kill it"

    in_place(tmp_path, scene)


def test_no_adapter_of_a_real_venue_is_made_without_the_transport_of_arming(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        with pytest.raises(Refusal, match="not_armed"):
            open_hyperliquid("", hl.KEY, place.clock, Environment.TESTNET)
        with pytest.raises(Refusal, match="invalid_config"):
            open_hyperliquid("https://api.example.com", hl.KEY, place.clock, Environment.TESTNET, place.wires)
        with pytest.raises(Refusal, match="invalid_config"):
            open_hyperliquid(TESTNET, hl.KEY, place.clock)  # sandbox is this machine

    in_place(tmp_path, scene)


def test_the_first_step_names_everything_that_stands_against_it_at_once(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        place.origins = {}
        place.engine.core.kill.trip(KillLevel.CLOSE_ONLY, by="t", reason="t", source="t")
        with pytest.raises(Refusal) as refused:
            await place.ask()
        assert refused.value.code == "arming_refused"
        assert codes(refused) == {
            "kill_switch_active",
            "allow_list_empty",
            "venue_not_allowed",
            "second_person_missing",
            "limits_not_set",
            "drill_not_passed",
            "micro_caps_too_large",
        }
        shown = {each.code for each in place.desk.view().failing}
        assert codes(refused) <= shown and all(each.correction for each in place.desk.view().failing)
        assert place.wires.called == []

    empty = {f"INTERLOCK_EXECUTION__ALLOWED_{name}": "[]" for name in ("VENUES", "SYMBOLS", "STRATEGIES")}
    in_place(tmp_path, scene, **empty, INTERLOCK_RISK__MICRO_ORDER_NOTIONAL_USD="5000")


def test_between_the_steps_the_venue_is_looked_at_and_nothing_can_act(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        place.ready()
        asked = await place.ask()
        assert asked.state == "asked" and asked.phrase == "ARM HYPERLIQUID TESTNET 100 USD"
        assert place.wires.called and all(url.startswith(TESTNET) for url in place.wires.called)
        assert place.wires.opened == ["wss://api.hyperliquid-testnet.xyz/ws"]
        assert place.custody.verdict is Verdict.CLEAN
        venue = place.parts.venue
        assert venue is not None
        with pytest.raises(Retryable):
            await venue.submit(venue.sign(order(), 10**13, 0))
        assert place.actions == [] and place.engine.core.interlock.has("arming")
        await place.clock.sleep(700)
        await place.turn()
        count = len(place.wires.called)
        await place.turn(30)
        assert place.desk.view().state == "disarmed" and len(place.wires.called) == count, "closed again"
        with pytest.raises(Refusal, match="not_found"):
            await place.act(ArmConfirm(hash=asked.hash, phrase=asked.phrase), "bob", BOB)

    in_place(tmp_path, scene)


def test_two_persons_a_phrase_and_a_clean_book_arm_and_then_an_order_may_leave(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        armed = await place.arm()
        core = place.engine.core
        assert (armed.state, armed.armed_by, armed.failing) == ("armed", "ann+bob", ())
        assert not core.interlock.has("arming") and permits(Action.ADD_RISK, core.interlock.level)
        venue = place.parts.venue
        assert venue is not None
        signed = venue.sign(order(), core.clock.now_ns() // 10**6, core.clock.now_ns() + 10**10)
        await venue.submit(signed)
        assert place.actions == [f"{TESTNET}/exchange"] and len(place.rig.desk.user.live) == 1
        said = place.disk.read(core.paths.audit).decode()
        assert '"armed"' in said and '"arming_asked"' in said, "both steps are on the record"

    in_place(tmp_path, scene)


@pytest.mark.parametrize(
    ("operator", "principal", "changes", "code"),
    [
        ("ann", ANN, {}, "same_person"),
        ("bob", ANN, {}, "same_person"),
        ("bob", "", {}, "principal_required"),
        ("bob", BOB, {"phrase": "ARM"}, "bad_confirmation"),
        ("bob", BOB, {"hash": "0" * 64}, "approval_changed"),
        ("bob", BOB, {"hash": ""}, "approval_changed"),
    ],
)
def test_the_second_step_is_another_person_with_the_right_words(
    tmp_path: Path, operator: str, principal: str, changes: dict[str, str], code: str
) -> None:
    async def scene(place: Place) -> None:
        place.ready()
        asked = await place.ask()
        body = {"hash": asked.hash, "phrase": asked.phrase, **changes}
        with pytest.raises(Refusal, match=code):
            await place.act(ArmConfirm(**body), operator, principal)
        assert place.engine.core.interlock.has("arming") and place.actions == []

    in_place(tmp_path, scene)


def test_a_book_that_does_not_agree_and_keys_that_are_wrong_refuse_the_second_step(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        place.ready()
        soon_ms = place.rig.exchange.now_ms() + 3 * 86_400_000
        place.rig.exchange.add_agent(hl.MASTER.address, hl.AGENT.address, "a0", soon_ms)
        place.rig.desk.order("60010", "0.1")  # somebody buys by hand: a position that is not ours
        asked = await place.ask()
        with pytest.raises(Refusal) as refused:
            await place.act(ArmConfirm(hash=asked.hash, phrase=asked.phrase), "bob", BOB)
        assert codes(refused) == {"reconciliation_not_clean", "key_expires_soon"}

    in_place(tmp_path, scene)


def test_a_masters_own_key_may_withdraw_and_is_refused(tmp_path: Path) -> None:
    key = msgspec.structs.replace(  # type: ignore[type-var]
        hl.KEY, key=hl.MASTER.address, secret=hl.throwaway_key("test", "master")
    )

    async def scene(place: Place) -> None:
        place.ready()
        asked = await place.ask()
        with pytest.raises(Refusal, match=r"key_can_withdraw \(can withdraw: orders\)"):
            await place.act(ArmConfirm(hash=asked.hash, phrase=asked.phrase), "bob", BOB)

    in_place(tmp_path, scene, key=key)


def test_mainnet_is_refused_for_want_of_a_seal_and_only_for_that(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        place.ready()
        with pytest.raises(Refusal) as refused:
            await place.ask()
        assert codes(refused) == {"no_seal"}
        assert place.engine.core.interlock.has("seal") and place.wires.called == []

    in_place(tmp_path, scene, INTERLOCK_ENGINE__ENVIRONMENT="mainnet")


def test_an_arming_that_ran_out_still_cancels_and_adds_no_risk(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        await place.arm()
        place.rig.desk.order("59000")
        await place.clock.sleep(8 * 3_600)
        await place.turn()
        core = place.engine.core
        assert place.desk.view().state == "tended" and core.interlock.has("arming")
        assert not permits(Action.ADD_RISK, core.interlock.level) and permits(
            Action.CANCEL, core.interlock.level
        )
        assert any(row.code == "arming_lapsed" for row in core.alarms.rows(core.clock.now_ns()))
        venue = place.parts.venue
        assert venue is not None
        await venue.cancel_all()
        assert not place.rig.desk.user.live

    in_place(tmp_path, scene)


def test_a_restart_drops_the_arming_and_keeps_the_way_to_cancel(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        await place.arm()
        place.rig.desk.order("59000")
        await place.custody.venue.close()
        place.engine.core.store.abandon()
        place.engine = place.build()
        core = place.engine.core
        assert place.desk.view().state == "tended" and core.interlock.has("arming")
        assert not permits(Action.ADD_RISK, core.interlock.level)
        for _ in range(6):
            await place.turn()
        venue = place.parts.venue
        assert venue is not None
        await venue.cancel_all()
        assert not place.rig.desk.user.live, "what is at the venue can be ended"
        safety = core.paths.safety
        assert is_tended(place.disk, safety, "testnet") and not is_tended(place.disk, safety, "mainnet")
        for _ in range(6):
            await place.turn()
        shown = await place.act(Disarm(), "ann", "")
        if place.custody.verdict is Verdict.CLEAN:
            assert shown.state == "disarmed" and not is_tended(place.disk, safety, "testnet")
        else:
            assert shown.state == "tended", "what is not proved to be gone is tended"

    in_place(tmp_path, scene)


def test_disarming_closes_the_address_once_nothing_is_left(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        await place.arm()
        shown = await place.act(Disarm(), "bob", "")
        assert shown.state == "disarmed" and place.engine.core.interlock.has("arming")
        await place.turn()
        count = len(place.wires.called)
        for _ in range(10):
            await place.turn()
        assert len(place.wires.called) == count
        assert not is_tended(place.disk, place.engine.core.paths.safety, "testnet")

    in_place(tmp_path, scene)


def test_an_unreadable_note_opens_the_way_to_cancel_and_no_risk(tmp_path: Path) -> None:
    disk = MemoryDisk()
    disk.make_folder(tmp_path)
    assert not is_tended(disk, tmp_path, "mainnet")
    disk.write_atomic(tmp_path / "arming.json", b"{")
    assert is_tended(disk, tmp_path, "mainnet")


async def test_without_an_engine_a_real_venue_opens_only_where_one_was_armed(tmp_path: Path) -> None:
    loop_settings = {"INTERLOCK_ENGINE__MODE": "live", "INTERLOCK_ENGINE__ENVIRONMENT": "mainnet"}
    from engine.config import load_settings

    settings = load_settings(tmp_path, loop_settings).settings
    wires = transport_without_engine(settings, RealDisk(), tmp_path / "safety")
    assert wires is not None
    with pytest.raises(Unsent, match="not armed"):
        await wires.caller("https://api.hyperliquid.xyz", "hyperliquid").call(b"", 1.0)


def test_a_dry_run_of_a_real_venue_is_armed_for_looking_and_never_acts(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        armed = await place.arm()
        assert armed.state == "armed" and {each.code for each in armed.conditions}.isdisjoint({"no_seal"})
        venue = place.parts.venue
        assert venue is not None
        assert isinstance(venue, DryVenue)
        now_ns = place.clock.now_ns()
        signed = venue.sign(order(), now_ns // 10**6, now_ns + 10**10)
        with pytest.raises(Retryable):  # even the adapter inside: its wires only ask
            await venue.inner.submit(signed)
        assert place.actions == [] and not place.rig.desk.user.live
        assert not is_tended(place.disk, place.engine.core.paths.safety, "mainnet"), "it left nothing there"

    dry = {"INTERLOCK_ENGINE__MODE": "dry_live", "INTERLOCK_ENGINE__ENVIRONMENT": "mainnet"}
    in_place(tmp_path, scene, **dry)


def test_kraken_keys_are_asked_about_themselves_and_one_that_withdraws_is_refused(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        place.ready()
        keys = place.kraken.exchange
        asked = await place.ask()
        armed = await place.act(ArmConfirm(hash=asked.hash, phrase=asked.phrase), "bob", BOB)
        assert armed.state == "armed"
        assert place.desk.standing is not None
        assert {key.name: key.can_withdraw for key in place.desk.standing.keys} == {
            "orders": False,
            "questions": False,
        }
        assert keys is not None and place.actions == []

    dry = {"INTERLOCK_ENGINE__MODE": "dry_live", "INTERLOCK_ENGINE__ENVIRONMENT": "mainnet"}
    in_place(tmp_path, scene, key=KRAKEN_KEY, **dry)


def test_kraken_has_no_test_network(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="kraken has no testnet"):
        in_place(tmp_path, lambda place: place.turn(), key=KRAKEN_KEY)
