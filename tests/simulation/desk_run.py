"""One desk on virtual time: the whole engine, its operator by script, and everything that left it.

    python -m tests.simulation.desk_run SEED SECONDS

runs in the current folder (made empty by the caller) and writes the trace to stdout, one line a fact.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from engine.api import subjects
from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import (
    AlarmAck,
    EngineStop,
    Flatten,
    FlattenDone,
    Kill,
    KillArm,
    KillArmed,
    KillDone,
    PaperStart,
    Resume,
    SessionStarted,
    TicketApprove,
    TicketReject,
    TicketSelect,
)
from engine.api.views import AlarmsView, TicketRow, TicketsView
from engine.daemon import Engine, Seams, build_core
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from safety.killbyte import KillByte, KillLevel
from seams.clock import NS_PER_S
from seams.disk import MemoryDisk
from seams.ids import CountedIds
from seams.net import LoopbackNet
from seams.rng import Rng
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from venues.sandbox.embedded import EmbeddedVenue
from venues.sandbox.script import Fault, FaultKind
from venues.types import Fill, OrderStatus

HOME = Path("desk")
"""Relative on purpose: no path of this host comes into the trace."""
PID = 1
"""Alive on every host."""
GRACE_S = 0.65
CENT = Decimal("1e-9")


@dataclass
class Outcome:
    """What a simulated desk did."""

    trace: list[bytes] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Invariants that did not hold."""
    checks: int = 0
    facts: Counter[str] = field(default_factory=Counter)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(b"\n".join(self.trace)).hexdigest()


class Invariants:
    """What must hold after every view the engine publishes."""

    def __init__(self, engine: Engine, outcome: Outcome) -> None:
        self.engine, self.outcome = engine, outcome
        self.flows: dict[str, list[Fill]] = {}
        self.latched_ns = 0
        self.entries_at_latch = 0

    def follow(self, session: PaperSession) -> None:
        """Keep every fill of a session, so that its equity can be counted a second way."""
        fills = self.flows.setdefault(session.plan.session_id, [])

        def keep(_: ManagedOrder, fill: Fill) -> None:
            fills.append(fill)

        session.on_fill.append(keep)

    def check(self) -> None:
        self.outcome.checks += 1
        orders = [order for session in self.engine.desk.sessions for order in session.orders.orders.values()]
        self._latch(orders)
        for order in orders:
            if order.filled > order.request.quantity:
                self._say(f"{order.order_id} is filled beyond its quantity")
        for intent_id, count in Counter(order.intent_id for order in orders).items():
            if count > 1:
                self._say(f"intent {intent_id} has {count} orders")
        for session in self.engine.desk.sessions:
            self._equity(session)
        unknown = [order for order in orders if order.status is OrderStatus.UNKNOWN]
        self.outcome.facts["views with an unknown order"] += bool(unknown)
        for order in unknown:
            if not self.engine.core.interlock.has("ambiguity", order.request.symbol):
                self._say(f"{order.order_id} is UNKNOWN and nothing holds")

    def _latch(self, orders: list[ManagedOrder]) -> None:
        """While the latch is set no entry goes out: neither by its stamp nor by count."""
        kill = self.engine.core.kill
        entries = [order for order in orders if order.sent_ns and not order.request.reduce_only]
        if kill.level is KillLevel.CLEAR:
            self.latched_ns = 0
            return
        if not self.latched_ns:
            self.latched_ns, self.entries_at_latch = kill.record.since_ns, len(entries)
        if len(entries) > self.entries_at_latch or any(o.sent_ns > self.latched_ns for o in entries):
            self._say("an entry was sent after the latch")
        self.outcome.facts["views under the latch"] += 1

    def _equity(self, session: PaperSession) -> None:
        """Equity is cash + realised - fees + unrealised, and also cash + all flows + value held."""
        ledger = session.ledger
        held = ledger.holdings.values()
        parts = sum((h.realised - h.fees + h.unrealised for h in held), ledger.cash_usd)
        flows, quantity = ledger.cash_usd, dict.fromkeys(ledger.holdings, Decimal(0))
        for fill in self.flows[session.plan.session_id]:
            flows -= fill.quantity * fill.price * fill.side.sign + fill.fee
            quantity[fill.symbol] += fill.quantity * fill.side.sign
        value = sum((quantity[h.symbol] * h.mark_price for h in held), Decimal(0))
        if parts != ledger.equity_usd or abs(flows + value - parts) > CENT:
            self._say(f"equity {ledger.equity_usd} is not {parts} or not {flows + value}")
        if any(quantity[h.symbol] != h.quantity for h in held):
            self._say("a position is not the sum of its fills")

    def _say(self, text: str) -> None:
        self.outcome.broken.append(f"{self.engine.core.clock.monotonic_ns() / NS_PER_S:.3f} s: {text}")


class Operator:
    """Decides tickets (every third is rejected), acknowledges alarms, kills, resumes, flattens."""

    def __init__(self, engine: Engine, client: EngineClient, outcome: Outcome, rules: Invariants) -> None:
        self.engine, self.client, self.outcome, self.rules = engine, client, outcome, rules
        self.clock = engine.core.clock
        self.tickets: tuple[TicketRow, ...] = ()
        self.alarms: AlarmsView | None = None
        self.seen: set[str] = set()

    async def work(self, seed: int, seconds: float) -> None:
        request = PaperStart(
            strategies=("ema_cross", "rsi_ma_cross"),
            seed=seed,
            is_supervised=True,
            supervised_strategies=("ema_cross",),
        )
        await self.client.demand(request, SessionStarted, timeout_s=5.0)
        session = self.engine.desk.sessions[0]
        assert isinstance(session.venue, EmbeddedVenue)
        exchange = session.venue.venue
        self.rules.follow(session)
        await self._operate_until(0.3 * seconds)
        nth = exchange.faults.attempts
        exchange.script(Fault(nth=nth + 1, kind=FaultKind.APPLY_THEN_DROP))
        exchange.script(Fault(nth=nth + 3, kind=FaultKind.DROP_WITHOUT_APPLY))
        await self._operate_until(0.6 * seconds)
        armed = await self.client.demand(KillArm(), KillArmed)
        done = await self.client.demand(Kill(confirm="KILL", nonce=armed.nonce), KillDone, reason="drill")
        self.outcome.facts["kills"] += done.level == "halt_all"
        await self._operate_until(0.7 * seconds)
        await self._resume()
        await self._operate_until(0.85 * seconds)
        flat = await self.client.demand(
            Flatten(confirm="FLATTEN"), FlattenDone, reason="drill", timeout_s=12.0
        )
        self.outcome.facts["flat"] += flat.is_flat
        self.outcome.facts["closed by flatten"] += len(flat.closed)
        await self._operate_until(0.9 * seconds)
        await self._resume()
        await self._operate_until(seconds)
        for name in ("orders", "fills", "denied", "approvals"):
            self.outcome.facts[name] += getattr(session.counts, name)
        await self.client.command(EngineStop())

    async def _resume(self) -> None:
        try:
            await self.client.demand(Resume(confirm="RESUME"), object, reason="drill is over")
            self.outcome.facts["resumes"] += 1
        except EngineRefused as refused:
            self.outcome.broken.append(f"resume: {refused}")

    async def _operate_until(self, second: float) -> None:
        while self.clock.monotonic_ns() < second * NS_PER_S:
            for row in self.tickets:
                if row.state == "proposed" and row.ticket_id not in self.seen:
                    self.seen.add(row.ticket_id)
                    await self._decide(row)
                    break
            for alarm in self.alarms.rows if self.alarms else ():
                if alarm.state in ("UNACK", "RTN-UN"):
                    reply = await self.client.command(AlarmAck(alarm_id=alarm.alarm_id))
                    self.outcome.facts["acks"] += reply.ok
                    break
            await self.clock.sleep(0.2)

    async def _decide(self, row: TicketRow) -> None:
        try:
            if len(self.seen) % 3 == 2:
                reject = TicketReject(ticket_id=row.ticket_id, reason_digit=1, text="drill")
                await self.client.demand(reject, object)
                self.outcome.facts["operator rejected"] += 1
                return
            shown = await self.client.demand(TicketSelect(ticket_id=row.ticket_id), TicketRow)
            await self.clock.sleep(GRACE_S)
            size = shown.quantity if shown.worst == "warn" else None
            approve = TicketApprove(ticket_id=row.ticket_id, ticket_hash=shown.ticket_hash, typed_size=size)
            await self.client.demand(approve, object)
            self.outcome.facts["operator approved"] += 1
        except EngineRefused as refused:
            self.outcome.facts[f"refused {refused.reply.code}"] += 1


def simulate(seed: int, seconds: float) -> Outcome:
    """Run one desk in the current folder, which must be empty, from start to its orderly end."""
    loop, outcome = VirtualLoop(), Outcome()
    clock, disk = VirtualClock(loop), MemoryDisk()
    (HOME / "db").mkdir(parents=True, mode=0o700)
    tokens = CountedIds()
    seams = Seams(
        clock, None, Rng(seed), disk, pid=PID, commit="0" * 40, token=lambda size: tokens.new(f"N{size}")
    )
    core = build_core(seams, HOME, {}, KillByte.anonymous())
    engine = Engine(core)
    engine.recover()
    run_virtual(_desk(engine, seed, seconds, outcome), loop)
    for path in sorted(disk.files):
        outcome.trace.append(f"file {path} ".encode() + disk.files[path].replace(b"\n", b"\\n"))
    outcome.trace += _rows(HOME / "db" / "paper.db")
    return outcome


async def _desk(engine: Engine, seed: int, seconds: float, outcome: Outcome) -> None:
    net = LoopbackNet()
    rules = Invariants(engine, outcome)
    client = EngineClient(net, engine.core.clock, CountedIds(), "sim", engine.core.epoch)
    operator = Operator(engine, client, outcome, rules)

    async def record(subject: str, body: bytes) -> None:
        outcome.trace.append(f"view {subject} ".encode() + body)
        rules.check()

    def look(view: object) -> None:
        if isinstance(view, TicketsView):
            operator.tickets = view.rows
        elif isinstance(view, AlarmsView):
            operator.alarms = view

    await net.subscribe(subjects.VIEW_ALL, record)
    await client.watch(look)
    ready: list[bool] = []
    task = asyncio.get_running_loop().create_task(engine.serve(net, lambda: ready.append(True)))
    while not ready:
        await engine.core.clock.sleep(0.01)
    await operator.work(seed, seconds)
    await task
    await engine.close()


def _rows(path: Path) -> list[bytes]:
    """Every row of every table, in the order written."""
    database = sqlite3.connect(path)
    names = [name for (name,) in database.execute("select name from sqlite_master where type='table'")]
    lines = []
    for name in sorted(names):
        for row in database.execute(f"select * from {name}"):  # noqa: S608 - names come from the schema
            lines.append(f"row {name} {row!r}".encode())
    database.close()
    return lines


def main() -> int:
    """Simulate in the current folder and write the trace."""
    outcome = simulate(int(sys.argv[1]), float(sys.argv[2]))
    sys.stdout.buffer.write(b"\n".join(outcome.trace))
    for line in outcome.broken:
        sys.stderr.write(f"{line}\n")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
