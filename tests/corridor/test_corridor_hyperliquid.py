"""The corridor on the loopback Hyperliquid: signed bytes are approved, and exactly these leave."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.api.corridor import SessionState, Step
from engine.corridor.case import Ask
from engine.corridor.desk import CorridorDesk
from engine.corridor.steps import CONFIRMATIONS
from engine.trading.custody import Verdict
from seams.virtual import VirtualLoop, run_virtual
from tests.engine.test_custody_hyperliquid import House
from tests.venues.test_hyperliquid_adapter import Rig
from venues.hyperliquid.evidence import HyperliquidEvidence
from venues.sandbox.programs import Strike
from venues.sandbox.pushes import PushFault, PushStrike

UP_TO_GATE = (Step.READINESS, Step.PREPARE, Step.APPROVE, Step.BUNDLE, Step.GATE)
FORM: dict[str, Any] = {
    "symbol": "BTC-PERP",
    "side": "buy",
    "quantity": "0.001",
    "order_type": "limit",
    "time_in_force": "gtc",
    "limit_price": "60000",
    "stop_loss": "59000",
}


class Hall:
    """A house with a corridor in it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.desk = self.open_desk()

    def open_desk(self) -> CorridorDesk:
        evidence = HyperliquidEvidence(self.house.rig.adapter, self.house.rig.clock)
        return CorridorDesk(self.house.custody.core, self.house.custody, evidence)

    async def quote(self) -> None:
        self.house.rig.desk.quote("BTC", 60_000, 60_010)
        await self.house.rig.clock.sleep(0.01)

    async def do(self, session_id: str, step: Step, **fields: Any) -> SessionState:
        await self.quote()
        confirm = CONFIRMATIONS.get(step, "")
        return await self.desk.act(session_id, Ask(step=step, operator="ann", confirm=confirm, **fields))

    async def opened(self, **form: Any) -> SessionState:
        await self.quote()
        return await self.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, **form}))

    async def at_gate(self) -> str:
        state = await self.opened()
        assert state.status == "preflight_passed", state
        for step in UP_TO_GATE:
            said = await self.do(state.session_id, step)
            assert not said.reasons, said
        return state.session_id

    def artifact(self, session_id: str, name: str) -> dict[str, Any]:
        folder = self.house.custody.core.paths.submits / session_id
        found: dict[str, Any] = json.loads(self.house.disk.read(folder / f"{name}.json"))
        return found


def in_hall(folder: Path, scene: Callable[[Hall], Awaitable[None]]) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        house = House(folder, rig)
        assert await house.settle() is Verdict.CLEAN
        await scene(Hall(house))
        await rig.adapter.close()

    run_virtual(play(), loop)


def test_the_whole_way_leaves_one_order_whose_bytes_were_approved(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        rig = hall.house.rig
        session_id = await hall.at_gate()
        assert rig.bodies == [], "nothing has left before the submit"
        prepared = hall.artifact(session_id, "prepared_order")["body"]
        state = await hall.do(session_id, Step.SUBMIT)
        assert state.status == "submitted", state
        assert sha256(rig.bodies[0]).hexdigest() == prepared["venue"]["body_sha256"] and len(rig.bodies) == 1
        assert (await hall.do(session_id, Step.STATUS)).status == "open"
        for step in (Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
            said = await hall.do(session_id, step, polls=1)
            assert not said.reasons, said
        assert (await hall.do(session_id, Step.CANCEL)).status == "canceled"
        assert not rig.desk.user.live

    in_hall(tmp_path, scene)


def test_an_ambiguous_submit_ends_in_what_the_venue_proves(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        rig = hall.house.rig
        session_id = await hall.at_gate()
        rig.strike(Strike.APPLY_THEN_DROP)
        rig.exchange.pushes.add(PushFault(nth=1, on="orderUpdates", strike=PushStrike.DROP))
        rig.exchange.lag_ms = 1_100
        state = await hall.do(session_id, Step.SUBMIT)
        order = hall.house.custody.orders.known(f"O-{session_id}")
        assert order is not None and state.status != "submitted"
        await rig.clock.sleep(5)
        await hall.house.custody.tend()
        assert order.status == "open", "found by its name"
        assert len([body for body in rig.bodies if b'"order"' in body]) == 1, "and never sent again"
        assert (await hall.do(session_id, Step.STATUS)).status == "open"

    in_hall(tmp_path, scene)


def test_a_form_off_the_venues_grid_is_told_before_anything_is_signed(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        state = await hall.opened(limit_price="60000.5")
        assert "tick_not_exact" in state.reasons
        small = await hall.opened(quantity="0.0001")
        assert "min_notional" in small.reasons
        assert hall.house.rig.bodies == []

    in_hall(tmp_path, scene)
