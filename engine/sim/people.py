"""The simulated operator: starts sessions, decides tickets, resumes after a kill, flattens, adopts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from engine.api import subjects
from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import (
    CommandBody,
    EngineStop,
    Flatten,
    PaperStart,
    PaperStop,
    Resume,
    TicketApprove,
    TicketReject,
    TicketSelect,
)
from engine.api.reconcile import Act, DifferenceRow, Reconcile, ReconcileView
from engine.api.views import TicketRow, TicketsView
from engine.limits import LATCHING
from engine.sim.world import KILL_FILE, World
from engine.trading.custody import Verdict
from safety.killbyte import KillLevel
from seams.ids import CountedIds
from seams.net import NetDown, NoAnswer
from venues.types import Record

GRACE_S = 0.65
PATIENCE_S = 3.0
"""How long this operator waits for an answer before looking again: the engine may have died meanwhile."""
SEEN = ("tickets", "reconcile")
"""The views this operator works from."""
NONSENSE = (
    b"",
    b"{}",
    b"[" * 2_000,
    b'{"body":{"type":"Kill"}}',
    b"\xff\xfe\x00",
    b'{"schema_version":"9","request_id":"x","operator":"\x1b[2J"}',
)
STRATEGIES = ("ema_cross",)
PARAMS: dict[str, float | str] = {"fast": 2.0, "slow": 4.0}


class Operator:
    """Works through the bus like a console; what it cannot reach it tries again later."""

    def __init__(self, world: World, on_garbage: Callable[[bytes], None]) -> None:
        self.world, self._on_garbage = world, on_garbage
        self.ids = CountedIds()
        self.tickets: tuple[TicketRow, ...] = ()
        self.differences: tuple[DifferenceRow, ...] = ()
        self.number = 0
        self.client: EngineClient | None = None
        self.decided: set[str] = set()
        self.is_closing = False
        """The last part of a seed: sessions are stopped, so that all can settle."""
        self.refused: list[str] = []

    async def work(self) -> None:
        """Go round for ever."""
        while True:
            await self._look()
            await asyncio.sleep(0.4)

    async def _look(self) -> None:
        incarnation = self.world.incarnation
        if incarnation is None or incarnation.engine.net is None:
            return
        if incarnation.number != self.number:
            self.number = incarnation.number
            port = self.world.bus.port("operator")
            self.world.bus.drop("operator")
            epoch = incarnation.engine.core.epoch
            self.client = EngineClient(port, self.world.true_clock, self.ids, "ada", epoch)
            self.tickets, self.differences = (), ()
            for name in SEEN:
                await self.client.watch(self._see, subjects.view(name))
        engine = incarnation.engine
        custody = engine.custody
        assert custody is not None
        if self.world.dice.stream("garbage").random() < 0.05:
            await self._talk_nonsense()
        if engine.core.audit.is_broken and not self.world.disk.is_full:
            await self.ask(EngineStop(), "the record could not be kept; there is room again")
            return
        if custody.verdict is Verdict.AMBIGUOUS:
            await self._decide_difference()
        is_latched = any(hold.code in LATCHING for hold in engine.core.interlock.holds)
        if engine.core.kill.level is not KillLevel.CLEAR or is_latched:
            await self._after_a_kill(custody.verdict)
        elif engine.desk.running and self.is_closing:
            for session_id in sorted(engine.desk.running):
                await self.ask(PaperStop(session_id=session_id), "the day is over", PATIENCE_S)
        elif not engine.desk.running and custody.verdict is Verdict.CLEAN and self.world.dice.is_on:
            if any(held.quantity for held in custody.ledger.holdings.values()):
                await self.ask(Flatten(confirm="FLATTEN"), "a residue", PATIENCE_S)
            else:
                await self.ask(self._session(), "", 5.0)
        for row in self.tickets:
            if row.state == "proposed" and row.ticket_id not in self.decided:
                self.decided.add(row.ticket_id)
                await self._decide(row)
                break

    async def _after_a_kill(self, verdict: Verdict) -> None:
        """Look for a while, then resume: with a reason, and only when the engine lets us."""
        if self.world.dice.stream("operator").random() < 0.6 and verdict is Verdict.CLEAN:
            self.world.disk.files.pop(KILL_FILE, None)  # whoever resumes takes the request away first
            await self.ask(Resume(confirm="RESUME"), "looked at everything", PATIENCE_S)

    async def _decide_difference(self) -> None:
        """Look at the reconciliation desk, and at the venue by other means; decide about one difference."""
        stream = self.world.dice.stream("operator")
        row = next((each for each in self.differences if each.acts), None)
        if row is None or self.world.loop.frozen or stream.random() < 0.5:
            return
        offered = [each.act for each in row.acts if each.act is not Act.ATTRIBUTE]
        chosen = stream.choice(offered) if self.world.dice.is_on else Act.ADOPT
        if chosen not in offered:
            chosen = offered[0]
        await self.ask(Reconcile(act=chosen, key=row.key, seen=row.seen), "as the venue shows", PATIENCE_S)

    def _session(self) -> PaperStart:
        supervised = self.world.is_supervised
        return PaperStart(
            feed="exchange",
            strategies=STRATEGIES,
            params=PARAMS,
            seed=self.world.seed,
            is_supervised=supervised,
            supervised_strategies=STRATEGIES if supervised else (),
        )

    async def _talk_nonsense(self) -> None:
        """A broken or hostile client on the command subject (I44)."""
        assert self.client is not None
        body = self.world.dice.stream("garbage").choice(NONSENSE)
        with suppress(NetDown, NoAnswer):
            self._on_garbage(await self.client.net.request(subjects.COMMAND, body, 2.0))

    async def _decide(self, row: TicketRow) -> None:
        if self.world.dice.stream("operator").random() < 0.2:
            await self.ask(TicketReject(ticket_id=row.ticket_id, reason_digit=1, text="drawn"), "")
            return
        shown = await self.ask(TicketSelect(ticket_id=row.ticket_id), "")
        if isinstance(shown, TicketRow):
            await asyncio.sleep(GRACE_S)
            size = shown.quantity if shown.worst == "warn" else None
            approve = TicketApprove(ticket_id=row.ticket_id, ticket_hash=shown.ticket_hash, typed_size=size)
            await self.ask(approve, "")

    async def ask(self, body: CommandBody, reason: str, timeout_s: float = 2.0) -> object:
        """Ask for one thing; a refusal, a lost bus or a dead engine is not the operator's end."""
        assert self.client is not None
        kind: type[Record] | type[object] = TicketRow if isinstance(body, TicketSelect) else object
        try:
            return await self.client.demand(body, kind, reason=reason, timeout_s=timeout_s)
        except EngineRefused as refused:
            self.refused.append(f"{type(body).__name__}: {refused.reply.code}")
        except (NetDown, NoAnswer):
            pass
        return None

    def _see(self, view: object) -> None:
        if isinstance(view, TicketsView):
            self.tickets = view.rows
        elif isinstance(view, ReconcileView):
            self.differences = view.rows
