"""kill -9 of the real engine at every step of the corridor, against the real-server doubles of both venues.

After each restart the session stands at the right step, nothing is lost, and nothing is there twice: orders
are counted at the double, by their exact bytes and by their client ids.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from urllib.request import Request, urlopen

import msgspec
import pytest

from engine.api.client import EngineClient, EngineRefused
from engine.api.corridor import SessionState, Step, SubmitAct, SubmitOpen, SubmitView
from engine.api.submits import show_submit
from engine.corridor.steps import CONFIRMATIONS
from venues.sandbox.programs import Fault, Strike

from .conftest import REPOSITORY, eventually
from .dying import ORDER
from .loopback import LoopbackProcess, LoopbackRig
from .patience import is_transient

UP_TO_GATE = (Step.READINESS, Step.PREPARE, Step.APPROVE, Step.BUNDLE, Step.GATE)
WRITTEN, KEPT = "corridor.written", "corridor.kept"
NONCE_COUNTED, GATE_PASSED = "store.committed", "orders.gate_passed"
PAUSE_S = 3.0
"""Between two looks: every look asks the venue for everything, and its budget of questions is small."""

DEATHS = {
    # step: where the engine dies in it, and the step that is next after the restart
    Step.READINESS: (WRITTEN, Step.PREPARE),
    Step.PREPARE: (NONCE_COUNTED, Step.PREPARE),
    Step.APPROVE: (KEPT, Step.BUNDLE),
    Step.BUNDLE: (WRITTEN, Step.GATE),
    Step.GATE: (KEPT, Step.SUBMIT),
}


CALM = ("--bar-seconds", "600")


class Hyperliquid(LoopbackRig):
    """An engine that dies when told, on the loopback Hyperliquid.

    `faults`: its first order meets silence, its second is applied and its answer lost.
    """

    symbol = "BTC-PERP"
    faults = (
        Fault(nth=1, on="order", strike=Strike.SILENCE),
        Fault(nth=2, on="order", strike=Strike.APPLY_THEN_DROP),
    )
    more = (*CALM, "--no-ip-limit")

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        double = LoopbackProcess("hyperliquid", folder / "hyperliquid", faults, self.more)
        super().__init__(folder / "home", double)

    def mark(self) -> float:
        """Return the market's price."""
        words, kind = b'{"type":"allMids"}', {"content-type": "application/json"}
        with urlopen(Request(f"{self.venue.ready.url}/info", words, kind), timeout=5) as answer:
            return float(msgspec.json.decode(answer.read())["BTC"])

    def placed(self) -> list[str]:
        """Return the client id of every order that arrived at the double, in their order."""
        actions = [msgspec.json.decode(body)["action"] for body in self.venue.arrived()]
        return [str(each["orders"][0]["c"]) for each in actions if each["type"] == "order"]

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        return dying(self, environ)


class Kraken(LoopbackRig):
    """The same on the loopback Kraken, which is asked to validate each order as well."""

    symbol = "BTC-USD"
    faults = (
        Fault(nth=2, on="AddOrder", strike=Strike.SILENCE),
        Fault(nth=6, on="AddOrder", strike=Strike.APPLY_THEN_DROP),
    )
    more = (*CALM, "--tier", "unlimited")

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        double = LoopbackProcess("kraken", folder / "kraken", faults, self.more)
        super().__init__(folder / "home", double)

    def mark(self) -> float:
        """Return the best bid."""
        with urlopen(f"{self.venue.ready.url}/0/public/Ticker?pair=XBTUSD", timeout=5) as answer:
            return float(msgspec.json.decode(answer.read())["result"]["XXBTZUSD"]["b"][0])

    def placed(self) -> list[str]:
        """Return the client id of every order that arrived to be placed, in their order."""
        bodies = [parse_qs(body.decode()) for body in self.venue.arrived()]
        return [fields["cl_ord_id"][0] for fields in bodies if "validate" not in fields]

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        return dying(self, environ)


MANY_DEATHS = {"INTERLOCK_ENGINE__CRASH_LOOP_DEATHS": "1000"}
"""These deaths are ours: the crash loop they look like is tested elsewhere."""


def dying(rig: Hyperliquid | Kraken, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the engine that kills itself when told (`tests.survival.dying`)."""
    rig.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [sys.executable, "-P", "-m", "tests.survival.dying", "--home", str(rig.home)]
    base = {k: v for k, v in os.environ.items() if not k.startswith("INTERLOCK_")}
    with rig.paths.log.open("ab") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**base, "PYTHONPATH": str(REPOSITORY), **rig.environ(), **MANY_DEATHS, **environ},
            start_new_session=True,
        )


class Deaths:
    """One engine on one venue, killed again and again, and what is asked of it in between."""

    def __init__(self, rig: Hyperliquid | Kraken) -> None:
        self.rig, self.starts = rig, 0
        self.client: EngineClient
        self.limit = 0

    async def start(self) -> None:
        """Start the engine and wait until both sides agree and the venue's markets are known."""
        self.client = await self.rig.start()
        assert await self.rig.synced(after=self.starts) == "clean", self.rig.log()
        self.starts += 1
        self.limit = self.limit or round(self.rig.mark() * 0.995)

    def doom(self, site: str, count: int = 1) -> None:
        """Let the engine die at this place."""
        (self.rig.paths.run / ORDER).write_text(f"{site} {count}")

    def show(self, session_id: str) -> SubmitView:
        """What `interlock submit show` reads."""
        return show_submit(self.rig.home, session_id)

    async def open(self, quantity: str) -> str:
        form: dict[str, Any] = {
            "symbol": self.rig.symbol,
            "side": "buy",
            "quantity": quantity,
            "order_type": "limit",
            "time_in_force": "gtc",
            "limit_price": str(self.limit),
            "stop_loss": str(round(self.limit * 0.99)),
        }
        state = await self.client.demand(SubmitOpen(form=form), SessionState)
        if state.reasons:
            assert is_transient(state.reasons), state
            await self.steps(state.session_id, Step.PREFLIGHT)
        return state.session_id

    async def step(self, session_id: str, step: Step) -> SessionState:
        body = SubmitAct(session_id=session_id, step=step, confirm=CONFIRMATIONS.get(step, ""), polls=1)
        return await self.client.demand(body, SessionState)

    async def steps(self, session_id: str, *steps: Step) -> None:
        """Do steps; one that the engine's own start still stands in the way of is done again."""
        for step in steps:

            async def is_done(step: Step = step) -> bool:
                state = await self.step(session_id, step)
                assert is_transient(state.reasons), state
                return not state.reasons

            await eventually(is_done, self.rig.log)

    async def step_and_die(self, session_id: str, step: Step, site: str, count: int = 1) -> None:
        """Ask for a step, in which the engine dies; then start it again."""
        self.doom(site, count)
        asking = asyncio.ensure_future(self.step(session_id, step))
        assert await self.rig.ended() == -signal.SIGKILL, self.rig.log()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (self.rig.paths.run / ORDER).unlink()
        await self.start()

    async def die_in(self, session_id: str, step: Step, site: str, after: Step) -> None:
        """Die in a step until it is done; one that the engine's own start stood in the way of is not."""
        for _ in range(10):
            await self.step_and_die(session_id, step, site)
            view = self.show(session_id)
            if view.next_step == after:
                return
            assert view.next_step == step and view.state.reasons, view
            assert is_transient(view.state.reasons), view
        raise AssertionError(f"{step} was never done\n{self.rig.log()}")

    async def send(self, session_id: str) -> asyncio.Future[SessionState]:
        """Ask for the submit until the order has arrived; return the question, whose answer never comes."""
        for _ in range(100):
            sending = asyncio.ensure_future(self.step(session_id, Step.SUBMIT))
            await eventually(lambda asked=sending: self.rig.placed() or asked.done(), self.rig.log)
            if self.rig.placed():
                return sending
            with pytest.raises(EngineRefused) as refused:
                await sending
            codes = [
                each.split(" ")[0] for each in refused.value.reply.message.split(": ", 1)[-1].split("; ")
            ]
            assert refused.value.reply.code == "gate_closed" and is_transient(codes), refused.value
            await asyncio.sleep(0.3)
        raise AssertionError(f"the submit was never let through\n{self.rig.log()}")

    async def look(self, session_id: str, wanted: str) -> None:
        """Ask what became of the order until that is this."""
        await self.until(session_id, Step.STATUS, wanted)

    async def until(self, session_id: str, step: Step, wanted: str) -> None:
        """Do a step again and again until the session has this status."""
        for _ in range(30):
            if (await self.step(session_id, step)).status == wanted:
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"{self.show(session_id).state}\n{self.rig.log()}")

    def next_step(self, session_id: str) -> str:
        return self.show(session_id).next_step

    async def up_to_gate(self, quantity: str) -> str:
        session_id = await self.open(quantity)
        await self.steps(session_id, *UP_TO_GATE)
        return session_id


async def all_deaths(rig: Hyperliquid | Kraken) -> None:
    desk = Deaths(rig)
    await desk.start()
    await in_each_step(desk)
    await with_nothing_but_the_pending_record(desk)
    await after_a_lost_answer(desk)
    await past_the_gate_before_the_first_byte(desk)
    assert len(set(rig.placed())) == len(rig.placed()) == 2, "two orders left, each once"
    assert len(rig.rows("SELECT 1 FROM orders")) == 3 and not rig.rows("SELECT 1 FROM fills")
    assert rig.audit().ok
    words = [sys.executable, "-P", "-m", "interlock", "--home", str(rig.home), "submit", "ls", "--json"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    listing = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, env=environ)
    said = [row["status"] for row in msgspec.json.decode((await listing.communicate())[0])["submits"]]
    assert said == ["rejected", "canceled", "rejected", "canceled"]


async def in_each_step(desk: Deaths) -> None:
    """One session, in each of whose steps the engine dies; its order meets silence, and is cancelled."""
    rig = desk.rig
    session_id = await desk.open("0.0011")
    for step, (site, after) in DEATHS.items():
        assert desk.next_step(session_id) == step
        await desk.die_in(session_id, step, site, after)
        if after is step:
            await desk.steps(session_id, step)
    assert rig.placed() == [], "nothing has left before the submit"
    sending = await desk.send(session_id)
    await rig.kill_hard()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await desk.start()
    view = desk.show(session_id)
    assert (view.state.status, view.next_step) == ("reconciliation_required", "status")
    await desk.look(session_id, "open")
    await desk.step_and_die(session_id, Step.CANCEL, KEPT)
    assert desk.show(session_id).state.status == "cancel_pending"
    await desk.look(session_id, "cancel_pending")
    await desk.step(session_id, Step.CANCEL)
    await desk.look(session_id, "canceled")


async def with_nothing_but_the_pending_record(desk: Deaths) -> None:
    session_id = await desk.up_to_gate("0.0012")
    await desk.step_and_die(session_id, Step.SUBMIT, KEPT)
    view = desk.show(session_id)
    assert (view.state.status, view.state.alerts[0].code) == ("reconciliation_required", "SUBMIT_PENDING")
    state = await desk.step(session_id, Step.STATUS)
    assert (state.status, state.reasons) == ("rejected", ("never_sent",))


async def after_a_lost_answer(desk: Deaths) -> None:
    """The answer is lost, what it was is written down, and the engine dies."""
    session_id = await desk.up_to_gate("0.0013")
    await desk.step_and_die(session_id, Step.SUBMIT, WRITTEN, 2)
    view = desk.show(session_id)
    assert view.next_step == "status"
    assert view.state.status in ("reconciliation_required", "submitted"), "the stream may have told of it"
    await desk.look(session_id, "open")
    await desk.step_and_die(session_id, Step.STATUS, KEPT)
    assert desk.show(session_id).state.status == "open"
    await desk.step(session_id, Step.CANCEL)
    await desk.look(session_id, "canceled")


async def past_the_gate_before_the_first_byte(desk: Deaths) -> None:
    """The order's bytes are durable and the gate is passed; none has left. The venue has to prove that."""
    session_id = await desk.up_to_gate("0.0014")
    await desk.step_and_die(session_id, Step.SUBMIT, GATE_PASSED)
    assert desk.show(session_id).state.status == "reconciliation_required"
    await desk.look(session_id, "rejected")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("venue", [Hyperliquid, Kraken])
async def test_an_engine_killed_at_every_step_stands_at_the_right_one(
    venue: type[Hyperliquid] | type[Kraken], tmp_path: Path
) -> None:
    rig = venue(tmp_path, venue.faults)
    try:
        await all_deaths(rig)
    finally:
        await rig.close()
        rig.venue.close()
