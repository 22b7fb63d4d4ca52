"""A house and a hall on any venue's stage: an engine's core with custody, and a corridor in it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from engine.api.corridor import SessionState, Step, SubmitView
from engine.corridor import reading
from engine.corridor.case import Ask
from engine.corridor.desk import CorridorDesk
from engine.corridor.steps import CONFIRMATIONS
from engine.daemon import Seams, build_core
from engine.sim.world import ENVIRON
from engine.trading.custody import Custody, Verdict
from engine.trading.working import ManagedOrder
from engine.venue import mark_orders
from safety.killbyte import KillByte
from seams.disk import MemoryDisk
from seams.rng import Rng
from seams.virtual import VirtualLoop, run_virtual
from tests.corridor.stages import STAGES, HyperliquidStage, KrakenStage
from venues.sandbox.programs import Strike

UP_TO_GATE = (Step.READINESS, Step.PREPARE, Step.APPROVE, Step.BUNDLE, Step.GATE)
FORM: dict[str, Any] = {
    "side": "buy",
    "quantity": "0.001",
    "order_type": "limit",
    "time_in_force": "gtc",
    "limit_price": "59900",
    "stop_loss": "58900",
}


class House:
    """An engine's core over one folder, on a stage; `restart` is a new engine on the same record."""

    def __init__(self, folder: Path, stage: HyperliquidStage | KrakenStage) -> None:
        (folder / "db").mkdir(mode=0o700)
        self.stage, self.folder, self.disk = stage, folder, MemoryDisk()
        self.custody = self._build()

    def _build(self) -> Custody:
        seams = Seams(self.stage.clock, None, Rng(1), self.disk, pid=1, commit="0" * 40)
        core = build_core(seams, self.folder, ENVIRON, KillByte.anonymous())
        mark_orders(self.stage.adapter, core)
        custody = Custody(core, self.stage.adapter, "a")
        custody.load()
        return custody

    async def restart(self) -> None:
        """The engine dies, with all that it had in memory, and another starts on the same record."""
        self.custody.core.store.abandon()
        await self.stage.down()
        self.stage.renew()
        self.custody = self._build()
        await self.stage.up()

    async def settle(self, seconds: float = 20.0) -> Verdict:
        """Look at the account until both sides agree or a person is wanted."""
        clock = self.stage.clock
        until_ns = clock.monotonic_ns() + int(seconds * 1e9)
        while clock.monotonic_ns() < until_ns:
            if await self.custody.reconcile() in (Verdict.CLEAN, Verdict.AMBIGUOUS):
                break
            await clock.sleep(1.0)
        return self.custody.verdict

    async def tend(self, seconds: float) -> None:
        """Let the custodian work as it does in an engine."""
        until_ns = self.stage.clock.monotonic_ns() + int(seconds * 1e9)
        while self.stage.clock.monotonic_ns() < until_ns:
            await self.custody.tend()
            await self.stage.clock.sleep(1.0)


class Hall:
    """A house with a corridor in it."""

    def __init__(self, house: House) -> None:
        self.house, self.stage = house, house.stage
        self.desk = self._desk()

    def _desk(self) -> CorridorDesk:
        return CorridorDesk(self.house.custody.core, self.house.custody, self.stage.evidence())

    @property
    def root(self) -> Path:
        return self.house.custody.core.paths.submits

    async def restart(self) -> None:
        await self.house.restart()
        self.desk = self._desk()
        await self.quote()
        await self.house.settle()

    async def quote(self) -> None:
        self.stage.quote()
        await self.stage.clock.sleep(0.01)

    async def do(self, session_id: str, step: Step, **fields: Any) -> SessionState:
        await self.quote()
        confirm = fields.pop("confirm", CONFIRMATIONS.get(step, ""))
        return await self.desk.act(session_id, Ask(step=step, operator="ann", confirm=confirm, **fields))

    async def opened(self, **form: Any) -> SessionState:
        await self.quote()
        given = {**FORM, "symbol": self.stage.symbol, **form}
        return await self.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form=given))

    async def at_gate(self, **form: Any) -> str:
        state = await self.opened(**form)
        assert state.status == "preflight_passed", state
        for step in UP_TO_GATE:
            said = await self.do(state.session_id, step)
            assert not said.reasons, said
        return state.session_id

    def lose_answer(self) -> None:
        """Place the next order and lose its answer, at a venue that pushes nothing and whose lists lag."""
        self.stage.strike(Strike.APPLY_THEN_DROP)
        self.stage.deafen()
        self.stage.lag(1.1)

    def view(self, session_id: str) -> SubmitView:
        now_ns = self.stage.clock.now_ns()
        return reading.show(self.root, session_id, self.house.disk, now_ns)

    def order(self, session_id: str) -> ManagedOrder:
        found = self.house.custody.orders.known(f"O-{session_id}")
        assert found is not None
        return found

    def artifact(self, session_id: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.house.disk.read(self.root / session_id / f"{name}.json"))
        return found


def in_hall(venue: str, folder: Path, scene: Callable[[Hall], Awaitable[None]]) -> None:
    """Play one scene in a world of its own, on an account that both sides agree about."""
    loop = VirtualLoop()

    async def play() -> None:
        stage = STAGES[venue](loop)
        house = House(folder, stage)
        await stage.up()
        hall = Hall(house)
        await hall.quote()
        assert await house.settle() is Verdict.CLEAN, house.custody.differences
        await scene(hall)
        await stage.down()

    run_virtual(play(), loop)
