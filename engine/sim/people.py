"""The simulated operator: starts sessions, decides tickets, resumes after a kill, flattens, adopts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

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
from engine.sim.faults import Fault
from engine.sim.world import HOME, World
from engine.trading.custody import Verdict
from safety.killbyte import KillLevel
from safety.killswitch import REQUEST_FILE
from seams.ids import CountedIds
from seams.net import NetDown, NoAnswer
from venues.contract import VenueError
from venues.types import OrderRequest, OrderType, Record, Side, TimeInForce

GRACE_S = 0.65
SEEN = ("tickets", "reconcile")
"""The views this operator works from."""
KILL_FILE = HOME / "safety" / REQUEST_FILE
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
            await self._ask(EngineStop(), "the record could not be kept; there is room again")
            return
        if custody.verdict is Verdict.AMBIGUOUS:
            await self._decide_difference()
        is_latched = any(hold.code in LATCHING for hold in engine.core.interlock.holds)
        if engine.core.kill.level is not KillLevel.CLEAR or is_latched:
            await self._after_a_kill(custody.verdict)
        elif engine.desk.running and self.is_closing:
            for session_id in sorted(engine.desk.running):
                await self._ask(PaperStop(session_id=session_id), "the day is over", 12.0)
        elif not engine.desk.running and custody.verdict is Verdict.CLEAN and self.world.dice.is_on:
            if any(held.quantity for held in custody.ledger.holdings.values()):
                await self._ask(Flatten(confirm="FLATTEN"), "a residue", 12.0)
            else:
                await self._ask(self._session(), "", 5.0)
        for row in self.tickets:
            if row.state == "proposed" and row.ticket_id not in self.decided:
                self.decided.add(row.ticket_id)
                await self._decide(row)
                break

    async def _after_a_kill(self, verdict: Verdict) -> None:
        """Look for a while, then resume: with a reason, and only when the engine lets us."""
        if self.world.dice.stream("operator").random() < 0.6 and verdict is Verdict.CLEAN:
            self.world.disk.files.pop(KILL_FILE, None)  # whoever resumes takes the request away first
            await self._ask(Resume(confirm="RESUME"), "looked at everything", 8.0)

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
        await self._ask(Reconcile(act=chosen, key=row.key, seen=row.seen), "as the venue shows", 8.0)

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
            await self._ask(TicketReject(ticket_id=row.ticket_id, reason_digit=1, text="drawn"), "")
            return
        shown = await self._ask(TicketSelect(ticket_id=row.ticket_id), "")
        if isinstance(shown, TicketRow):
            await asyncio.sleep(GRACE_S)
            size = shown.quantity if shown.worst == "warn" else None
            approve = TicketApprove(ticket_id=row.ticket_id, ticket_hash=shown.ticket_hash, typed_size=size)
            await self._ask(approve, "")

    async def _ask(self, body: CommandBody, reason: str, timeout_s: float = 2.0) -> object:
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


async def mischief(world: World) -> None:
    """Twice a second: what befalls hosts, links and venues from outside."""
    dice = world.dice
    while True:
        await asyncio.sleep(0.5)
        incarnation = world.incarnation
        if incarnation is None:
            continue
        wire = incarnation.wire
        if dice.strikes(Fault.STREAM_STALLED):
            wire.silent_until_s = world.loop.time() + dice.between(Fault.STREAM_STALLED, 1, 20)
        for fault, name in ((Fault.UNREACHABLE, "is_reachable"), (Fault.SEND_ONLY, "is_deaf")):
            if dice.strikes(fault):
                setattr(wire, name, fault is Fault.SEND_ONLY)
                world.loop.call_later(
                    dice.between(fault, 1, 15), setattr, wire, name, fault is not Fault.SEND_ONLY
                )
        if dice.strikes(Fault.STREAM_BROKEN):
            wire.break_stream()
            world.loop.call_later(dice.between(Fault.STREAM_BROKEN, 0.1, 10), wire.open_stream)
        if dice.strikes(Fault.KILL_BYTE):
            world.pull_byte("from outside")
        if dice.strikes(Fault.CLOCK_STEP):
            world.clock.offset_ns += round(dice.between(Fault.CLOCK_STEP, -5e9, 5e9))
            world.loop.call_later(dice.between(Fault.CLOCK_STEP, 1, 20), setattr, world.clock, "offset_ns", 0)
        if dice.strikes(Fault.LISTS_LAG):
            world.exchange.lag_ns = round(dice.between(Fault.LISTS_LAG, 0, 1.95e9))
        if dice.strikes(Fault.MAINTENANCE):
            world.closed_until_s = world.loop.time() + dice.between(Fault.MAINTENANCE, 1, 15)
        if dice.strikes(Fault.CASH_MOVED):
            world.venue.move_cash(Decimal(round(dice.between(Fault.CASH_MOVED, -500, 500))))
        if dice.strikes(Fault.FOREIGN_ORDER):
            await trade_by_hand(world)
        if dice.strikes(Fault.KILL_FILE):
            lay_kill_file(world)
        if dice.strikes(Fault.PAUSE):
            world.pause(0.1 * 600 ** dice.stream(Fault.PAUSE).random() ** 2)
        if dice.strikes(Fault.DISK_FULL):
            world.disk.is_full = True
            world.loop.call_later(
                dice.between(Fault.DISK_FULL, 0.1, 8), setattr, world.disk, "is_full", False
            )
        if dice.strikes(Fault.BUS_DOWN):
            world.bus.is_up = False
            world.loop.call_later(dice.between(Fault.BUS_DOWN, 0.5, 10), setattr, world.bus, "is_up", True)


def lay_kill_file(world: World) -> None:
    """Somebody writes `kill.request`, by hand, on the engine's host."""
    text = world.dice.stream(Fault.KILL_FILE).choice((b"", b"halt", b"close_only", b"\xff\xfe", b"now!"))
    world.disk.files[KILL_FILE] = bytearray(text)
    world.fact("kill", f"by file {text!r}")


async def trade_by_hand(world: World) -> None:
    """Somebody trades on the account without us."""
    stream = world.dice.stream(Fault.FOREIGN_ORDER)
    chosen = stream.choice(world.instruments)
    request = OrderRequest(
        client_order_id=f"HAND-{len(world.venue.journal)}",
        symbol=chosen.symbol,
        side=stream.choice((Side.BUY, Side.SELL)),
        quantity=chosen.lot * stream.randint(1, 20),
        order_type=OrderType.MARKET,
        limit_price=Decimal(0),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=world.venue.mark(chosen.symbol),
    )
    with suppress(VenueError):
        await world.venue.submit(request)
